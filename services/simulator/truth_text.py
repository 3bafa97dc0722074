"""The truth log's fields of synthetic records, as the inside of a JSON object.

All numbers are plain decimals. A book's line holds as many levels as the deepest subscription that heard it asked for
(five when nobody did): whoever compares cuts both sides to the shorter. `traded_at_us` and `event_at_us` are whole
milliseconds, because that is all that either exchange tells.
"""

from collections.abc import Sequence

from services.simulator.market.instruments import BINANCE_WIRE_SCALE, Instrument
from services.simulator.market.numbers import Spellings, plain
from services.simulator.market.records import Book, Record, Ticker, Trade


class _Plain:
    """One instrument's numbers in plain text."""

    def __init__(self, instrument: Instrument) -> None:
        self.price = Spellings(plain, instrument.price_scale)
        self.size = Spellings(plain, instrument.quantity_scale)
        self.is_binance = instrument.exchange == "binance"
        self.turnover_scale = instrument.price_scale + instrument.quantity_scale

    def turnover(self, units: int) -> str:
        """Spell a turnover with the digits that the exchange tells: Binance tells eight behind the point."""
        cut = max(0, self.turnover_scale - BINANCE_WIRE_SCALE) if self.is_binance else 0
        return plain(units // int(10**cut), self.turnover_scale - cut)


_plains: dict[Instrument, _Plain] = {}


def _plain_of(instrument: Instrument) -> _Plain:
    found = _plains.get(instrument)
    if found is None:
        found = _plains[instrument] = _Plain(instrument)
    return found


def truth_text(record: Record, depth: int) -> str:
    """Spell the channel's own fields of one record; books cut to `depth` levels."""
    spell = _plain_of(record.instrument)
    if type(record) is Trade:
        return trade_text(record, record.trade_id)
    if type(record) is Book:
        return _book_text(record, depth, spell)
    if type(record) is Ticker:
        return _ticker_text(record, spell)
    raise TypeError(f"no channel tells {record!r}")


def _book_text(book: Book, depth: int, spell: _Plain) -> str:
    asks = _levels(book.asks[:depth], book.ask_quantities[:depth], spell)
    bids = _levels(book.bids[:depth], book.bid_quantities[:depth], spell)
    order = (
        f'"sequence":{book.sequence},"event_at_us":null'
        if spell.is_binance
        else f'"sequence":null,"event_at_us":{book.event_ms}000'
    )
    return f'"bids":[{bids}],"asks":[{asks}],{order}'


def trade_text(trade: Trade, trade_id: int) -> str:
    """Spell a trade under the given id."""
    spell = _plain_of(trade.instrument)
    return (
        f'"trade_id":"{trade_id}","price":"{spell.price[trade.price]}","quantity":"{spell.size[trade.quantity]}",'
        f'"side":"{"buy" if trade.is_buy else "sell"}","traded_at_us":{trade.traded_ms}000'
    )


def _ticker_text(ticker: Ticker, spell: _Plain) -> str:
    price, size = spell.price, spell.size
    best = (
        f',"bid_price":"{price[ticker.bid]}","bid_quantity":"{size[ticker.bid_quantity]}",'
        f'"ask_price":"{price[ticker.ask]}","ask_quantity":"{size[ticker.ask_quantity]}"'
    )
    return (
        f'"price":"{price[ticker.price]}","open":"{price[ticker.open]}","high":"{price[ticker.high]}",'
        f'"low":"{price[ticker.low]}","volume_24h":"{size[ticker.volume]}",'
        f'"turnover_24h":"{spell.turnover(ticker.turnover)}","event_at_us":{ticker.event_ms}000'
        + (best if spell.is_binance else "")
    )


def _levels(prices: Sequence[int], quantities: Sequence[int], spell: _Plain) -> str:
    price, size = spell.price, spell.size
    return ",".join([f'["{price[p]}","{size[q]}"]' for p, q in zip(prices, quantities, strict=True)])
