"""Events to the columns and rows that the SQL files take, and which events PostgreSQL could never hold."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import msgspec

from shared.events import Alert, DeadLetter, Event, FeedEvent, Instrument, Ticker, Trade

InstrumentIds = Mapping[tuple[str, str], int]
"""(exchange, symbol) to `instrument.id`."""

Columns = tuple[list[object], ...]
ArrayTexts = tuple[str, ...]
"""PostgreSQL's spelling of arrays, one a column: ``{1,2}``. The driver packs each entry, which costs more."""
Row = tuple[object, ...]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_US = 86_400_000_000
MINUTE_US = 60_000_000
EARLIEST_TRADE_US = (datetime(2009, 1, 1, tzinfo=UTC) - EPOCH).days * DAY_US
LATEST_TRADE_US = (datetime(2100, 1, 1, tzinfo=UTC) - EPOCH).days * DAY_US
"""Days that make_trade_day makes. Not measured against our clock, which may be wrong itself after a power cut."""


def unstorable(event: Event) -> str | None:
    """Say why PostgreSQL can never hold this valid event; None when it can: a trade needs a day that can be made."""
    if type(event) is Trade and not EARLIEST_TRADE_US <= event.traded_at_us < LATEST_TRADE_US:
        return "traded_at_us is before 2009 or after 2099"
    return None


def trade_arrays(trades: Sequence[Trade], ids: InstrumentIds) -> ArrayTexts:
    """The arrays of trades that write_market.sql takes, one entry a trade. Raises KeyError without an instrument.

    A trade that was checked holds nothing that would have to be quoted: digits, points, and words of ours.
    """
    columns = (
        [str(ids[t.exchange, t.symbol]) for t in trades],
        [t.trade_id for t in trades],
        [str(t.traded_at_us) for t in trades],
        [str(t.received_at_us) for t in trades],
        [t.price for t in trades],
        [t.quantity for t in trades],
        [t.side for t in trades],
        [t.origin for t in trades],
    )
    return tuple(["{" + ",".join(column) + "}" for column in columns])


def ticker_columns(tickers: Sequence[Ticker], ids: InstrumentIds) -> Columns:
    """The arrays of tickers that write_market.sql takes: the newest of each instrument and minute, no two of one."""
    newest: dict[tuple[int, int], Ticker] = {}
    for ticker in tickers:
        key = ids[ticker.exchange, ticker.symbol], ticker.event_at_us // MINUTE_US
        if key not in newest or ticker.event_at_us >= newest[key].event_at_us:
            newest[key] = ticker
    kept = newest.values()
    return (
        [instrument_id for instrument_id, _ in newest],
        [t.price for t in kept],
        [t.bid_price for t in kept],
        [t.ask_price for t in kept],
        [t.event_at_us for t in kept],
        [t.received_at_us for t in kept],
    )


def days_of(trades: Iterable[Trade]) -> set[int]:
    """The UTC days of the trades, counted from 1970-01-01."""
    return {t.traded_at_us // DAY_US for t in trades}


def date_of(day: int) -> date:
    """The calendar date of a day counted from 1970-01-01."""
    return (EPOCH + timedelta(days=day)).date()


def missing_instruments(events: Iterable[Trade | Ticker], ids: InstrumentIds) -> dict[tuple[str, str], Trade | Ticker]:
    """One event of each instrument that has no id yet."""
    return {(e.exchange, e.symbol): e for e in events if (e.exchange, e.symbol) not in ids}


def instrument_row(event: Instrument) -> Row:
    """The parameters of write_instrument.sql."""
    return (
        event.exchange,
        event.symbol,
        event.base,
        event.quote,
        event.korean_name,
        event.english_name,
        event.status,
        event.warning,
        event.cautions,
        _at(event.updated_at_us),
    )


def gap_row(event: FeedEvent) -> Row:
    """The parameters of write_gap.sql."""
    return (
        gap_id(event),
        event.exchange,
        event.channel,
        event.symbols,
        event.connection,
        _at(event.from_us),
        _at(event.to_us),
        event.first_missing_id,
        event.last_missing_id,
        event.reason,
        _at(event.at_us),
    )


def gap_id(event: FeedEvent) -> str:
    """The gap's identity: what it is about and where it begins, so that its end finds it and a repeat is no new gap."""
    begins = event.from_us if event.from_us is not None else event.at_us
    about = (event.exchange, event.channel, event.symbols, event.connection, begins, event.first_missing_id)
    return hashlib.sha256(msgspec.json.encode(about)).hexdigest()[:32]


def alert_row(event: Alert) -> Row:
    """The parameters of write_alert.sql."""
    return (
        event.alert_id,
        event.episode_id,
        event.state,
        event.kind,
        event.detectors,
        event.scope,
        event.direction,
        event.severity,
        _at(event.started_at_us),
        _at(event.decided_at_us),
        event.rule_version,
        event.exchange,
        event.symbol,
        event.base,
        event.quote,
        _at(event.event_at_us),
        _at(event.received_at_us),
        _number(event.price_before),
        _number(event.price_now),
        _number(event.price_extreme),
        _number(event.change_pct),
        event.window_s,
        _number(event.sigma),
        _number(event.volume_ratio),
        _number(event.divergence_pct),
        event.data_quality,
        event.members,
        event.changes,
    )


def dead_letter_row(event: DeadLetter) -> Row:
    """The parameters of write_dead_letter.sql."""
    return (
        event.reason,
        _at(event.at_us),
        event.reader,
        event.topic,
        event.partition,
        event.offset,
        event.schema,
        event.exchange,
        event.connection,
        event.suppressed,
        event.payload,
        event.payload_bytes,
    )


def _at(micros: int | None) -> datetime | None:
    return None if micros is None else EPOCH + timedelta(microseconds=micros)


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
