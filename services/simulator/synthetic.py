"""The synthetic market as a source: its records become publications, and what was published stays for REST."""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from services.simulator.binance import encode as binance
from services.simulator.market.instruments import Instrument
from services.simulator.market.market import Market
from services.simulator.market.minutes import Minute, Minutes
from services.simulator.market.numbers import plain
from services.simulator.market.records import CHANNEL_OF_RECORD, Book, Record, Ticker, Trade
from services.simulator.publication import Key, Variant
from services.simulator.rows import BookRow, Listed, MinuteRow, TickerRow, TradeRow, Voice
from services.simulator.scenarios import Scenario
from services.simulator.truth_text import trade_text, truth_text
from services.simulator.upbit import encode as upbit

TRADES_KEPT = 10_000
_ECHOES: dict[str, tuple[str, ...]] = {"ticker": ("miniTicker", "kline_1m"), "orderbook": ("bookTicker",)}
# Listed and never trading, so that whoever subscribes has to choose: another quote, and a market that is halted.
QUIET = (
    Listed("upbit", "BTC-ETH", "ETH", "BTC", "이더리움", "Ethereum"),
    Listed("upbit", "USDT-BTC", "BTC", "USDT", "비트코인", "Bitcoin"),
    Listed("binance", "ETHBTC", "ETH", "BTC"),
    Listed("binance", "LUNAUSDT", "LUNA", "USDT", is_trading=False),
)


class _Told:
    """One record as a publication."""

    __slots__ = ("_minute", "_record", "key")

    def __init__(self, key: Key, record: Record, minute: Minute | None = None) -> None:
        self.key = key
        self._record = record
        self._minute = minute

    def payload(self, variant: Variant) -> bytes:
        if isinstance(variant, upbit.Variant):
            return upbit.encode(self._record, variant)
        if isinstance(variant, binance.Variant):
            return binance.encode(self._record, variant, self._minute)
        raise TypeError(f"no exchange tells {variant!r}")

    def truth(self, depth: int) -> str:
        record = self._record
        if self.key[0] == "binance_agg" and type(record) is Trade:
            return trade_text(record, binance.aggregate_id(record.trade_id))
        return truth_text(record, depth)


class _Shown:
    """What REST shows of one market."""

    def __init__(self, instrument: Instrument, minutes: Minutes) -> None:
        self.instrument = instrument
        self.minutes = minutes
        self.trades: deque[Trade] = deque(maxlen=TRADES_KEPT)
        self.ticker: Ticker | None = None
        self.book: Book | None = None

    def remember(self, record: Record) -> None:
        if type(record) is Trade:
            self.trades.append(record)
            self.minutes.add(record)
        elif type(record) is Ticker:
            self.ticker = record
        elif type(record) is Book:
            self.book = record


class SyntheticSource:
    """A market of its own behind both exchanges."""

    def __init__(
        self, instruments: Sequence[Instrument], rate: float, seed: int, scenario: Scenario, epoch_ms: int
    ) -> None:
        self._market = Market(instruments, rate, seed, scenario, epoch_ms)
        self._desks = {desk.instrument.symbol: desk for desk in self._market.desks}
        self._instruments = list(instruments)
        self._clock_ahead_ms: dict[str, int] = {}
        self._shown = {(i.exchange, i.symbol): _Shown(i, Minutes(i, seed, epoch_ms)) for i in instruments}
        self._keys = {
            (i, record): (i.exchange, channel, i.symbol)
            for i in instruments
            for record, channel in CHANNEL_OF_RECORD.items()
        }

    def keys(self) -> list[Key]:
        derived = [
            key
            for i in self._instruments
            if i.exchange == "binance"
            for key in (
                ("binance_agg", "trade", i.symbol),
                *(("binance", echo, i.symbol) for echoes in _ECHOES.values() for echo in echoes),
            )
        ]
        return [*self._keys.values(), *derived]

    def listed(self, exchange: str) -> list[Listed]:
        own = [_listed(i) for i in self._instruments if i.exchange == exchange]
        return own + [quiet for quiet in QUIET if quiet.exchange == exchange]

    def open(self, voice: Voice, epoch_ms: int) -> None:
        self._market.set_epoch(epoch_ms)
        for record in self._market.open():
            self._publish(voice, record)

    def postpone(self, seconds: float) -> None:
        self._market.postpone(int(seconds * 1000))

    def due_s(self) -> float | None:
        return self._market.due_s()

    def tell(self, voice: Voice) -> None:
        record = self._market.tell()
        if record is not None:
            self._publish(voice, record)

    def _publish(self, voice: Voice, record: Record) -> None:
        instrument = record.instrument
        key = self._keys[instrument, type(record)]
        shown = self._shown[instrument.exchange, instrument.symbol]
        shown.remember(record)
        voice.publish(_Told(key, record))
        if instrument.exchange == "binance":
            self._echo(voice, key, record, shown)

    def _echo(self, voice: Voice, key: Key, record: Record, shown: _Shown) -> None:
        """Binance tells one fact in several streams; the others are told only where somebody listens."""
        symbol = key[2]
        if key[1] == "trade":
            aggregate = ("binance_agg", "trade", symbol)
            if voice.hears(aggregate):
                voice.publish(_Told(aggregate, record))
            return
        for echo in _ECHOES[key[1]]:
            echo_key = (key[0], echo, symbol)
            if voice.hears(echo_key):
                voice.say(_Told(echo_key, record, shown.minutes.newest() if echo == "kline_1m" else None))

    def trades(self, exchange: str, symbol: str) -> list[TradeRow]:
        shown = self._shown.get((exchange, symbol))
        return [_trade_row(trade) for trade in shown.trades] if shown else []

    def minutes(self, exchange: str, symbol: str, before_ms: int, count: int) -> list[MinuteRow]:
        shown = self._shown.get((exchange, symbol))
        found = shown.minutes.before(before_ms, count) if shown else []
        return [_minute_row(shown.instrument, minute) for minute in found] if shown else []

    def ticker(self, exchange: str, symbol: str) -> TickerRow | None:
        shown = self._shown.get((exchange, symbol))
        if shown is None:
            return None
        row = _ticker_row(shown.ticker or self._desks[symbol].ticker(0.0))
        if not shown.trades:
            return replace(row, last_id=row.first_id - 1, last_traded_ms=self._desks[symbol].epoch_ms)
        last = shown.trades[-1]
        return replace(row, last_id=last.trade_id, last_traded_ms=last.traded_ms)

    def book(self, exchange: str, symbol: str) -> BookRow | None:
        shown = self._shown.get((exchange, symbol))
        if shown is None:
            return None
        return _book_row(shown.book or self._desks[symbol].book(0.0))

    def skip_ids(self, symbol: str, count: int) -> bool:
        desk = self._desks.get(symbol)
        if desk is None or desk.instrument.exchange != "binance":
            return False
        desk.skip_ids(count)
        return True

    def set_open(self, exchange: str, symbol: str, *, is_open: bool) -> None:
        self._market.set_open(exchange, symbol, is_open=is_open)

    def crash(self, exchange: str, symbol: str) -> bool:
        desk = self._desks.get(symbol)
        if desk is None or desk.instrument.exchange != exchange:
            return False
        self._market.crash(desk)
        return True

    def hurry(self, factor: float, seconds: float) -> bool:
        self._market.hurry(factor, seconds)
        return True

    def set_clock_ahead(self, exchange: str, milliseconds: int) -> bool:
        self._clock_ahead_ms[exchange] = milliseconds
        self._market.set_clock_ahead(exchange, milliseconds)
        return True

    def clock_ahead_ms(self, exchange: str) -> int:
        return self._clock_ahead_ms.get(exchange, 0)


