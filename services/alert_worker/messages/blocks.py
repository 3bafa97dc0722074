"""Block Kit within Slack's documented limits, and texts from outside made harmless. Pure.

Limits (docs.slack.dev, Block Kit reference): 50 blocks; a header's text 150 characters, a section's 3,000, a field's
2,000 and ten fields, ten elements in a context, 75 characters on a button, 2,000 of alt text.
"""

from collections.abc import Iterable, Sequence
from typing import Any

Block = dict[str, Any]
HEADER_LIMIT, SECTION_LIMIT, FIELD_LIMIT, FIELDS_LIMIT, BUTTON_LIMIT = 150, 3_000, 2_000, 10, 75
ALT_LIMIT, TEXT_LIMIT = 2_000, 3_000

_ENTITIES: dict[str, str | int | None] = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_LOOK_ALIKES: dict[str, str | int | None] = {"*": "∗", "~": "∼", "`": "ˋ", "_": "＿"}
_MARKUP = str.maketrans(_ENTITIES | _LOOK_ALIKES)
_CODE = str.maketrans(_ENTITIES | {"`": _LOOK_ALIKES["`"]})


def escape(text: str) -> str:
    """A text of our own for mrkdwn: no part of it becomes a mention or a link (docs.slack.dev, formatting text)."""
    return text.translate(str.maketrans(_ENTITIES))


def outside(text: str) -> str:
    """A text from outside: one line, printable, and without any markup of Slack's either."""
    return plain(text).translate(_MARKUP)


def outside_in_code(text: str) -> str:
    """The same within backticks, to be copied: markup means nothing there, except the backtick that ends it."""
    return plain(text).translate(_CODE)


def plain(text: str) -> str:
    """One printable line: no control, formatting or direction characters, which could make it read otherwise."""
    return "".join(c if c.isprintable() else " " for c in text)


def cut(text: str, limit: int) -> str:
    """At most `limit` characters; an escaped character at the end stays whole."""
    if len(text) <= limit:
        return text
    kept = text[: limit - 1]
    start = kept.rfind("&", -5)
    return (kept[:start] if start >= 0 and ";" not in kept[start:] else kept) + "…"


def header(text: str) -> Block:
    """Large and plain."""
    return {"type": "header", "text": {"type": "plain_text", "text": cut(plain(text), HEADER_LIMIT), "emoji": True}}


def section(text: str) -> Block:
    """A paragraph of mrkdwn, escaped already."""
    return {"type": "section", "text": _mrkdwn(text, SECTION_LIMIT)}


def sections(lines: Iterable[str]) -> list[Block]:
    """Lines of mrkdwn in as few paragraphs as the limit allows."""
    gathered: list[str] = []
    for line in lines:
        if gathered and len(gathered[-1]) + 1 + len(line) <= SECTION_LIMIT:
            gathered[-1] += f"\n{line}"
        else:
            gathered.append(line)
    return [section(text) for text in gathered]


def fields(pairs: Sequence[tuple[str, str]]) -> list[Block]:
    """Names above values, two columns; the values are escaped already."""
    shown = [_mrkdwn(f"*{name}*\n{value}", FIELD_LIMIT) for name, value in pairs]
    return [
        {"type": "section", "fields": shown[first : first + FIELDS_LIMIT]}
        for first in range(0, len(shown), FIELDS_LIMIT)
    ]


def context(texts: Sequence[str]) -> Block:
    """Small print, escaped already."""
    return {"type": "context", "elements": [_mrkdwn(text, FIELD_LIMIT) for text in texts if text]}


def link_button(label: str, url: str) -> Block:
    """A button that opens a page."""
    text = {"type": "plain_text", "text": cut(plain(label), BUTTON_LIMIT), "emoji": True}
    # The id names the button among those of its message.
    return {"type": "button", "text": text, "url": url, "action_id": f"open-{label}"[:255]}


def actions(elements: list[Block]) -> Block:
    """Buttons in a row."""
    return {"type": "actions", "elements": elements}


def uploaded_image(file_id: str, alt_text: str) -> Block:
    """A picture that was uploaded before."""
    return {"type": "image", "slack_file": {"id": file_id}, "alt_text": cut(plain(alt_text), ALT_LIMIT)}


def _mrkdwn(text: str, limit: int) -> Block:
    # Verbatim: Slack does not make links or mentions of what looks like one.
    return {"type": "mrkdwn", "text": cut(text, limit), "verbatim": True}
