"""Trades to bars: minutes for an hour, ten seconds where there is less."""

import random

from services.alert_worker.charts.bars import HOUR_US, MINUTE_US, SHORT_US, Bars, span
from shared.events import Candle, Trade

START_US = 1_700_000_040_000_000
END_US = START_US + HOUR_US


def trade(at_us: int, price: int, quantity: str = "2") -> Trade:
    return Trade(
        exchange="upbit", symbol="KRW-BTC", base="BTC", quote="KRW", trade_id="1", price=str(price), quantity=quantity,
        side="buy", traded_at_us=at_us, received_at_us=at_us,
    )  # fmt: skip


def candle(at_us: int) -> Candle:
    return Candle(
        exchange="upbit", symbol="KRW-BTC", base="BTC", quote="KRW", opened_at_us=at_us, open="1", high="4", low="1",
        close="3", volume="7", turnover="9", received_at_us=at_us,
    )  # fmt: skip


def test_an_hour_is_minutes() -> None:
    bars, rng = Bars(START_US, END_US), random.Random(1)
    prices = [(START_US + n * 5_000_000, rng.randrange(100, 200)) for n in range(720)]
    for at_us, price in prices:
        bars.add(trade(at_us, price))
    drawn, bar_s = bars.drawn()
    assert (len(drawn), bar_s) == (60, 60)
    for minute, bar in enumerate(drawn):
        own = [price for at_us, price in prices if at_us // MINUTE_US == START_US // MINUTE_US + minute]
        assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (own[0], max(own), min(own), own[-1], 24)


def test_little_is_shown_in_bars_of_ten_seconds() -> None:
    bars = Bars(START_US, END_US)
    for n in range(40):
        bars.add(trade(END_US - 20_000_000 + n * 500_000, 100 + n))
    drawn, bar_s = bars.drawn()
    assert (len(drawn), bar_s) == (2, 10)
    assert span(drawn, END_US, bar_s) == END_US - 30 * SHORT_US


def test_what_is_outside_the_hour_is_left_out() -> None:
    bars = Bars(START_US, END_US)
    for at_us in (START_US - 1, END_US):
        bars.add(trade(at_us, 1))
        bars.add_minute(candle(at_us))
    assert bars.drawn() == ([], 10)


def test_the_exchange_s_minutes_stand_where_there_are_no_trades() -> None:
    bars = Bars(START_US, END_US)
    for minute in range(30):
        bars.add_minute(candle(START_US + minute * MINUTE_US))
    bars.add(trade(START_US + 29 * MINUTE_US, 50))
    bars.add(trade(START_US + 40 * MINUTE_US, 60))
    drawn, bar_s = bars.drawn()
    assert bar_s == 60
    assert [bar.close for bar in drawn] == [3] * 29 + [50, 60]
    assert bars.first_us == START_US
