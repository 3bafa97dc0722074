"""Recorded frames behind both exchanges; the exchanges' lists show what the recording holds, and a little more."""

from collections import deque

from services.simulator.publication import Key
from services.simulator.recordings.files import Recording
from services.simulator.recordings.frames import Frame
from services.simulator.rows import BookRow, Listed, MinuteRow, TickerRow, TradeRow, Voice
from services.simulator.synthetic import QUIET, TRADES_KEPT

# Binance writes base and quote without a separator; only a list of quotes can tell them apart.
_QUOTES = ("USDT", "USDC", "BUSD", "TUSD", "FDUSD", "BTC", "ETH", "BNB", "BRL", "AUD", "TRY", "EUR", "GBP", "RUB")


class RecordedSource:
    """Plays a recording once. It has no candles, and no snapshot for new subscribers: nothing but what was recorded."""

    def __init__(self, recording: Recording) -> None:
        self._frames = recording.frames
        self._next = 0
        self._trades: dict[tuple[str, str], deque[TradeRow]] = {}
        self._closed: set[tuple[str, str]] = set()
        self._first = _first_priced(recording.frames)
        self._symbols = list(dict.fromkeys((_venue(frame.key[0]), frame.key[2]) for frame in recording.frames))

    def keys(self) -> list[Key]:
        return list(dict.fromkeys(frame.key for frame in self._frames))

    def listed(self, exchange: str) -> list[Listed]:
        own = [_listed(exchange, symbol) for venue, symbol in self._symbols if venue == exchange]
        known = {listed.symbol for listed in own}
        return own + [quiet for quiet in QUIET if quiet.exchange == exchange and quiet.symbol not in known]

    def open(self, voice: Voice, epoch_ms: int) -> None:
        """A recording tells its own times and begins with its first frame."""

    def postpone(self, seconds: float) -> None:
        """Recorded times stay what they are."""

    def due_s(self) -> float | None:
        return self._frames[self._next].due_s if self._next < len(self._frames) else None

    def tell(self, voice: Voice) -> None:
        frame = self._frames[self._next]
        self._next += 1
        if (_venue(frame.key[0]), frame.key[2]) in self._closed:
            return
        if frame.trade is not None:
            place = (frame.key[0], frame.key[2])
            self._trades.setdefault(place, deque(maxlen=TRADES_KEPT)).append(frame.trade)
        voice.publish(frame)

    def trades(self, exchange: str, symbol: str) -> list[TradeRow]:
        return list(self._trades.get((exchange, symbol), ()))

    def minutes(self, exchange: str, symbol: str, before_ms: int, count: int) -> list[MinuteRow]:
        return []

    def ticker(self, exchange: str, symbol: str) -> TickerRow | None:
        frame = self._first.get((exchange, symbol))
        if frame is None or frame.price is None:
            return None
        price = frame.price
        return TickerRow(
            symbol=symbol,
            price=price,
            open=price,
            high=price,
            low=price,
            previous_close=price,
            volume="1",
            turnover=price,
            day_volume="1",
            day_turnover=price,
            last_quantity="1",
            last_is_buy=True,
            last_traded_ms=frame.event_ms,
            event_ms=frame.event_ms,
        )

    def book(self, exchange: str, symbol: str) -> BookRow | None:
        return None

    def skip_ids(self, symbol: str, count: int) -> bool:
        return False

    def set_open(self, exchange: str, symbol: str, *, is_open: bool) -> None:
        (self._closed.discard if is_open else self._closed.add)((exchange, symbol))

    def crash(self, exchange: str, symbol: str) -> bool:
        return False

    def hurry(self, factor: float, seconds: float) -> bool:
        return False

    def set_clock_ahead(self, exchange: str, milliseconds: int) -> bool:
        return False

    def clock_ahead_ms(self, exchange: str) -> int:
        return 0


def _venue(exchange: str) -> str:
    return "binance" if exchange == "binance_agg" else exchange


def _first_priced(frames: list[Frame]) -> dict[tuple[str, str], Frame]:
    first: dict[tuple[str, str], Frame] = {}
    for frame in frames:
        if frame.price is not None:
            first.setdefault((_venue(frame.key[0]), frame.key[2]), frame)
    return first


def _listed(exchange: str, symbol: str) -> Listed:
    if exchange == "upbit":
        quote, _, base = symbol.partition("-")
        return Listed(exchange, symbol, base, quote, korean_name=base, english_name=base)
    quote = next((q for q in _QUOTES if symbol.endswith(q) and symbol != q), symbol[-3:])
    return Listed(exchange, symbol, symbol.removesuffix(quote), quote)
