"""The greeting and the daily digest, in every language, within Slack's limits."""

from dataclasses import replace

import msgspec
import pytest

from services.alert_worker.messages.bulletins import Digest, Mover, daily, greeting, rules_refused
from services.alert_worker.messages.wording import ENGLISH, KOREAN, WORDINGS
from services.alert_worker.quiet_hours import QuietHours, read_hours
from services.simulator.slack.validate import check_message

MINUS = "−"
MOVER = Mover("upbit", "KRW-XRP", "3123.5", "-12.31", 1_700_000_040_000_000, "-3.20", "99.93", 1_440)
DIGEST = Digest(
    day="2026-11-23", movers=[MOVER, Mover("binance", "BTCUSDT", "65000.12", "1.50")], unusual=[MOVER], fired=3,
    muted=2, muted_symbols=["KRW-DOGE ×2"], gaps=4, open_gaps=1, ages_s={"upbit": 1, "binance": 400},
)  # fmt: skip


def test_the_greeting_says_what_is_watched() -> None:
    quiet = QuietHours({"notice": read_hours("22:00-08:00")})
    message = greeting({"upbit": 241, "binance": 1_203}, ["move", "jump"], "moves/1", quiet, ENGLISH)
    assert message.text == "tapewatch is watching Binance 1,203, Upbit 241"
    assert "Rules: move, jump (moves/1)" in str(message.blocks)
    assert "Quiet hours: NOTICE 22:00-08:00 KST" in str(message.blocks)


@pytest.mark.parametrize("wording", WORDINGS.values())
def test_slack_takes_the_greeting(wording) -> None:
    for markets in ({}, {"upbit": 1}):
        message = greeting(markets, ["move"], "moves/1", QuietHours(), wording)
        check_message(message.text, message.blocks, [])


@pytest.mark.parametrize("wording", WORDINGS.values())
def test_a_broken_rules_file_is_told_with_its_fault(wording) -> None:
    message = rules_refused("/etc/r.toml: rules.<!here>: there is no such rule", "moves/1", wording, "rules-1")
    check_message(message.text, message.blocks, [])
    assert wording.rules_refused in message.text
    assert "<" not in message.text + str(message.blocks)
    for fact in ("/etc/r.toml", "moves/1", "rules-1", "tapewatch alerts rules"):
        assert fact in str(message.blocks)
    endless = rules_refused("x" * 9_000, "moves/1", wording, "rules-1")
    check_message(endless.text, endless.blocks, [])


def test_the_digest_tells_the_day() -> None:
    message = daily(DIGEST, ENGLISH, "digest-2026-11-24")
    assert message.text == (f"Daily digest 2026-11-23: 3 told, 2 muted; KRW-XRP {MINUS}12.3 %, BTCUSDT +1.5 %")
    said = str(message.blocks)
    for fact in (
        f"Upbit KRW-XRP *{MINUS}12.3 %* · 3,123.5 · {MINUS}3.2 % at 22:14 UTC",
        f"Upbit KRW-XRP {MINUS}3.2 % at 22:14 UTC: larger than 99.93 % of its 1,440 minutes with trades",
        "Binance BTCUSDT *+1.5 %* · 65,000.12'",
        "muted: KRW-DOGE ×2", "*Gaps the feeds told*\\n4, 1 of them still open",
        "Binance 7 min ago, Upbit 1 s ago", "digest-2026-11-24",
    ):  # fmt: skip
        assert fact in said


def test_coins_are_called_as_in_korea_in_every_language() -> None:
    ripple = replace(MOVER, base="XRP")
    digest = msgspec.structs.replace(DIGEST, movers=[ripple], unusual=[ripple])
    said = str(daily(digest, ENGLISH, "digest-2026-11-24", {"XRP": "엑스알피"}).blocks)
    assert f"Upbit KRW-XRP 엑스알피 *{MINUS}12.3 %*" in said
    assert f"Upbit KRW-XRP 엑스알피 {MINUS}3.2 % at" in said


def test_an_older_day_says_so() -> None:
    message = daily(msgspec.structs.replace(DIGEST, missing="2026-11-24"), ENGLISH, "digest-2026-11-25")
    assert "There is nothing of 2026-11-24 yet" in message.text
    assert "There is nothing of 2026-11-24 yet" in str(message.blocks)


def test_a_day_without_gaps_says_so_in_korean() -> None:
    message = daily(msgspec.structs.replace(DIGEST, gaps=0), KOREAN, "digest-2026-11-24")
    assert "*피드가 알린 누락 구간*\\n없음" in str(message.blocks)
    assert "완전" not in str(message.blocks)


@pytest.mark.parametrize("wording", WORDINGS.values())
def test_slack_takes_any_digest(wording) -> None:
    evil = Mover("<!here>" * 9, "*x* <@U1>" * 7, "9" * 38, "-99.99", 0, "1", "99.93", 1_440)
    full = Digest(day="2026-11-23", missing="2026-11-24", movers=[evil] * 10, unusual=[evil] * 10,
                  muted_symbols=["<!channel>" * 6] * 300, ages_s={"<b>": 10**9})  # fmt: skip
    for digest in (full, Digest(day="2026-11-23")):
        message = daily(digest, wording, "digest-x")
        check_message(message.text, message.blocks, [])
        assert len(message.text) <= 4_000
        assert "<" not in message.text + str(message.blocks)
