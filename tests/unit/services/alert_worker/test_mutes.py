"""What nobody wants to hear of, until when."""

import pytest

from services.alert_worker.mutes import MOST_TARGETS, Mutes, check_target
from shared.events import Control

NOW = 1_700_000_007_000_000
HOUR = 3_600_000_000


def wish(target: str, action: str = "mute", until_us: int | None = NOW + HOUR) -> Control:
    return Control(action=action, target=target, at_us=NOW, until_us=until_us)


@pytest.mark.parametrize("target", ["KRW-BTC", "upbit:KRW-BTC", "coin:BTC"])
def test_a_market_is_muted_until_its_time(make_alert, target) -> None:
    mutes = Mutes()
    mutes.hear(wish(target))
    alert = make_alert("open")
    assert mutes.holds(alert, NOW)
    assert not mutes.holds(alert, NOW + HOUR)
    mutes.hear(wish(target, "unmute"))
    assert not mutes.holds(alert, NOW)


def test_an_exchange_is_muted_under_whatever_name_its_trades_travel(make_alert) -> None:
    alert = make_alert("open", exchange="binance_agg", symbol="BTCUSDT")
    for target, is_held in (("binance:BTCUSDT", True), ("binance_agg:BTCUSDT", True), ("upbit:BTCUSDT", False)):
        mutes = Mutes()
        mutes.hear(wish(target))
        assert mutes.holds(alert, NOW) == is_held


@pytest.mark.parametrize(
    ("typed", "target"),
    [
        ("krw-btc", "KRW-BTC"), ("Upbit:krw-btc", "upbit:KRW-BTC"), ("COIN:btc", "coin:BTC"),
        ("Rule:Move", "rule:move"), ("BTCUSDT", "BTCUSDT"),
    ],
)  # fmt: skip
def test_a_target_is_what_alerts_are_called_however_it_is_typed(typed, target) -> None:
    assert check_target(typed) == target


@pytest.mark.parametrize("target", ["KRW-ETH", "binance:KRW-BTC", "coin:ETH", "rule:move", "BTC"])
def test_others_are_not(make_alert, target) -> None:
    mutes = Mutes()
    mutes.hear(wish(target))
    assert not mutes.holds(make_alert("open"), NOW)  # of the rules move and move_abs


def test_an_alert_is_muted_when_all_of_its_rules_are(make_alert) -> None:
    mutes = Mutes()
    mutes.hear(wish("rule:move", until_us=None))
    mutes.hear(wish("rule:move_abs"))
    assert mutes.holds(make_alert("open"), NOW)
    assert not mutes.holds(make_alert("open", detectors=["jump"]), NOW)
    assert [one.target for one in mutes.in_force(NOW)] == ["rule:move_abs", "rule:move"]


def test_the_rules_file_and_the_command_line_hold_beside_each_other(make_alert) -> None:
    mutes = Mutes()
    mutes.stand([wish("coin:BTC"), wish("coin:BTC", until_us=NOW + 2 * HOUR), wish("rule:move")])
    mutes.hear(wish("coin:BTC", "unmute"))
    assert mutes.holds(make_alert("open"), NOW + HOUR)
    assert not mutes.holds(make_alert("open"), NOW + 2 * HOUR)
    mutes.hear(wish("rule:move_abs"))
    mutes.stand([wish("rule:move")])
    assert mutes.holds(make_alert("open"), NOW)
    assert [one.target for one in mutes.in_force(NOW)] == ["rule:move_abs", "rule:move"]
    mutes.stand([])
    assert not mutes.holds(make_alert("open"), NOW)


def test_it_is_bounded() -> None:
    mutes = Mutes()
    for number in range(MOST_TARGETS + 5):
        mutes.hear(wish(f"C{number}"))
    assert len(mutes.in_force(NOW)) == MOST_TARGETS
