"""A storm is told of those who would be heard alone: mutes and the state of feeds hold for it as for its members."""

import pytest
from msgspec.structs import replace

from services.alert_worker.feeds import Feeds
from services.alert_worker.hearing import heard
from services.alert_worker.joining import Joining
from services.alert_worker.mutes import Mutes, check_target
from services.alert_worker.partition import Decided
from services.alert_worker.rules.ruleset import DEFAULTS
from services.alert_worker.storms import Member, Storm
from shared.events import Control, FeedEvent

NOW = 1_700_000_007_000_000
TICK = NOW // 100_000
COINS = ("AAA", "BBB", "CCC", "DDD", "EEE")


@pytest.fixture
def storm() -> Storm:
    """Five coins fall; EEE is dangerous and by another rule."""
    one = Storm("down")
    for place, coin in enumerate(COINS):
        is_last = coin == "EEE"
        one.join(
            Member(TICK, f"upbit:KRW-{coin}", coin, -2.0 - place, "danger" if is_last else "warning", NOW,
                   ("jump",) if is_last else ("move", "volume"))
        )  # fmt: skip
    return one


@pytest.fixture
def told(storm):
    """The storm's alert as it is recorded, with these mutes and feeds."""

    def make(*targets: str, feeds: Feeds | None = None, state: str = "open"):
        mutes = Mutes()
        for target in targets:
            mutes.hear(Control(action="mute", target=target, at_us=NOW))
        alert = opened if (opened := storm.decide(TICK, DEFAULTS)) is not None else storm._record("escalate", TICK)
        if state == "resolve":
            alert = storm.expire(TICK + 10_000)
        return heard(Decided(alert, 0, storm.shown), feeds or Feeds(), mutes, NOW, DEFAULTS.storms.least_coins)

    return make


def down(kind: str, symbols: list[str] | None = None) -> Feeds:
    feeds = Feeds()
    feeds.hear(FeedEvent(kind=kind, exchange="upbit", channel="trade", reason="x", at_us=NOW, symbols=symbols,
                         connection="c", from_us=NOW - 1_000_000, to_us=NOW + 2_000_000))  # fmt: skip
    return feeds


def test_that_its_connection_stands_ends_no_stall(make_alert) -> None:
    feeds, fallen = down("stalled", ["KRW-EEE"]), make_alert("open", exchange="upbit", symbol="KRW-EEE")
    fields = {"kind": "connected", "exchange": "upbit", "channel": "trade", "at_us": NOW + 1, "connection": "c"}
    feeds.hear(FeedEvent(**fields, reason="it stands", symbols=["KRW-AAA"], to_us=NOW))
    assert feeds.is_down(fallen, stalled_only=True)
    feeds.hear(FeedEvent(**fields, reason="confirmed"))
    assert not feeds.is_down(fallen, stalled_only=True)


def test_without_mutes_all_are_named(told) -> None:
    alert = told()
    assert (alert.suppressed_by, alert.severity, alert.change_pct) == (None, "danger", "-4.00")
    assert alert.members == [f"upbit:KRW-{coin}" for coin in reversed(COINS)]


@pytest.mark.parametrize("target", ["KRW-EEE", "upbit:KRW-EEE", "coin:EEE", "rule:jump"])
def test_who_is_muted_is_not_named_and_does_not_count(told, target) -> None:
    alert = told(target)
    assert (alert.suppressed_by, alert.severity, alert.change_pct) == (None, "warning", "-3.50")
    assert alert.members == [f"upbit:KRW-{coin}" for coin in reversed(COINS[:4])]


@pytest.mark.parametrize(
    "targets", [("rule:move",), ("coin:AAA", "coin:BBB"), tuple(f"KRW-{c}" for c in COINS), ("rule:storm",)]
)
def test_with_fewer_than_a_storm_left_nobody_is_told_of_one(told, targets) -> None:
    assert told(*targets).suppressed_by == "mute"


def test_the_fall_of_an_exchange_whose_feed_stalled_is_not_told(told) -> None:
    assert told(feeds=down("stalled")).suppressed_by == "feed"
    alert = told(feeds=down("stalled", ["KRW-AAA"]))
    assert (alert.suppressed_by, len(alert.members)) == (None, 4)


def test_a_fall_over_a_gap_is_marked(told) -> None:
    assert told(feeds=down("gap")).data_quality == "gapped"
    assert told(feeds=down("gap", ["KRW-AAA"])).data_quality == "ok"


def test_the_end_of_what_was_told_is_not_held_back(told) -> None:
    ended = told("coin:AAA", "coin:BBB", state="resolve")
    assert (ended.state, ended.suppressed_by, len(ended.members)) == ("resolve", None, 3)


def test_storms_can_be_muted_by_name() -> None:
    assert check_target("rule:storm") == "rule:storm"


@pytest.fixture
def bitcoin(make_alert):
    """Upbit leads, Binance joins and becomes dangerous: what is recorded with these mutes and feeds."""

    def make(*targets: str, feeds: Feeds | None = None):
        joining, mutes = Joining(), Mutes()
        for target in targets:
            mutes.hear(Control(action="mute", target=target, at_us=NOW))
        upbit = make_alert("open", severity="warning", started_at_us=NOW, received_at_us=NOW)
        binance = replace(upbit, exchange="binance", symbol="BTCUSDT", episode_id="e2", alert_id="e2-open")
        worse = replace(binance, alert_id="e2-2-escalate", state="escalate", severity="danger")
        words = [joining.take(one, begins=one.state == "open") for one in (upbit, binance, worse)]
        return [
            heard(Decided(word.alert, 0, beside=word.beside), feeds or Feeds(), mutes, NOW, DEFAULTS.storms.least_coins)
            for word in (word for of_one in words for word in of_one)
        ]

    return make


def outcomes(alerts):
    return [(alert.symbol, alert.severity, alert.suppressed_by) for alert in alerts]


def test_whoever_joined_is_told_by_the_one_that_leads(bitcoin) -> None:
    assert outcomes(bitcoin()) == [
        ("KRW-BTC", "warning", None),
        ("BTCUSDT", "warning", "joined"),
        ("KRW-BTC", "warning", None),
        ("BTCUSDT", "danger", "joined"),
        ("KRW-BTC", "danger", None),
    ]


@pytest.mark.parametrize(("targets", "reason"), [(("upbit:KRW-BTC",), "mute"), ((), "feed")])
def test_where_the_leading_one_is_not_heard_the_other_speaks_for_itself(bitcoin, targets, reason) -> None:
    assert outcomes(bitcoin(*targets, feeds=None if targets else down("stalled"))) == [
        ("KRW-BTC", "warning", reason),
        ("BTCUSDT", "warning", None),
        ("KRW-BTC", "warning", reason),
        ("BTCUSDT", "danger", None),
        ("KRW-BTC", "danger", reason),
    ]


def test_what_is_muted_makes_nothing_of_the_leading_one(bitcoin) -> None:
    assert [one for one in outcomes(bitcoin("BTCUSDT")) if one[2] is None] == [("KRW-BTC", "warning", None)]


def test_a_muted_coin_is_muted_on_both(bitcoin) -> None:
    assert None not in {reason for _, _, reason in outcomes(bitcoin("coin:BTC"))}
