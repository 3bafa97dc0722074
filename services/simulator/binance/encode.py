"""Spells the market's records as Binance's stream payloads: numbers as text with eight digits, ids as integers."""

from collections.abc import Sequence

from msgspec import Struct

from services.simulator.market.instruments import BINANCE_WIRE_SCALE, Instrument
from services.simulator.market.minutes import Minute
from services.simulator.market.numbers import Spellings, plain
from services.simulator.market.records import Book, Record, Ticker, Trade

DAY_MS = 86_400_000


class Variant(Struct, frozen=True):
    """How one subscriber is told: the stream's name as subscribed, wrapped or not, milliseconds or microseconds."""

    stream: str
    combined: bool = True
    micros: bool = False

    @property
    def kind(self) -> str:
        """What follows the symbol: ``trade``, ``depth5@100ms``."""
        return self.stream.partition("@")[2]


class Spelling:
    """One instrument's numbers as Binance writes them."""

    def __init__(self, instrument: Instrument) -> None:
        self.price = Spellings(_eight_digits, instrument.price_scale)
        self.size = Spellings(_eight_digits, instrument.quantity_scale)
        self.turnover_scale = instrument.price_scale + instrument.quantity_scale

    def turnover(self, units: int) -> str:
        """Spell a turnover; more digits than eight are cut off."""
        return _eight_digits(units, self.turnover_scale)


