from services.producer.exchange_clock import ExchangeClock
from shared.events import Trade

SECOND, HOUR, YEAR = 1_000_000, 3_600_000_000, 31_536_000_000_000
CONFIRMED_US = 50 * YEAR


def trade(symbol: str, traded_at_us: int, received_at_us: int) -> Trade:
    return Trade(
        exchange="upbit", symbol=symbol, base="XYZ", quote="KRW", trade_id="7", price="1", quantity="1", side="buy",
        traded_at_us=traded_at_us, received_at_us=received_at_us,
    )  # fmt: skip


def offset_after(*trades: Trade, known_us: int | None = None, confirmed_at_us: int | None = CONFIRMED_US) -> int | None:
    clock = ExchangeClock()
    for one in trades:
        known_us = clock.offset_us(one, confirmed_at_us, known_us)
    return known_us


ANSWER = trade("KRW-XYZ", CONFIRMED_US - 3 * HOUR, CONFIRMED_US)
FRESH = trade("KRW-BTC", CONFIRMED_US + SECOND, CONFIRMED_US + SECOND + 80_000)


def test_the_age_of_an_old_trade_that_answers_a_subscription_is_nobodys_clock():
    assert offset_after(ANSWER) is None
    assert offset_after(ANSWER, ANSWER) is None, "it is looked at each second until another one comes"
    other = trade("KRW-ABC", CONFIRMED_US - 1 * HOUR, CONFIRMED_US)
    assert offset_after(ANSWER, other) is None, "each symbol has an answer of its own"
    assert offset_after(ANSWER, confirmed_at_us=None) is None


def test_a_trade_after_the_subscription_tells_and_the_smallest_difference_counts():
    assert offset_after(ANSWER, FRESH) == 80_000
    assert offset_after(FRESH, ANSWER) == 80_000
    lagging = trade("KRW-BTC", CONFIRMED_US + 2 * SECOND, CONFIRMED_US + 9 * SECOND)
    assert offset_after(lagging, FRESH, lagging) == 80_000
    ahead = trade("KRW-BTC", CONFIRMED_US + 2 * SECOND, CONFIRMED_US + SECOND)
    assert offset_after(ahead) == 0


def test_what_a_replaced_connection_knew_is_never_raised():
    assert offset_after(ANSWER, known_us=90_000) == 90_000
    assert offset_after(ANSWER, FRESH, known_us=90_000) == 80_000


def test_the_second_trade_of_a_symbol_tells_of_a_recording_of_another_year():
    first, second = (trade("KRW-BTC", CONFIRMED_US - YEAR + s * SECOND, CONFIRMED_US + s * SECOND) for s in (1, 2))
    assert offset_after(first) is None
    assert offset_after(first, second) == YEAR
