from typing import Any

import pytest

from services.simulator.slack.validate import Refused, check_message

TEXT = {"type": "plain_text", "text": "x"}
MARKED = {"type": "mrkdwn", "text": "x"}


def section(**parts: Any) -> dict[str, Any]:
    return {"type": "section", **parts}


GOOD = [
    {"type": "header", "text": {"type": "plain_text", "text": "x" * 150}},
    section(text={"type": "mrkdwn", "text": "x" * 3_000}),
    section(fields=[MARKED] * 10),
    {"type": "context", "elements": [MARKED] * 10},
    {"type": "divider"},
    {"type": "actions", "elements": [{"type": "button", "text": TEXT, "url": "https://example.org"}]},
    {"type": "image", "image_url": "https://example.org/a.png", "alt_text": "a"},
    {"type": "image", "slack_file": {"id": "F1"}, "alt_text": "a"},
    section(text=MARKED | {"verbatim": True}),
]
BAD = [
    {"type": "header", "text": {"type": "plain_text", "text": "x" * 151}},
    {"type": "header", "text": MARKED},
    section(),
    section(text={"type": "mrkdwn", "text": ""}),
    section(text={"type": "mrkdwn", "text": "x" * 3_001}),
    section(fields=[MARKED] * 11),
    section(fields=[{"type": "mrkdwn", "text": "x" * 2_001}]),
    {"type": "context", "elements": [MARKED] * 11},
    {"type": "actions", "elements": [{"type": "button", "text": TEXT, "url": "javascript:alert(1)"}]},
    {"type": "image", "image_url": "https://example.org/a.png"},
    {"type": "image", "slack_file": {"id": "F1"}, "image_url": "https://example.org/a.png", "alt_text": "a"},
    {"type": "image", "slack_file": {"id": "F1", "url": "https://example.org/a.png"}, "alt_text": "a"},
    {"type": "image", "slack_file": {"id": "F1"}, "alt_text": ""},
    {"type": "actions", "elements": [{"type": "button", "text": TEXT, "style": "loud"}]},
    {"type": "actions", "elements": [{"type": "button", "text": TEXT, "action_id": "x" * 256}]},
    section(text=TEXT | {"verbatim": True}),
    section(text=MARKED | {"emoji": True}),
    {"type": "nope"},
    "text",
]


@pytest.mark.parametrize("block", GOOD)
def test_good_blocks(block: Any) -> None:
    check_message("", [block], [])


@pytest.mark.parametrize("block", BAD)
def test_bad_blocks(block: Any) -> None:
    with pytest.raises(Refused) as refused:
        check_message("text", [block], [])
    assert refused.value.error == "invalid_blocks"
    assert "/blocks/0" in refused.value.details[0]


@pytest.mark.parametrize(
    ("text", "blocks", "error"),
    [
        ("x", [section(text={"type": "mrkdwn", "text": "x" * 2_900})] * 5, "msg_blocks_too_long"),
        ("x", [{"type": "divider", "block_id": "a"}] * 2, "invalid_blocks"),
        ("", [], "no_text"),
        ("x" * 40_001, [], "msg_too_long"),
        ("x", [{"type": "divider"}] * 51, "invalid_blocks"),
    ],
)
def test_bad_messages(text: str, blocks: list[Any], error: str) -> None:
    with pytest.raises(Refused) as refused:
        check_message(text, blocks, [])
    assert refused.value.error == error
