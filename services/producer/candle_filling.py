"""Fills the candles' topic beside the tape: reads what it holds, asks the exchange for the rest, at a walking pace.

Nothing here may hold up a trade or spend an exchange's patience: one question at a time, within `candles.MINUTES`, a
pause when the exchange asks for one, and none at all while Kafka has not taken what came. What fails is counted, told
once, and asked again later.
"""

import asyncio
from collections.abc import Mapping

import aiohttp
import msgspec
import structlog
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from services.producer.candle_turns import Turns
from services.producer.candles import MINUTES
from services.producer.exchanges.base import InvalidFrame, Listing
from services.producer.publisher import Publisher
from services.producer.rest import NoAnswer, Rest, make_session
from services.producer.stretches import DAY_US, Page, Stretches
from shared import metrics
from shared.clock import NowMicros
from shared.events import FeedEvent, FeedKind
from shared.kafka import PartitionReader
from shared.partitioning import Shard
from shared.settings import KafkaSettings
from shared.topics import CANDLES

MAX_WAITING_BYTES = 4 << 20
MAX_BODY_BYTES = 1 << 20
_LOOK_AGAIN_S = 5.0
_READ_AT_ONCE, _BETWEEN_READS_S = 500, 0.01
"""A day of all markets is a million records: read in small bites, so that no trade waits for them."""

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 2.0, 300.0
_OF_THE_MARKET = (400, 404)
_NAMED = 20
"""So many markets without candles are told one by one; then it is no matter of the market."""

log = structlog.get_logger(__name__)


class _Held(msgspec.Struct, gc=False):
    exchange: str
    symbol: str
    opened_at_us: int


_held = msgspec.json.Decoder(_Held).decode


class CandleFilling:
    """The candles of one producer's markets. `rest`: who is asked; `exchange`: whom they are told of."""

    def __init__(self, rest: Rest, exchange: str, shard: Shard, publisher: Publisher, now_us: NowMicros) -> None:
        self._rest, self._exchange, self._shard = rest, exchange, shard
        self._publisher, self._now_us = publisher, now_us
        self._stretches = Stretches()
        self._listings: dict[str, Listing] = {}
        self._minutes = MINUTES[rest.exchange]
        self._turns = Turns(self._minutes, shard.count)
        self._told: set[str] = set()
        self._failures = 0
        self._knows_held = False

    def cover(self, listings: Mapping[str, Listing]) -> None:
        """Keep candles of these markets too from now on, by symbol; those that are new soonest."""
        self._listings.update(listings)
        if self._knows_held:
            self._stretches.want(self._listings)

    async def run(self, kafka: KafkaSettings) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._read_held(kafka)
                break
            except (KafkaError, TimeoutError) as error:
                log.warning("waiting for Kafka", reason=str(error) or repr(error))
                await asyncio.sleep(_LOOK_AGAIN_S)
        await self.fill()

    async def fill(self) -> None:
        """Ask for what is missing beside what is known to be held, until cancelled."""
        self._knows_held = True
        self._stretches.want(self._listings)
        async with make_session() as session:
            while True:
                page = self._stretches.next(self._now_us())
                if page is None or self._publisher.candle_bytes > MAX_WAITING_BYTES:
                    if page is not None:
                        self._stretches.put_back(page)
                    await asyncio.sleep(_LOOK_AGAIN_S)
                    continue
                listing = self._listings[page.symbol]
                await asyncio.sleep(self._turns.wait_s(page, asyncio.get_running_loop().time()))
                await self._ask(session, page, listing)

    async def _ask(self, session: aiohttp.ClientSession, page: Page, listing: Listing) -> None:
        try:
            body = await self._rest.fetch(session, self._minutes.path(page.symbol, page.before_us), MAX_BODY_BYTES)
            candles = self._minutes.read(body, self._exchange, listing, self._now_us())
        except InvalidFrame as error:
            self._give_up(page, "unreadable", str(error))
        except NoAnswer as error:
            if error.status in _OF_THE_MARKET:
                self._give_up(page, "refused", str(error))
            else:
                self._stretches.put_back(page)
                await self._pause(error)
        else:
            self._count("answered")
            if self._failures:
                self._failures = 0
                self._announce("resumed", "candles come again")
            self._publisher.put_candles(self._stretches.take(page, candles))

    def _give_up(self, page: Page, outcome: str, reason: str) -> None:
        """It is this market's fault: the others go on."""
        self._count(outcome)
        self._stretches.give_up(page, self._now_us())
        if page.symbol in self._told:
            return
        self._told.add(page.symbol)
        log.warning("no candles of a market", exchange=self._exchange, symbol=page.symbol, reason=reason)
        if len(self._told) < _NAMED:
            self._announce("degraded", f"no candles: {reason}", [page.symbol])
        elif len(self._told) == _NAMED:
            self._announce("degraded", f"no candles of {_NAMED} markets, further ones are counted: {reason}")

    async def _pause(self, error: NoAnswer) -> None:
        """It is nobody's fault but the exchange's, or ours: nobody is asked for a while."""
        self._count("slow down" if error.status in (418, 429) else "unanswered")
        pause_s = max(min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**self._failures), self._rest.quiet_s)
        if not self._failures:
            self._announce("degraded", f"candles have to wait: {error}")
        self._failures = min(self._failures + 1, 10)
        log.warning("candles have to wait", exchange=self._exchange, reason=str(error), again_in_s=pause_s)
        await asyncio.sleep(pause_s)

    def _count(self, outcome: str) -> None:
        metrics.CANDLE_REQUESTS.labels(self._rest.exchange, outcome).inc()

    def _announce(self, kind: FeedKind, reason: str, symbols: list[str] | None = None) -> None:
        event = FeedEvent(
            kind=kind, exchange=self._exchange, reason=reason[:2_000], at_us=self._now_us(), symbols=symbols,
            connection=f"{self._exchange}-{self._shard.index}-candles",
        )  # fmt: skip
        self._publisher.announce(event)

    async def _read_held(self, kafka: KafkaSettings) -> None:
        """What the topic holds of the last day."""
        partitions = [TopicPartition(CANDLES.name, number) for number in self._shard.partitions(CANDLES.partitions)]
        reader = PartitionReader(kafka, f"producer-{self._exchange}-candles")
        try:
            await reader.connect()
            ends = await reader.log_ends(partitions)
            starts = await reader.offsets_since(partitions, (self._now_us() - DAY_US) // 1000)
            unread = {p: start for p, start in starts.items() if start < ends[p]}
            await reader.start(unread)
            while unread:
                for partition, records in (await reader.batch(1000, _READ_AT_ONCE)).items():
                    for record in records:
                        self._note(record.value)
                    if records[-1].offset + 1 >= ends[partition]:
                        unread.pop(partition, None)
                await asyncio.sleep(_BETWEEN_READS_S)
        finally:
            await reader.close()

    def _note(self, value: bytes | None) -> None:
        try:
            held = _held(value or b"")
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return  # it is the readers' dead letter; here it only says nothing
        if held.exchange == self._exchange:
            self._stretches.note(held.symbol, held.opened_at_us)
