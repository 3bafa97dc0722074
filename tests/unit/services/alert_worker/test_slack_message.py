"""What Slack is given: readable, within its documented limits, and harmless whatever a symbol is called."""

import pytest

from services.alert_worker.notifiers.slack_message import escape, one_line, render
from services.alert_worker.notifiers.wording import ENGLISH, WORDINGS

MINUS = "−"


def texts(message) -> list[dict[str, str]]:
    found = []
    for block in message.blocks:
        found += [block["text"]] if "text" in block else []
        found += block.get("fields", []) + block.get("elements", [])
    return found


def check_limits(message) -> None:
    """Slack's limits: 50 blocks; header 150 characters of plain text; 10 fields of 2,000; 10 context elements."""
    assert 0 < len(message.text) < 4_000
    assert len(message.blocks) <= 50
    for block in message.blocks:
        assert block["type"] in ("header", "section", "context")
        assert len(block.get("fields", [])) <= 10
        assert len(block.get("elements", [])) <= 10
        if block["type"] == "header":
            assert block["text"]["type"] == "plain_text"
            assert len(block["text"]["text"]) <= 150
    assert all(0 < len(text["text"]) <= 2_000 for text in texts(message))


def test_one_line_says_it_all(make_alert) -> None:
    assert one_line(make_alert("open"), ENGLISH) == (
        f"DANGER · KRW-BTC {MINUS}5.0 % in 6 s on Upbit, now 129,997,000 KRW"
    )


def test_the_end_says_how_it_went(make_alert) -> None:
    alert = make_alert("resolve", change_pct="-0.20", price_now="136560000", event_at_us=1_700_000_009_000_000)
    assert one_line(alert, ENGLISH) == (
        f"RESOLVED · KRW-BTC on Upbit after 9 s: moved {MINUS}5.5 %, now {MINUS}0.2 % from before, 136,560,000 KRW"
    )


def test_the_headline_names_the_exchange_and_how_far_it_went(make_alert) -> None:
    headline = [
        render(make_alert(state, **more), ENGLISH, now_us=0).blocks[0]["text"]["text"]
        for state, more in (("open", {}), ("resolve", {"change_pct": "-0.20"}))
    ]
    assert headline == [f"🔴 DANGER · Upbit KRW-BTC {MINUS}5.0 %", f"✅ RESOLVED · Upbit KRW-BTC {MINUS}5.5 %"]


def test_the_facts_are_there(make_alert) -> None:
    message = render(make_alert("open"), ENGLISH, now_us=1_700_000_006_512_000)
    shown = "\n".join(text["text"] for text in texts(message))
    for fact in (
        "136,839,000 KRW", "129,997,000 KRW", "9.3 × the usual swing", "DANGER", "6 s", "move+move_abs (moves/1)",
        "0.5 s from trade to message", "2023-11-15 07:13:26 KST", "22:13:26 UTC", "observation, not advice",
    ):  # fmt: skip
        assert fact in shown


@pytest.mark.parametrize("language", sorted(WORDINGS))
@pytest.mark.parametrize("state", ["open", "escalate", "resolve"])
@pytest.mark.parametrize("severity", ["notice", "warning", "danger"])
def test_every_message_keeps_the_limits(make_alert, language, state, severity) -> None:
    huge = "9" * 38
    alert = make_alert(
        state, severity=severity, symbol="<!channel>" * 6, exchange="&" * 64, quote="<" * 64, price_before=huge,
        price_now=huge, price_extreme=huge, rule_version="<" * 64, detectors=["&" * 64] * 20,
    )  # fmt: skip
    message = render(alert, WORDINGS[language], 1_700_000_100_000_000, may_repeat=True)
    check_limits(message)
    for text in [{"type": "mrkdwn", "text": message.text}, *texts(message)]:
        assert text["type"] == "plain_text" or not {"<", ">"} & set(text["text"])


def test_a_message_without_figures_is_still_one(make_alert) -> None:
    alert = make_alert("open", change_pct=None, price_before=None, price_now=None, price_extreme=None, sigma=None)
    message = render(alert, ENGLISH, 1)
    check_limits(message)
    assert "not known yet" in "".join(text["text"] for text in texts(message))


def test_what_may_repeat_says_so(make_alert) -> None:
    assert "(may repeat)" in render(make_alert("open"), ENGLISH, 1, may_repeat=True).text
    assert "(may repeat)" not in render(make_alert("open"), ENGLISH, 1).text


def test_markup_is_escaped() -> None:
    assert escape("<!channel> & <@U1>") == "&lt;!channel&gt; &amp; &lt;@U1&gt;"


def test_every_language_fills_the_same_blanks() -> None:
    import string

    def blanks(wording) -> dict[str, set[str]]:
        return {
            name: {field for _, field, _, _ in string.Formatter().parse(value) if field is not None}
            for name, value in vars(wording).items()
            if isinstance(value, str)
        }

    for wording in WORDINGS.values():
        assert blanks(wording) == blanks(ENGLISH)
        assert set(wording.severities) == set(ENGLISH.severities)