def _listed(i: Instrument) -> Listed:
    return Listed(
        exchange=i.exchange,
        symbol=i.symbol,
        base=i.base,
        quote=i.quote,
        korean_name=i.korean_name,
        english_name=i.english_name,
        tick_size=plain(i.tick, i.price_scale),
        step_size=plain(1, i.quantity_scale),
        warning=i.exchange == "upbit" and i.rank == 37,
        cautions=frozenset({"TRADING_VOLUME_SOARING"} if i.rank % 10 == 9 else ()),
    )


def _trade_row(t: Trade) -> TradeRow:
    i = t.instrument
    return TradeRow(
        trade_id=t.trade_id,
        price=plain(t.price, i.price_scale),
        quantity=plain(t.quantity, i.quantity_scale),
        is_buy=t.is_buy,
        traded_ms=t.traded_ms,
        previous_close=plain(t.previous_close, i.price_scale),
    )


def _minute_row(i: Instrument, m: Minute) -> MinuteRow:
    turnover_scale = i.price_scale + i.quantity_scale
    return MinuteRow(
        opened_ms=m.opened_ms,
        open=plain(m.open, i.price_scale),
        high=plain(m.high, i.price_scale),
        low=plain(m.low, i.price_scale),
        close=plain(m.close, i.price_scale),
        volume=plain(m.volume, i.quantity_scale),
        turnover=plain(m.turnover, turnover_scale),
        buy_volume=plain(m.buy_volume, i.quantity_scale),
        buy_turnover=plain(m.buy_turnover, turnover_scale),
        trades=m.trades,
        first_id=m.first_id,
        last_id=m.last_id,
        last_traded_ms=m.last_traded_ms,
    )


def _ticker_row(t: Ticker) -> TickerRow:
    i = t.instrument
    turnover_scale = i.price_scale + i.quantity_scale
    return TickerRow(
        symbol=i.symbol,
        price=plain(t.price, i.price_scale),
        open=plain(t.open, i.price_scale),
        high=plain(t.high, i.price_scale),
        low=plain(t.low, i.price_scale),
        previous_close=plain(t.previous_close, i.price_scale),
        volume=plain(t.volume, i.quantity_scale),
        turnover=plain(t.turnover, turnover_scale),
        day_volume=plain(t.day_volume, i.quantity_scale),
        day_turnover=plain(t.day_turnover, turnover_scale),
        last_quantity=plain(t.last_quantity, i.quantity_scale),
        last_is_buy=t.last_is_buy,
        last_traded_ms=t.last_traded_ms,
        event_ms=t.event_ms,
        first_id=t.first_id,
        last_id=t.last_id,
        best=(
            plain(t.bid, i.price_scale),
            plain(t.bid_quantity, i.quantity_scale),
            plain(t.ask, i.price_scale),
            plain(t.ask_quantity, i.quantity_scale),
        ),
    )


def _book_row(b: Book) -> BookRow:
    i = b.instrument

    def side(prices: Sequence[int], quantities: Sequence[int]) -> list[tuple[str, str]]:
        return [(plain(p, i.price_scale), plain(q, i.quantity_scale)) for p, q in zip(prices, quantities, strict=True)]

    return BookRow(b.sequence, b.event_ms, side(b.bids, b.bid_quantities), side(b.asks, b.ask_quantities))
