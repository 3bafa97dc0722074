from itertools import pairwise

from services.simulator.market.instruments import listing
from services.simulator.market.minutes import MINUTE_MS, PAST_MINUTES, Minutes
from services.simulator.market.records import Trade

EPOCH_MS = 1_700_000_000_000 // MINUTE_MS * MINUTE_MS + 30_000
UPBIT, BINANCE = listing(1)


def trade(number: int, price: int, quantity: int, traded_ms: int, *, is_buy: bool = True) -> Trade:
    return Trade(BINANCE, number, price, quantity, is_buy, traded_ms, traded_ms, price, price, 1, price + 1, 1)


def test_a_candle_is_the_exact_sum_of_its_trades_in_whatever_order_they_come() -> None:
    minutes = Minutes(BINANCE, 1, EPOCH_MS)
    minutes.add(trade(2, 105, 20, EPOCH_MS + 2_000))
    minutes.add(trade(1, 110, 10, EPOCH_MS + 1_000, is_buy=False))
    newest = minutes.newest()
    assert newest is not None
    assert (newest.high, newest.low, newest.close) == (110, 105, 105)
    assert (newest.volume, newest.turnover, newest.buy_volume) == (30, 105 * 20 + 110 * 10, 20)
    assert (newest.trades, newest.first_id, newest.last_id) == (2, 1, 2)


def test_the_past_is_quiet_whole_and_joins_the_opening_price() -> None:
    past = Minutes(UPBIT, 1, EPOCH_MS).before()
    assert len(past) == PAST_MINUTES
    assert all(after.opened_ms - before.opened_ms == MINUTE_MS for before, after in pairwise(past))
    assert past[-1].close == UPBIT.anchor
    assert past[-1].opened_ms == EPOCH_MS - 30_000
    for minute in past:
        assert minute.low <= min(minute.open, minute.close) <= max(minute.open, minute.close) <= minute.high
        assert minute.high / minute.low < 1.005


def test_whoever_asks_page_by_page_gets_the_same() -> None:
    minutes = Minutes(UPBIT, 1, EPOCH_MS)
    for number in range(3):
        minutes.add(trade(number, 9, 1, EPOCH_MS + number * MINUTE_MS))
    whole, pages, before_ms = minutes.before(), [], 1 << 62
    while page := minutes.before(before_ms, 200):
        pages, before_ms = page + pages, page[0].opened_ms
    assert pages == whole
    assert len(whole) == PAST_MINUTES - 1 + 3


def test_traded_minutes_take_the_place_of_the_invented_ones() -> None:
    minutes = Minutes(UPBIT, 1, EPOCH_MS)
    minutes.add(trade(1, 7, 1, EPOCH_MS + 1))
    assert [minute.close for minute in minutes.before()[-2:]][1] == 7
    assert len({minute.opened_ms for minute in minutes.before()}) == len(minutes.before())
