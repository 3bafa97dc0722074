"""What an exchange adapter is, and what it may say. Pure: no socket, clock or logger in any adapter.

An adapter builds the messages that subscribe to streams and turns each frame into events. Frames come from outside
and are untrusted: any bytes whatever give events, a notice, InvalidFrame or ExchangeError, in bounded time.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import msgspec

from shared.events import Channel, MarketEvent

MAX_FRAME_BYTES = 1 << 20
MAX_US = 9_000_000_000_000_000
MAX_MS = MAX_US // 1000
TOO_LARGE = f"longer than {MAX_FRAME_BYTES} bytes, more than any frame of an exchange"
_FIRST_MICROSECONDS = 100_000_000_000_000  # as milliseconds, this is the year 5138
UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeError)
"""What msgspec lets out of a frame that is no JSON, nested too deep, or no UTF-8."""


class Listing(NamedTuple):
    """One instrument that is subscribed: the exchange's own code, and what is traded for what."""

    symbol: str
    base: str
    quote: str


class InvalidFrame(ValueError):
    """A frame that cannot be read. It is counted and kept; the rest goes on."""


class ExchangeError(Exception):
    """The exchange answered with an error. `permanent`: asking again the same way would be refused again."""

    def __init__(self, reason: str, *, permanent: bool) -> None:
        super().__init__(reason)
        self.permanent = permanent


class Acknowledged(NamedTuple):
    """The exchange confirms the request with this id."""

    request_id: int


class Alive(NamedTuple):
    """A sign of life that carries no data."""


class ShuttingDown(NamedTuple):
    """The exchange will close this connection soon: open another one first."""


Notice = Acknowledged | Alive | ShuttingDown
Parsed = list[MarketEvent] | Notice


@dataclass(frozen=True)
class Stream:
    """One channel of one symbol."""

    channel: Channel
    symbol: str


@dataclass(frozen=True)
class Rate:
    """At most `count` in any `seconds`."""

    count: int
    seconds: float


@dataclass(frozen=True)
class Conduct:
    """How to behave on an exchange's connections, from its stated limits with some room left.

    `text_ping` is sent every `text_ping_s`; `ping_s` is the period of our own RFC 6455 pings. `rotate_s`: about how
    long a connection is used before a fresh one replaces it. `silent_s`: longer without any frame means a dead
    connection, None where quiet connections are silent. `first_data_s`: a stream that has sent nothing so long after it
    was subscribed is told: no exchange says that it does not serve a name.
    """

    connects: tuple[Rate, ...]
    messages: tuple[Rate, ...]
    streams_a_connection: int
    ping_s: float
    first_data_s: int
    rotate_s: float | None = None
    text_ping: str | None = None
    text_ping_s: float = 30.0
    silent_s: float | None = None


@dataclass(frozen=True)
class Request:
    """Messages that subscribe a connection, in order, and the ids that the exchange will acknowledge (maybe none)."""

    messages: Sequence[str]
    acknowledged_ids: frozenset[int] = field(default_factory=frozenset)


class ExchangeAdapter(Protocol):
    """One exchange's protocol. `trade_exchange` is the name that its trades travel under."""

    exchange: str
    trade_exchange: str
    url: str
    conduct: Conduct

    def subscribe(self, streams: Sequence[Stream], ticket: str) -> Request:
        """The messages that ask for all of `streams`. `ticket` is any unique text."""

    def parse(self, frame: str | bytes, received_at_us: int) -> Parsed:
        """Turn a frame into events or a notice. Raises InvalidFrame or ExchangeError, never anything else."""

    def unknown_fields(self, frame: str | bytes) -> dict[Channel, set[str]]:
        """Names in a readable frame that this adapter has never heard of, by channel."""


@dataclass(frozen=True)
class AdapterOptions:
    """What an adapter needs to know of the settings. `listings` holds every subscribed instrument by its code."""

    url: str
    listings: Mapping[str, Listing]
    levels: int = 5
    trade_stream: str = "trade"


AdapterFactory = Callable[[AdapterOptions], ExchangeAdapter]


def to_us(exchange_time: int) -> int:
    """An exchange's milliseconds as microseconds. Raises InvalidFrame beyond the year 2255.

    Both exchanges can send microseconds (Binance on request, Upbit did in August 2023); those are told by their
    size and cut to the millisecond, so that one trade has one time whichever way it came.
    """
    us = exchange_time * 1000 if exchange_time < _FIRST_MICROSECONDS else exchange_time // 1000 * 1000
    if us > MAX_US:
        raise InvalidFrame(f"the time {exchange_time} is out of bounds")
    return us


def readable(text: object, limit: int = 300) -> str:
    """Outside text made fit for a log line or a record: bounded, valid Unicode, printable."""
    cut = str(text)[:limit].encode("utf-8", "replace").decode()
    return "".join(c if c.isprintable() else " " for c in cut)
