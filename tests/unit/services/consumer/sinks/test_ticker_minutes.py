"""Which minutes are over, and which tickers came late; the rows themselves are checked on PostgreSQL."""

from services.consumer.batch import Slice
from services.consumer.sinks.ticker_minutes import MOST_MINUTES, Span, TickerMinutes
from shared.events import Ticker
from shared.partitioning import partition_of, symbol_key
from shared.topics import TICKERS, TRADES

MINUTE_US = 60_000_000
HERE = partition_of(symbol_key("upbit", "KRW-0"), TICKERS.partitions)
SAME_PLACE = [n for n in range(100) if partition_of(symbol_key("upbit", f"KRW-{n}"), TICKERS.partitions) == HERE][:3]
A, B, C = (("upbit", f"KRW-{n}") for n in SAME_PLACE)
MARKETS = [A, B, C, ("binance", "KRW-0"), ("upbit", "KRW-1")]


def ticker(market: tuple[str, str], minute: float, received_minute: float | None = None) -> Ticker:
    numbers = dict.fromkeys(("price", "open", "high", "low", "volume_24h", "turnover_24h"), "1")
    at_us = int(minute * MINUTE_US)
    received_at_us = at_us if received_minute is None else int(received_minute * MINUTE_US)
    names = {"exchange": market[0], "symbol": market[1], "base": "B", "quote": "Q", "window": "utc_day"}
    return Ticker(**names, **numbers, event_at_us=at_us, received_at_us=received_at_us)  # type: ignore[arg-type]


def piece(*tickers: Ticker, partition: int = HERE, topic: str = TICKERS.name) -> Slice:
    return Slice(topic, partition, 0, len(tickers), list(range(len(tickers))), list(tickers))


def after(*tickers: Ticker) -> TickerMinutes:
    minutes = TickerMinutes()
    minutes.passed(minutes.look([piece(*tickers)], MARKETS))
    return minutes


def test_a_minute_is_over_for_every_market_of_the_place_when_the_next_one_begins() -> None:
    minutes = after(ticker(A, 100.5), ticker(B, 100.9))
    assert minutes.look([piece(ticker(A, 100.99))], MARKETS).spans == []
    passing = minutes.look([piece(ticker(A, 101))], MARKETS)
    assert passing.spans == [Span(market, 100, 101) for market in (A, B, C)]
    assert passing.late == []


def test_looking_changes_nothing_until_it_is_stored() -> None:
    minutes = after(ticker(A, 100))
    first = minutes.look([piece(ticker(A, 103))], MARKETS)
    assert minutes.look([piece(ticker(A, 103))], MARKETS) == first
    minutes.passed(first)
    assert minutes.look([piece(ticker(A, 103.5))], MARKETS).spans == []


def test_the_minute_that_has_just_ended_is_not_late() -> None:
    minutes = after(ticker(A, 101))
    assert minutes.look([piece(ticker(B, 100.99))], MARKETS).late == []
    passing = minutes.look([piece(ticker(B, 99.99), ticker(B, 97), ticker(B, 97.5))], MARKETS)
    assert passing.late == [(B, 97), (B, 99)]
    assert sorted(passing.spans, key=lambda span: span.from_minute) == [Span(B, 97, 101), Span(B, 99, 101)]


def test_the_first_batch_begins_with_its_own_oldest_minute() -> None:
    passing = TickerMinutes().look([piece(ticker(A, 102), ticker(B, 100))], MARKETS)
    assert {(span.from_minute, span.to_minute) for span in passing.spans} == {(100, 102)}


def test_after_a_restart_it_goes_on_from_the_newest_row_of_the_place() -> None:
    minutes = TickerMinutes()
    minutes.remember([(*A, 90), (*B, 95)])
    assert minutes.look([piece(ticker(C, 97))], MARKETS).spans == [Span(market, 95, 97) for market in (A, B, C)]


def test_a_span_is_a_day_at_most() -> None:
    minutes = after(ticker(A, 100))
    assert minutes.look([piece(ticker(A, 99_999))], MARKETS).spans[0] == Span(A, 99_999 - MOST_MINUTES, 99_999)


def test_other_topics_and_tickers_ahead_of_our_clock_end_no_minute() -> None:
    minutes = after(ticker(A, 100))
    ahead = ticker(A, 500, received_minute=100)
    assert minutes.look([piece(ahead), piece(topic=TRADES.name)], MARKETS).spans == []
