"""A mute names a market that there is, or says what was probably meant."""

import pytest

from services.alert_worker.records import Market
from services.cli.mute_targets import holding, markets_of, unknown
from shared.events import Control

BITCOIN, TETHER = Market("upbit", "KRW-BTC", "BTC", "KRW"), Market("binance", "BTCUSDT", "BTC", "USDT")
ETHER = Market("upbit", "KRW-ETH", "ETH", "KRW")
KNOWN = {BITCOIN, TETHER, ETHER, Market("binance", "ETHBTC", "ETH", "BTC")}


@pytest.mark.parametrize(
    ("target", "markets"),
    [
        ("KRW-BTC", {BITCOIN}), ("upbit:KRW-BTC", {BITCOIN}), ("coin:BTC", {BITCOIN, TETHER}),
        ("binance:BTCUSDT", {TETHER}), ("binance_agg:BTCUSDT", {TETHER}), ("binance:KRW-BTC", set()), ("BTC", set()),
    ],
)  # fmt: skip
def test_a_target_names_markets(target, markets) -> None:
    assert markets_of(target, KNOWN) == markets


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("BTC", "there is no market BTC: did you mean coin:BTC, KRW-BTC or BTCUSDT?"),
        ("coin:KRW-BTC", "there is no market coin:KRW-BTC: did you mean KRW-BTC?"),
        ("binance:KRW-BTC", "there is no market binance:KRW-BTC: did you mean KRW-BTC?"),
        ("KRWBTC", "there is no market KRWBTC: did you mean KRW-BTC"),
        ("QQQ", "there is no market QQQ: no exchange lists it"),
    ],
)
def test_what_is_no_market_says_what_was_probably_meant(target, said) -> None:
    assert str(unknown(target, KNOWN)).startswith(said)


@pytest.mark.parametrize("target", ["KRW-BTC", "coin:ETH", "rule:move"])
def test_what_there_is_is_known(target) -> None:
    assert unknown(target, KNOWN) is None


def test_before_any_market_is_known_nothing_is_refused() -> None:
    assert unknown("KRW-BTC", set()) is None


def test_every_mute_of_the_same_holds_on() -> None:
    wishes = [Control(action="mute", target=name, at_us=0) for name in ("coin:BTC", "BTCUSDT", "KRW-ETH", "rule:move")]
    held = {
        target: [one.target for one in holding(target, wishes, KNOWN)]
        for target in ("KRW-BTC", "coin:BTC", "upbit:KRW-ETH", "rule:move", "rule:jump")
    }
    assert held == {
        "KRW-BTC": ["coin:BTC", "rule:move"],
        "coin:BTC": ["coin:BTC", "BTCUSDT", "rule:move"],
        "upbit:KRW-ETH": ["KRW-ETH", "rule:move"],
        "rule:move": ["rule:move"],
        "rule:jump": [],
    }
