"""What the market says: a trade, a day's statistics, an order book. Integers only; see `instruments` for the scales."""

from collections.abc import Sequence

from msgspec import Struct

from services.simulator.market.instruments import Instrument


class Trade(Struct, gc=False):
    """One trade. `is_buy`: the taker bought. `traded_ms` and `event_ms` (told) are Unix milliseconds."""

    instrument: Instrument
    trade_id: int
    price: int
    quantity: int
    is_buy: bool
    traded_ms: int
    event_ms: int
    previous_close: int
    bid: int
    bid_quantity: int
    ask: int
    ask_quantity: int


class Ticker(Struct, gc=False):
    """A day's statistics. Turnovers are integers of 10**-(price_scale + quantity_scale)."""

    instrument: Instrument
    event_ms: int
    price: int
    open: int
    high: int
    low: int
    previous_close: int
    volume: int
    turnover: int
    day_volume: int
    day_turnover: int
    day_buy_volume: int
    last_quantity: int
    last_is_buy: bool
    last_traded_ms: int
    first_id: int
    last_id: int
    bid: int
    bid_quantity: int
    ask: int
    ask_quantity: int


class Book(Struct, gc=False):
    """An order book, best level first; a side may be thin. `sequence` rises."""

    instrument: Instrument
    event_ms: int
    sequence: int
    bids: Sequence[int]
    bid_quantities: Sequence[int]
    asks: Sequence[int]
    ask_quantities: Sequence[int]


Record = Trade | Ticker | Book
CHANNEL_OF_RECORD = {Trade: "trade", Ticker: "ticker", Book: "orderbook"}
