"""What Slack refuses in a message: too long, too many blocks, a block that breaks its rules. Pure."""

import json
from collections.abc import Callable
from typing import Any

MAX_TEXT = 40_000
MAX_BLOCKS = 50
MAX_BLOCKS_CHARACTERS = 13_200
"""Of all blocks as JSON, counted by people who met the limit; it is in no documentation."""
_ELEMENT_TYPES = ("button",)


class Refused(Exception):
    """Slack answers ``ok: false`` with this error and these details."""

    def __init__(self, error: str, *details: str) -> None:
        super().__init__(error)
        self.error = error
        self.details = list(details)


def check_message(text: str, blocks: list[Any], attachments: list[Any]) -> None:
    """Raise Refused for a message that Slack would not take."""
    if not text and not blocks and not attachments:
        raise Refused("no_text")
    if len(text) > MAX_TEXT:
        raise Refused("msg_too_long")
    if len(blocks) > MAX_BLOCKS:
        raise Refused("invalid_blocks", f"no more than {MAX_BLOCKS} items allowed [json-pointer:/blocks]")
    for place, block in enumerate(blocks):
        _check_block(block, f"/blocks/{place}")
    _check_unique([block.get("block_id") for block in blocks], "block_id")
    _check_unique(
        [e.get("action_id") for b in blocks for e in b.get("elements", ()) if b["type"] == "actions"], "action_id"
    )
    if len(json.dumps(blocks, ensure_ascii=False, separators=(",", ":"))) > MAX_BLOCKS_CHARACTERS:
        raise Refused("msg_blocks_too_long")


def _check_unique(names: list[Any], what: str) -> None:
    given = [name for name in names if name is not None]
    if len(given) != len(set(given)):
        raise Refused("invalid_blocks", f"{what} must be unique [json-pointer:/blocks]")


def _check_block(block: Any, where: str) -> None:
    if not isinstance(block, dict):
        raise Refused("invalid_blocks", f"must be an object [json-pointer:{where}]")
    check = _CHECKS.get(str(block.get("type")))
    if check is None:
        raise Refused("invalid_blocks", f"unsupported type: {block.get('type')} [json-pointer:{where}/type]")
    if len(str(block.get("block_id", ""))) > 255:
        raise Refused("invalid_blocks", f"block_id is longer than 255 [json-pointer:{where}/block_id]")
    check(block, where)


def _check_header(block: dict[str, Any], where: str) -> None:
    _check_text(block.get("text"), f"{where}/text", 150, kinds=("plain_text",))


def _check_section(block: dict[str, Any], where: str) -> None:
    text, fields = block.get("text"), block.get("fields")
    if text is None and fields is None:
        raise Refused("invalid_blocks", f"text or fields are needed [json-pointer:{where}]")
    if text is not None:
        _check_text(text, f"{where}/text", 3_000)
    if fields is not None:
        for place, field in enumerate(_list(fields, f"{where}/fields", 10)):
            _check_text(field, f"{where}/fields/{place}", 2_000)
    if block.get("accessory") is not None:
        _check_element(block["accessory"], f"{where}/accessory")


def _check_context(block: dict[str, Any], where: str) -> None:
    for place, element in enumerate(_list(block.get("elements"), f"{where}/elements", 10)):
        at = f"{where}/elements/{place}"
        if isinstance(element, dict) and element.get("type") == "image":
            _check_image(element, at)
        else:
            _check_text(element, at, 2_000)


def _check_actions(block: dict[str, Any], where: str) -> None:
    for place, element in enumerate(_list(block.get("elements"), f"{where}/elements", 25)):
        _check_element(element, f"{where}/elements/{place}")


def _check_element(element: Any, where: str) -> None:
    if isinstance(element, dict) and element.get("type") == "image":
        _check_image(element, where)
        return
    if not isinstance(element, dict) or element.get("type") not in _ELEMENT_TYPES:
        raise Refused("invalid_blocks", f"unsupported element [json-pointer:{where}/type]")
    _check_text(element.get("text"), f"{where}/text", 75, kinds=("plain_text",))
    if element.get("style") not in (None, "primary", "danger"):
        raise Refused("invalid_blocks", f"invalid style [json-pointer:{where}/style]")
    if len(str(element.get("action_id", ""))) > 255 or len(str(element.get("value", ""))) > 2_000:
        raise Refused("invalid_blocks", f"action_id or value is too long [json-pointer:{where}]")
    url = element.get("url")
    if url is not None and not (isinstance(url, str) and url.startswith(("http://", "https://")) and len(url) <= 3_000):
        raise Refused("invalid_blocks", f"invalid url [json-pointer:{where}/url]")


def _check_image(block: dict[str, Any], where: str) -> None:
    alt = block.get("alt_text")
    if not isinstance(alt, str) or not alt or len(alt) > 2_000:
        raise Refused("invalid_blocks", f"alt_text is needed, at most 2000 [json-pointer:{where}/alt_text]")
    sources = [block.get("image_url"), block.get("slack_file")]
    if sum(source is not None for source in sources) != 1:
        raise Refused("invalid_blocks", f"one of image_url and slack_file is needed [json-pointer:{where}]")
    if isinstance(sources[1], dict) and len([name for name in ("id", "url") if sources[1].get(name)]) != 1:
        raise Refused("invalid_blocks", f"one of id and url is needed [json-pointer:{where}/slack_file]")
    if sources[0] is not None and not (isinstance(sources[0], str) and 0 < len(sources[0]) <= 3_000):
        raise Refused("invalid_blocks", f"invalid image_url [json-pointer:{where}/image_url]")
    if block.get("title") is not None:
        _check_text(block["title"], f"{where}/title", 2_000, kinds=("plain_text",))


def _check_nothing(block: dict[str, Any], where: str) -> None:
    """A divider has nothing to check."""


def _check_text(text: Any, where: str, longest: int, kinds: tuple[str, ...] = ("plain_text", "mrkdwn")) -> None:
    if not isinstance(text, dict) or text.get("type") not in kinds:
        raise Refused("invalid_blocks", f"must be a {' or '.join(kinds)} object [json-pointer:{where}]")
    if not isinstance(text.get("verbatim", False), bool) or not isinstance(text.get("emoji", False), bool):
        raise Refused("invalid_blocks", f"must be true or false [json-pointer:{where}]")
    if ("verbatim" in text and text["type"] != "mrkdwn") or ("emoji" in text and text["type"] != "plain_text"):
        raise Refused("invalid_blocks", f"verbatim is of mrkdwn, emoji of plain_text [json-pointer:{where}]")
    content = text.get("text")
    if not isinstance(content, str) or not content:
        raise Refused("invalid_blocks", f"must be more than 0 characters [json-pointer:{where}/text]")
    if len(content) > longest:
        raise Refused("invalid_blocks", f"must be less than {longest + 1} characters [json-pointer:{where}/text]")


def _list(items: Any, where: str, longest: int) -> list[Any]:
    if not isinstance(items, list) or not items or len(items) > longest:
        raise Refused("invalid_blocks", f"must hold 1 to {longest} items [json-pointer:{where}]")
    return items


_CHECKS: dict[str, Callable[[dict[str, Any], str], None]] = {
    "header": _check_header,
    "section": _check_section,
    "context": _check_context,
    "actions": _check_actions,
    "image": _check_image,
    "divider": _check_nothing,
}
