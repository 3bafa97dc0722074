"""Keeps one connection's streams flowing: reconnects, replaces before a planned cut, writes down what was missed."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import cast

import structlog

from services.producer.backoff import Backoff
from services.producer.endings import Ending, classify, is_answered
from services.producer.gaps import NOT_RUNNING, STANDS, Heard, gap_event, gaps_after, missed_since
from services.producer.lanes import Place
from services.producer.plan import Connection
from services.producer.publisher import Publisher
from services.producer.session import Means, Session
from shared import metrics
from shared.events import FeedKind, MarketEvent, Trade

OVERLAP_S = 1.0
REPLACE_WITHIN_S = 30.0
STALLED = "the exchange trades what does not come, while other symbols do"
SILENT_BEFORE = "it was silent for long when its connection was replaced, and was traded meanwhile"
_STALLS_AHEAD_US = int(REPLACE_WITHIN_S * 1_000_000)
_TRY_TO_REPLACE_AGAIN_S = 60.0
log = structlog.get_logger(__name__)


class Feed:
    """One planned connection for as long as the process lives.

    `heard_until_us`: up to when nothing is missing in Kafka, by symbol, our clock; symbols that were never subscribed
    are not in it. `clock_offset_us`: how far the exchange's clock is behind ours. `why`: the reason of the first gap.
    """

    def __init__(
        self,
        work: Connection,
        means: Means,
        heard_until_us: Mapping[str, int],
        clock_offset_us: int,
        why: str = NOT_RUNNING,
    ) -> None:
        self._work = work
        self._means = means
        self._heard_until_us = dict(heard_until_us) if work.carries_trades else {}
        self._clock_offset_us = clock_offset_us
        self._why = why
        self._session: Session | None = None
        self._stop = asyncio.Event()
        self._replace_again_in_s = 0.0
        self._is_up = self._was_up = self._fell_silent = False
        self._word: asyncio.Task[None] | None = None
        """That a connection stands, while it waits for Kafka."""
        self._heard: dict[str, MarketEvent] = {}
        self._stalled_until_us: dict[str, int] = {}
        self._unreadable_before = 0
        self.symbols = work.symbols
        self.carries_trades = work.carries_trades
        self.last_ending = ""
        """Why its last connection ended, or could not be made."""

    @property
    def is_up(self) -> bool:
        """Whether the exchange has confirmed the subscription of a connection that stands."""
        return self._is_up

    @property
    def is_silent(self) -> bool:
        """Whether a connection went silent, and the one that stands instead has brought nothing yet either."""
        return self._fell_silent and self._session is not None and not self._session.data_frames

    @property
    def confirmed_at_us(self) -> int:
        """When the subscription of the connection that stands was confirmed; 0 while there is none."""
        return (self._session.confirmed_at_us if self._session is not None else None) or 0

    @property
    def stands(self) -> bool:
        """Whether it carries trades on a connection that is up, and is not about to be replaced."""
        return self.carries_trades and self._is_up and self._session is not None and not self._session.leave.is_set()

    @property
    def complete_us(self) -> int:
        """Up to when everything of the connection that stands has come, our clock; 0 while there is none."""
        return 0 if self._session is None else self._complete_on_us(self._session)

    def tell_standing(self, complete_us: int) -> None:
        """Kafka holds everything of the connection that stands until then; stalls have gaps of their own."""
        symbols = [symbol for symbol in self.symbols if symbol not in self.stalled]
        self._means.announce(self._work, "connected", STANDS, symbols, to_us=complete_us)

    @property
    def heard(self) -> Mapping[str, Trade]:
        """The last trade of each symbol that was published, where there was one. Empty without a stream of trades."""
        return cast("dict[str, Trade]", self._heard)  # trades share their connection with nothing else

    def signs(self) -> dict[str, int]:
        """By symbol, what changes whenever it is heard. A frame that cannot be read may be of any: it is no silence."""
        unreadable, heard = self._unreadable_before, self._heard
        if self._session is not None:
            unreadable += self._session.unreadable
        return {s: heard[s].received_at_us + unreadable if s in heard else unreadable for s in self.symbols}

    @property
    def stalled(self) -> Collection[str]:
        """Those whose stall was told and is not over: what they miss meanwhile is told here, and by nobody else."""
        return self._stalled_until_us.keys()

    def stall(self, symbols: Sequence[str]) -> None:
        """These are traded and do not come on a line that is up: tell, write down what may be missing, replace it.

        The gap is told ahead, for as long as the replacement may take, so that a crash leaves nothing untold.
        """
        means, until_us = self._means, self._means.now_us() + _STALLS_AHEAD_US
        means.announce(self._work, "stalled", STALLED, list(symbols))
        # What was told of an earlier stall ends somewhere: from there on it is not told by anybody else.
        told_us = self._stalled_until_us
        since_us = {symbol: self.complete_until_us(symbol) for symbol in symbols}
        self._tell_gaps({symbol: min(us, told_us.get(symbol, us)) for symbol, us in since_us.items()}, until_us)
        self._stalled_until_us |= dict.fromkeys(symbols, until_us)
        if self._session is not None:
            self._session.leave.set()

    def miss(self, since_us: Mapping[str, int]) -> None:
        """Since then, by symbol, trades may be missing that no other gap tells of."""
        self._tell_gaps(since_us, self._means.now_us(), SILENT_BEFORE)

    def end_stalls(self) -> None:
        """A stall is over when its symbol is heard again; what was missed beyond the gap that was told is told now.

        The last trade from before a subscription, with which Upbit answers it, is no such sign.
        """
        for symbol, told_us in list(self._stalled_until_us.items()):
            trade, since_us = self.heard.get(symbol), max(told_us - _STALLS_AHEAD_US, self.confirmed_at_us)
            if trade is not None and self._complete_with_us(trade) > since_us:
                del self._stalled_until_us[symbol]
                if trade.received_at_us > told_us:
                    self._tell_gaps({symbol: told_us}, trade.received_at_us)

    def _tell_gaps(self, since_us: Mapping[str, int], until_us: int, reason: str = STALLED) -> None:
        for gap in gaps_after(since_us, self._clock_offset_now_us(), until_us, self._heard.values()):
            event = gap_event(gap, self._work.exchange, self._work.name, reason, self._means.now_us())
            self._means.publisher.announce(event)

    def complete_until_us(self, symbol: str) -> int:
        """Up to when nothing of a symbol is missing, our clock; what came before its connection has its gap already."""
        trade, confirmed_us = self.heard.get(symbol), self._heard_until_us.get(symbol, 0)
        if trade is None:
            return confirmed_us
        return max(confirmed_us, self._complete_with_us(trade))

    def _complete_with_us(self, trade: Trade) -> int:
        return Heard(trade.received_at_us, trade.traded_at_us).complete_until_us(self._clock_offset_now_us())

    def _complete_on_us(self, session: Session) -> int:
        # What was missed before the connection was confirmed has its gap already.
        complete_us = self._complete_with_us(session.last) if isinstance(session.last, Trade) else 0
        return max(session.confirmed_at_us or 0, complete_us)

    def _clock_offset_now_us(self) -> int:
        session = self._session
        return (session.clock_offset_us if session is not None else None) or self._clock_offset_us

    async def hang_up(self) -> None:
        """End `run`: close the connection in good order, so that all that was sent to us by then is published."""
        self._stop.set()
        if self._session is not None:
            await self._session.close()
        self._give_up_stalls()

    def _give_up_stalls(self) -> None:
        """Nobody looks any more: what goes on beyond its gap, or was heard since the last look, is told up to now."""
        self.end_stalls()
        left, now_us = self._stalled_until_us, self._means.now_us()
        self._stalled_until_us = {}
        self._tell_gaps({symbol: told_us for symbol, told_us in left.items() if told_us < now_us}, now_us)

    async def run(self) -> None:
        """Until told to hang up."""
        backoff = Backoff(self._means.uniform)
        while True:
            ending, data_for_s = await self._line()
            self._is_up, self._fell_silent = False, ending.kind == "stalled"
            self.last_ending = ending.reason
            if self._stop.is_set():
                return
            wait_s = max(backoff.next_s(data_for_s=data_for_s, permanent=ending.permanent), ending.wait_at_least_s)
            log.warning(
                "connection ended", connection=self._work.name, reason=ending.reason, again_in_s=round(wait_s, 2)
            )
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), wait_s)
                return

    async def _line(self) -> tuple[Ending, float]:
        """Connections that replace each other without a break; returns why the last one ended, and for how many seconds
        data came on that of them on which it came longest.
        """
        data_for_s = 0.0
        self._replace_again_in_s = 0.0
        session = Session(self._work, self._means, self._go_live, self._heard)
        self._stand(session)
        running = asyncio.create_task(session.run())
        try:
            while True:
                leaving = asyncio.create_task(_leaving(session, self._replace_again_in_s))
                await asyncio.wait({running, leaving}, return_when=asyncio.FIRST_COMPLETED)
                leaving.cancel()
                if running.done():
                    return self._ended(session, running), max(data_for_s, session.data_for_s)
                data_for_s = max(data_for_s, session.data_for_s)
                session, running = await self._replaced(session, running)
                self._stand(session)
                if self._stop.is_set():  # who hung up meanwhile knew the first one only
                    await session.close()
        finally:
            self._take_back_word()
            running.cancel()
            await asyncio.wait({running})

    def _stand(self, session: Session) -> None:
        if self._session is not None and self._session is not session:
            self._unreadable_before += self._session.unreadable
        self._session = session

    async def _replaced(self, old: Session, old_running: "asyncio.Task[None]") -> tuple[Session, "asyncio.Task[None]"]:
        """Open a second connection, and hang up the first once the second is confirmed; else keep the first."""
        confirmed = asyncio.Event()
        overlapped = False

        def note(_: Session) -> None:
            # Asked at this moment: told to stop, we may hang up the first before anybody looks again.
            nonlocal overlapped
            overlapped = old.confirmed_at_us is not None and not old_running.done()
            confirmed.set()

        fresh = Session(self._work, self._means, note, self._heard)
        fresh.clock_offset_us = old.clock_offset_us  # what comes first may be old
        running = asyncio.create_task(fresh.run())
        waiting = asyncio.create_task(confirmed.wait())
        kept = False
        try:
            await asyncio.wait({running, waiting}, timeout=REPLACE_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
            if not confirmed.is_set() or running.done():
                self._keep(old, self._failed(running) if running.done() else None)
                return old, old_running
            self._replace_again_in_s = 0.0
            await asyncio.sleep(OVERLAP_S)
            await old.close()
            # Everything of the old one is published before anything of the new one: the order of a symbol is kept.
            await asyncio.wait({old_running})
            self._ended(old, old_running)
            if overlapped and fresh.confirmed_at_us is not None:
                self._overlap(fresh.confirmed_at_us, whole=_came_whole(old_running))
            self._go_live(fresh)
            kept = True
            return fresh, running
        finally:
            waiting.cancel()
            if not kept:
                running.cancel()
                await asyncio.wait({running})

    def _overlap(self, confirmed_at_us: int, *, whole: bool) -> None:
        """The old connection was read beyond that: all of it, or as far as its last trade tells."""
        for symbol, us in self._heard_until_us.items():
            self._heard_until_us[symbol] = confirmed_at_us if whole else min(us, confirmed_at_us)

    def _keep(self, old: Session, ending: Ending | None) -> None:
        """Its successor ended so, or took too long: try again later, and not before the exchange lets us."""
        reason, wished_s = ("it took too long", 0.0) if ending is None else (ending.reason, ending.wait_at_least_s)
        wait_s = self._replace_again_in_s = max(_TRY_TO_REPLACE_AGAIN_S, wished_s)
        log.warning("no second connection yet", connection=self._work.name, reason=reason, again_in_s=wait_s)
        old.leave.clear()

    def _failed(self, running: "asyncio.Task[None]") -> Ending:
        """Classify and count. Raises what nobody foresaw."""
        ending = _ending(running)
        metrics.CONNECTIONS_LOST.labels(self._means.adapter.exchange, ending.kind).inc()
        return ending

    def _go_live(self, session: Session) -> None:
        work, means = self._work, self._means
        confirmed_at_us = session.confirmed_at_us or means.now_us()
        missed = missed_since(self._heard_until_us, confirmed_at_us)
        for gap in gaps_after(missed, self._clock_offset_us, confirmed_at_us, session.early):
            means.publisher.announce(gap_event(gap, work.exchange, work.name, self._why, means.now_us()))
        if work.carries_trades:
            # From here on this is what is known, should the connection be lost before its first trade.
            self._heard_until_us = dict.fromkeys(work.symbols, confirmed_at_us)
        log.info("connected", connection=work.name, streams=len(work.streams), symbols_with_gap=len(missed))
        self._say_connected(confirmed_at_us)
        session.go_live()
        self._is_up = True

    def _say_connected(self, confirmed_at_us: int) -> None:
        """The next start counts on Kafka's holding what came before: trades of an earlier connection may still wait.

        The first word waits for nothing: without it, nobody would know that these symbols were ever subscribed.
        """
        work, means = self._work, self._means
        say = partial(
            means.announce, work, "connected", f"{len(work.streams)} streams", work.symbols, at_us=confirmed_at_us
        )
        put = means.publisher.trades_put if self._was_up and work.carries_trades else {}
        self._was_up = True
        if not put or means.publisher.holds(put):
            say()
        else:
            self._word = asyncio.create_task(_say_once_held(means.publisher, put, say))

    def _take_back_word(self) -> None:
        if self._word is not None:
            self._word.cancel()
            self._word = None

    def _ended(self, session: Session, running: "asyncio.Task[None]") -> Ending:
        """Classify, tell, and remember up to when nothing is missing. Raises what nobody foresaw."""
        ending = self._failed(running)
        self._take_back_word()  # it stands no more; its successor says it of itself
        if session.confirmed_at_us is not None or ending.permanent:
            kind: FeedKind = (
                "stalled" if ending.kind == "stalled" else "degraded" if ending.permanent else "disconnected"
            )
            self._means.announce(self._work, kind, ending.reason, self._work.symbols)
        if session.confirmed_at_us is not None and self._work.carries_trades:
            self._why = f"connection lost: {ending.reason}"
            self._clock_offset_us = session.clock_offset_us or self._clock_offset_us
            self._heard_until_us = dict.fromkeys(self._work.symbols, self._complete_on_us(session))
        return ending


async def _leaving(session: Session, not_for_s: float) -> None:
    """Until it is to be replaced; one that could not be so before is then due."""
    if not_for_s:
        await asyncio.sleep(not_for_s)
        session.leave.set()
    await session.leave.wait()


async def _say_once_held(publisher: Publisher, trades_put: Mapping[Place, int], say: Callable[[], None]) -> None:
    await publisher.until_holds(trades_put)
    say()


def _ending(running: "asyncio.Task[None]") -> Ending:
    error = running.exception() or RuntimeError("a session ended without saying why")
    endings = [classify(leaf) for leaf in _leaves(error)]
    known = [ending for ending in endings if ending is not None]
    if len(known) < len(endings):
        raise error
    # A task of the session that noticed the reason tells more than another that only noticed the closing.
    return min(known, key=lambda ending: ending.kind in ("closed", "lost"))


def _came_whole(ended: "asyncio.Task[None]") -> bool:
    """Whether all that the exchange sent on it has come: one that was dead brings nothing, and is not yet closed."""
    error = ended.exception()
    return error is not None and any(is_answered(leaf) for leaf in _leaves(error))


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
