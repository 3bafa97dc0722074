"""The canary's own watch: every round fires once, whatever was before it."""

import pytest

from services.alert_worker.canary import CanaryWatch, trades
from shared import canary
from shared.events import Trade
from shared.wire import decode, encode

NOON_US = 1_700_000_000_000_000
ROUND_US = 600_000_000


@pytest.mark.parametrize("round_us", [ROUND_US, 1_000_000])
def test_every_round_fires_one_alert_of_its_own(round_us: int) -> None:
    watch = CanaryWatch()
    rounds = [[one for trade in trades(NOON_US + n * round_us) for one in watch.observe(trade)] for n in range(3)]
    assert [[alert.exchange for alert in found] for found in rounds] == [["canary"]] * 3
    assert len({found[0].alert_id for found in rounds}) == 3


def test_a_round_that_was_cut_off_does_not_keep_the_next_one_from_firing() -> None:
    watch = CanaryWatch()
    for trade in list(trades(NOON_US))[:13]:
        watch.observe(trade)
    assert [one for trade in trades(NOON_US + ROUND_US) for one in watch.observe(trade)]


def test_the_same_round_read_again_gives_the_same_alert() -> None:
    first, again = (
        [one for trade in trades(NOON_US) for one in watch.observe(trade)] for watch in (CanaryWatch(), CanaryWatch())
    )
    assert first == again


def test_its_trades_are_valid_and_in_order() -> None:
    found = [decode(Trade, encode(trade)) for trade in trades(NOON_US)]
    assert [int(trade.trade_id) for trade in found] == sorted({int(trade.trade_id) for trade in found})
    assert all(trade.traded_at_us < NOON_US for trade in found)


def test_what_a_worker_says_is_read_by_the_watchdog() -> None:
    for sign in (canary.Sign(NOON_US), canary.Sign(NOON_US + ROUND_US, NOON_US)):
        assert canary.read(f"watching: no trades come, {sign}") == sign
    assert canary.read("watching") is None
    assert canary.due_us(NOON_US, 600) > NOON_US + 2 * ROUND_US
