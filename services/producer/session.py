"""One connection to an exchange, from the handshake to its end: subscribes, stamps, parses, keeps it alive."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import uuid4

import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from services.producer.backoff import Uniform, rotate_after_s
from services.producer.endings import Stale, is_too_large
from services.producer.exchange_clock import ExchangeClock
from services.producer.exchanges.base import (
    MAX_FRAME_BYTES,
    TOO_LARGE,
    Acknowledged,
    ExchangeAdapter,
    InvalidFrame,
    Notice,
    ShuttingDown,
)
from services.producer.gaps import Gap, gap_event
from services.producer.plan import Connection
from services.producer.publisher import Publisher
from services.producer.rejects import MAX_PAYLOAD_BYTES, Flood, Rejects, Unkept, dead_letter
from services.producer.staleness import Silence
from services.producer.tokens import Budget
from shared import metrics
from shared.clock import NowMicros
from shared.events import Channel, FeedEvent, FeedKind, MarketEvent, OrderBook, Ticker, Trade
from shared.topics import DEAD_LETTERS

CONFIRM_WITHIN_S = 30
MAX_EARLY_EVENTS = 200_000
_OPEN_WITHIN_S = 10.0
_CLOSE_WITHIN_S = 1.0
_FRAMES_AHEAD = (1024, 256)  # a burst is read from the socket at once; beyond this, TCP holds the exchange back
_LOOK_AT_FIELDS_OF = 50
_LOOK_AT_FIELDS_EVERY = 1000
_MAX_NEWS = 100
_EVENT_OF_CHANNEL: dict[Channel, type[MarketEvent]] = {"trade": Trade, "ticker": Ticker, "orderbook": OrderBook}
log = structlog.get_logger(__name__)


@dataclass
class Means:
    """What all connections of one process share. `seconds` is a clock that never goes back; `uniform` draws lots."""

    adapter: ExchangeAdapter
    publisher: Publisher
    now_us: NowMicros
    seconds: Callable[[], float]
    connects: Budget
    rejects: Rejects = field(default_factory=Rejects)
    new_fields: set[tuple[str, str]] = field(default_factory=set)
    uniform: Uniform = random.uniform

    def announce(  # noqa: PLR0913  # what a record says, of which most is usual
        self,
        work: Connection,
        kind: FeedKind,
        reason: str,
        symbols: list[str] | None = None,
        *,
        to_us: int | None = None,
        at_us: int | None = None,
    ) -> None:
        """Tell the feed topic about a connection; it is of now unless `at_us` says when."""
        channel: Channel | None = "trade" if work.carries_trades else None
        event = FeedEvent(
            kind=kind,
            exchange=work.exchange,
            reason=reason,
            at_us=self.now_us() if at_us is None else at_us,
            channel=channel,
            symbols=symbols,
            connection=work.name,
            to_us=to_us,
        )
        self.publisher.announce(event)


class Session:
    """One connection. `run` ends by raising why; `on_confirmed` is called once the exchange has the subscription.

    Events that come before `go_live` are kept in `early`, because a gap that ends with this connection must be
    published before them. `leave` is set when another connection should replace this one in good time. In `heard` it
    keeps the last trade of each symbol that it published: one that is given up before it goes live leaves no trace.
    """

    def __init__(
        self,
        work: Connection,
        means: Means,
        on_confirmed: Callable[["Session"], None],
        heard: dict[str, MarketEvent] | None = None,
    ) -> None:
        self.work = work
        self._heard_by_all = heard if heard is not None and work.carries_trades else None
        self._heard: dict[str, MarketEvent] | None = None if self._heard_by_all is None else {}
        self.early: list[MarketEvent] = []
        self.confirmed_at_us: int | None = None
        self.last: MarketEvent | None = None
        self.clock_offset_us: int | None = None
        self._clock = ExchangeClock()
        self.leave = asyncio.Event()
        self.data_frames = 0
        self.data_for_s = 0.0
        """From the first to the last second in which data came."""
        self._means = means
        self._on_confirmed = on_confirmed
        self._deliver: Callable[[list[MarketEvent]], None] = self.early.extend
        self.unreadable = 0
        self._frames = self._counted = 0
        self._unkept = Unkept()
        self._unacknowledged: set[int] | None = None
        self._unserved = {(_EVENT_OF_CHANNEL[stream.channel], stream.symbol) for stream in work.streams}
        self._socket: ClientConnection | None = None

    async def run(self) -> None:
        """Connect and read until something ends it; that is raised."""
        means, conduct = self._means, self._means.adapter.conduct
        await asyncio.sleep(means.connects.reserve(means.seconds()))
        opening = connect(
            means.adapter.url,
            compression=None,
            max_size=MAX_FRAME_BYTES,
            max_queue=_FRAMES_AHEAD,
            open_timeout=_OPEN_WITHIN_S,
            close_timeout=_CLOSE_WITHIN_S,
            ping_interval=conduct.ping_s,
            ping_timeout=conduct.ping_s,
            user_agent_header="tapewatch",
        )
        async with opening as socket:
            self._socket = socket
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._speak(socket))
                    group.create_task(self._look_after())
                    await self._receive(socket)
            except* ConnectionClosed as lost:
                # The library hangs up before a frame of any length has to be held in memory.
                if any(isinstance(error, ConnectionClosed) and is_too_large(error) for error in lost.exceptions):
                    self._reject(b"", TOO_LARGE, means.now_us(), at_least_bytes=MAX_FRAME_BYTES + 1)
                raise

    async def close(self) -> None:
        """Hang up; what has arrived by then is still read. Nothing happens before the connection stands."""
        if self._socket is not None:
            await self._socket.close()

    def go_live(self) -> None:
        """Publish what was kept, and from now on everything at once."""
        publish = self._means.publisher.publish
        publish(self.early)
        self.early = []
        if self._heard_by_all is not None and self._heard is not None:
            self._heard_by_all.update(self._heard)
            self._heard = self._heard_by_all
        self._deliver = publish

    async def _receive(self, socket: ClientConnection) -> None:
        recv, now_us, parse = socket.recv, self._means.now_us, self._means.adapter.parse
        while True:
            frame = await recv(decode=False)
            at_us = now_us()
            self._frames += 1
            if self._frames % _LOOK_AT_FIELDS_EVERY == 0 or self._frames <= _LOOK_AT_FIELDS_OF:
                self._look_for_new_fields(frame)
            try:
                parsed = parse(frame, at_us)
            except InvalidFrame as error:
                self._reject(frame, str(error), at_us)
                continue
            if not isinstance(parsed, list):
                self._notice(parsed, at_us)
            elif parsed:
                self.data_frames += 1
                self.last = parsed[-1]
                if self._heard is not None:
                    for event in parsed:
                        self._heard[event.symbol] = event
                if self._unserved:
                    self._note_served(parsed)
                if self._unacknowledged is None:
                    self._confirm(at_us)
                self._deliver(parsed)

    async def _speak(self, socket: ClientConnection) -> None:
        means, conduct = self._means, self._means.adapter.conduct
        budget = Budget(conduct.messages)
        request = means.adapter.subscribe(self.work.streams, uuid4().hex)
        if request.acknowledged_ids:
            self._unacknowledged = set(request.acknowledged_ids)
        for message in request.messages:
            await asyncio.sleep(budget.reserve(means.seconds()))
            await socket.send(message)
        while conduct.text_ping is not None:
            await asyncio.sleep(conduct.text_ping_s)
            await asyncio.sleep(budget.reserve(means.seconds()))
            await socket.send(conduct.text_ping)

    async def _look_after(self) -> None:
        """Once a second: count, and end a connection that is silent, never confirmed, or too old."""
        conduct = self._means.adapter.conduct
        silence, flood, seconds = Silence(), Flood(), self._means.seconds
        rotate_s = None if conduct.rotate_s is None else rotate_after_s(conduct.rotate_s, self._means.uniform)
        silent_s = age_s = seen = 0
        since_s: float | None = None
        while True:
            await asyncio.sleep(1)
            age_s += 1
            silent_s = 0 if self._count_frames() else silent_s + 1
            self._note_clock()
            if self.data_frames > seen:
                seen, since_s = self.data_frames, seconds() if since_s is None else since_s
                self.data_for_s = seconds() - since_s
            if conduct.silent_s is not None and silent_s >= conduct.silent_s:
                raise Stale(f"no frame at all for {silent_s} s")
            # Frames that cannot be read are kept: hanging up for want of others would lose them.
            if silence.look(self.data_frames + self.unreadable):
                raise Stale(f"no data for {silence.limit_s:.0f} s or longer")
            if (self._unacknowledged and age_s >= CONFIRM_WITHIN_S) or len(self.early) > MAX_EARLY_EVENTS:
                raise Stale(f"the subscription is not confirmed after {age_s} s")
            if flood.look(self._frames, self.unreadable):
                self._means.announce(self.work, "degraded", f"{self.unreadable} frames that cannot be read, nearly all")
            if age_s == conduct.first_data_s:
                self._report_unserved(conduct.first_data_s)
            if rotate_s is not None and age_s >= rotate_s:
                rotate_s = None  # once: who cannot replace it now says when it is tried again
                self.leave.set()

    def _notice(self, notice: Notice, at_us: int) -> None:
        if isinstance(notice, ShuttingDown):
            log.info("the exchange will close this connection", connection=self.work.name)
            self.leave.set()
        elif isinstance(notice, Acknowledged) and self._unacknowledged:
            self._unacknowledged.discard(notice.request_id)
            if not self._unacknowledged:
                self._confirm(at_us)

    def _confirm(self, at_us: int) -> None:
        if self.confirmed_at_us is None:
            self.confirmed_at_us = at_us  # that of the frame: a trade that confirms was heard on this connection
            self._on_confirmed(self)

    def _count_frames(self) -> int:
        new = self._frames - self._counted
        self._counted = self._frames
        metrics.FRAMES.labels(self._means.adapter.exchange).inc(new)
        return new

    def _note_clock(self) -> None:
        if isinstance(self.last, Trade):
            self.clock_offset_us = self._clock.offset_us(self.last, self.confirmed_at_us, self.clock_offset_us)

    def _note_served(self, events: list[MarketEvent]) -> None:
        for event in events:
            self._unserved.discard((type(event), event.symbol))

    def _report_unserved(self, within_s: int) -> None:
        if self._unacknowledged:
            return
        unserved = sorted({symbol for _, symbol in self._unserved})
        self._unserved.clear()
        if unserved:
            log.warning("subscribed and not served", connection=self.work.name, symbols=unserved)
            reason = f"nothing within {within_s} s of subscribing"
            self._means.announce(self.work, "degraded", reason, unserved)

    def _reject(self, frame: str | bytes, reason: str, at_us: int, *, at_least_bytes: int = 0) -> None:
        means, exchange = self._means, self._means.adapter.exchange
        self.unreadable += 1
        metrics.INVALID_FRAMES.labels(exchange).inc()
        rejects, now_s = means.rejects, means.seconds()
        if rejects.may_say(now_s):
            log.warning("unreadable frame", connection=self.work.name, reason=reason, so_far=self.unreadable)
        letter = dead_letter(
            frame,
            reason,
            exchange=exchange,
            connection=self.work.name,
            suppressed=rejects.suppressed,
            at_us=at_us,
            at_least_bytes=at_least_bytes,
        )
        carries_trades = self.work.carries_trades
        kept = rejects.may_keep(frame, now_s, carries_trades=carries_trades) and means.publisher.put(
            DEAD_LETTERS, exchange, letter
        )
        rejects.suppressed = 0 if kept else rejects.suppressed + 1
        if carries_trades and not (kept and len(frame) <= MAX_PAYLOAD_BYTES):
            self._tell_unkept(at_us)

    def _tell_unkept(self, at_us: int) -> None:
        times = self._unkept.note(at_us, self.clock_offset_us or 0)
        if times is not None:
            gap = Gap(tuple(sorted(self.work.symbols)), *times)
            reason = "frames that cannot be read, more than are kept"
            self._means.publisher.announce(gap_event(gap, self.work.exchange, self.work.name, reason, at_us))

    def _look_for_new_fields(self, frame: str | bytes) -> None:
        known = self._means.new_fields
        for channel, names in self._means.adapter.unknown_fields(frame).items():
            for name in sorted(names):
                if (channel, name) not in known and len(known) < _MAX_NEWS:
                    known.add((channel, name))
                    self._means.announce(self.work, "new_field", f"{channel} frames have a new field {name[:64]!r}")