def _eight_digits(units: int, scale: int) -> str:
    if scale > BINANCE_WIRE_SCALE:
        return plain(units // int(10 ** (scale - BINANCE_WIRE_SCALE)), BINANCE_WIRE_SCALE)
    return plain(units * int(10 ** (BINANCE_WIRE_SCALE - scale)), BINANCE_WIRE_SCALE)


_spellings: dict[Instrument, Spelling] = {}


def spelling(instrument: Instrument) -> Spelling:
    """The remembered spellings of an instrument."""
    found = _spellings.get(instrument)
    if found is None:
        found = _spellings[instrument] = Spelling(instrument)
    return found


def encode(record: Record, variant: Variant, minute: Minute | None = None) -> bytes:
    """Spell one record for one kind of subscriber, UTF-8. `minute` is needed for a kline only."""
    zeros = "000" if variant.micros else ""
    if type(record) is Trade:
        data = _agg_trade(record, zeros) if variant.kind == "aggTrade" else _trade(record, zeros)
    elif type(record) is Ticker and minute is not None:
        data = _kline(record, minute, zeros)
    elif type(record) is Ticker:
        data = _mini_ticker(record, zeros) if variant.kind == "miniTicker" else _ticker(record, zeros)
    elif type(record) is Book:
        data = _book_ticker(record) if variant.kind == "bookTicker" else _depth(record, depth_of(variant.kind))
    return (f'{{"stream":"{variant.stream}","data":{data}}}' if variant.combined else data).encode()


def depth_of(kind: str) -> int:
    """How many levels a partial book stream has: 20 of ``depth20@100ms``."""
    return int(kind.partition("@")[0].removeprefix("depth"))


def aggregate_id(trade_id: int) -> int:
    """Here each aggregate holds one trade; its ids run beside the trades' own, well apart."""
    return trade_id - 500_000_000


def _trade(trade: Trade, zeros: str) -> str:
    spell = spelling(trade.instrument)
    return (
        f'{{"e":"trade","E":{trade.event_ms}{zeros},"s":"{trade.instrument.symbol}","t":{trade.trade_id},'
        f'"p":"{spell.price[trade.price]}","q":"{spell.size[trade.quantity]}","T":{trade.traded_ms}{zeros},'
        f'"m":{"false" if trade.is_buy else "true"},"M":true}}'
    )


def _agg_trade(trade: Trade, zeros: str) -> str:
    spell = spelling(trade.instrument)
    return (
        f'{{"e":"aggTrade","E":{trade.event_ms}{zeros},"s":"{trade.instrument.symbol}",'
        f'"a":{aggregate_id(trade.trade_id)},"p":"{spell.price[trade.price]}","q":"{spell.size[trade.quantity]}",'
        f'"f":{trade.trade_id},"l":{trade.trade_id},"T":{trade.traded_ms}{zeros},'
        f'"m":{"false" if trade.is_buy else "true"},"M":true}}'
    )


def _ticker(ticker: Ticker, zeros: str) -> str:
    spell = spelling(ticker.instrument)
    price, size = spell.price, spell.size
    change = ticker.price - ticker.open
    percent = plain(change * 100_000 // ticker.open, 3)
    scales = 10 ** (BINANCE_WIRE_SCALE - ticker.instrument.price_scale)
    average = plain(ticker.turnover * int(scales) // ticker.volume, BINANCE_WIRE_SCALE)
    return (
        f'{{"e":"24hrTicker","E":{ticker.event_ms}{zeros},"s":"{ticker.instrument.symbol}","p":"{price[change]}",'
        f'"P":"{percent}","w":"{average}","x":"{price[ticker.open]}","c":"{price[ticker.price]}",'
        f'"Q":"{size[ticker.last_quantity]}","b":"{price[ticker.bid]}","B":"{size[ticker.bid_quantity]}",'
        f'"a":"{price[ticker.ask]}","A":"{size[ticker.ask_quantity]}","o":"{price[ticker.open]}",'
        f'"h":"{price[ticker.high]}","l":"{price[ticker.low]}","v":"{size[ticker.volume]}",'
        f'"q":"{spell.turnover(ticker.turnover)}","O":{ticker.event_ms - DAY_MS}{zeros},"C":{ticker.event_ms}{zeros},'
        f'"F":{ticker.first_id},"L":{ticker.last_id},"n":{ticker.last_id - ticker.first_id + 1}}}'
    )


def _mini_ticker(ticker: Ticker, zeros: str) -> str:
    spell = spelling(ticker.instrument)
    return (
        f'{{"e":"24hrMiniTicker","E":{ticker.event_ms}{zeros},"s":"{ticker.instrument.symbol}",'
        f'"c":"{spell.price[ticker.price]}","o":"{spell.price[ticker.open]}","h":"{spell.price[ticker.high]}",'
        f'"l":"{spell.price[ticker.low]}","v":"{spell.size[ticker.volume]}","q":"{spell.turnover(ticker.turnover)}"}}'
    )


def _kline(ticker: Ticker, minute: Minute, zeros: str) -> str:
    spell = spelling(ticker.instrument)
    price, size, symbol = spell.price, spell.size, ticker.instrument.symbol
    return (
        f'{{"e":"kline","E":{ticker.event_ms}{zeros},"s":"{symbol}","k":{{"t":{minute.opened_ms}{zeros},'
        f'"T":{minute.opened_ms + 59_999}{"999" if zeros else ""},"s":"{symbol}","i":"1m","f":{minute.first_id},'
        f'"L":{minute.last_id},"o":"{price[minute.open]}","c":"{price[minute.close]}","h":"{price[minute.high]}",'
        f'"l":"{price[minute.low]}","v":"{size[minute.volume]}","n":{minute.trades},'
        f'"x":{"true" if ticker.event_ms - minute.opened_ms >= 60_000 else "false"},'
        f'"q":"{spell.turnover(minute.turnover)}","V":"{size[minute.buy_volume]}",'
        f'"Q":"{spell.turnover(minute.buy_turnover)}","B":"0"}}}}'
    )


def _book_ticker(book: Book) -> str:
    spell = spelling(book.instrument)
    return (
        f'{{"u":{book.sequence},"s":"{book.instrument.symbol}","b":"{spell.price[book.bids[0]]}",'
        f'"B":"{spell.size[book.bid_quantities[0]]}","a":"{spell.price[book.asks[0]]}",'
        f'"A":"{spell.size[book.ask_quantities[0]]}"}}'
    )


def _depth(book: Book, levels: int) -> str:
    spell = spelling(book.instrument)
    return (
        f'{{"lastUpdateId":{book.sequence},"bids":[{levels_text(book.bids, book.bid_quantities, levels, spell)}],'
        f'"asks":[{levels_text(book.asks, book.ask_quantities, levels, spell)}]}}'
    )


def levels_text(prices: Sequence[int], quantities: Sequence[int], levels: int, spell: Spelling) -> str:
    """Spell one side as Binance's pairs of texts, best first, without the outer brackets."""
    price, size = spell.price, spell.size
    return ",".join([f'["{price[p]}","{size[q]}"]' for p, q in zip(prices[:levels], quantities[:levels], strict=True)])
