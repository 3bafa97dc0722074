"""Redis: a rebuildable cache of the newest trades, tickers and order books. One script call a batch.

What it may do is in `redis_rights`.

redis-py by default sends a command again when its answer was lost. Here it must not: the first failure ends the
process, and the next one asks Redis for its position.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import structlog
from aiokafka.structs import TopicPartition

from services.consumer.batch import Batch
from services.consumer.sinks.base import Kept, PositionMoved, StoreFailed, Tally, Written
from services.consumer.sinks.owner import is_surely_gone, new_token
from services.consumer.sinks.recent_trades import REMEMBERED, RecentTrades
from services.consumer.sinks.redis_blob import (
    Packed,
    SymbolKey,
    pack,
    recent_trades,
    refusal,
    traded_symbols,
    trades_key,
    unchanged,
)
from services.consumer.sinks.redis_connection import Connection, Script
from services.consumer.sinks.redis_early import read_early
from services.consumer.sinks.redis_positions import (
    ACKNOWLEDGED,
    BEGUN_KEY,
    OWNER_KEY,
    TALLY_KEY,
    UNACKNOWLEDGED,
    Position,
    position_key,
)
from shared import metrics
from shared.errors import WrongUse
from shared.events import Event
from shared.settings import Settings
from shared.topics import ORDERBOOKS, TICKERS, TRADES, Topic

LEASE_MS = 2_000
"""How long an owner lives without a sign; a second copy takes over that long after the last one, at most."""
_RENEW_S = 1.0
_MOST_RENEWALS = 60
"""Who takes longer from owning the partitions to the loop hangs, and may be replaced."""
STREAM_EXPIRES_S = 7 * 24 * 3600
_STANDBY_POLL_S = 0.2
_TAILS_AT_ONCE = 8  # reading a thousand entries holds Redis for a millisecond or two
_MOST_SYMBOLS = 20_000  # remembered; those beyond are read from Redis again when they trade
_WRITE, _TAKE, _TAIL = Script("redis_write.lua"), Script("redis_take.lua"), Script("redis_tail.lua")
_GIVE_UP = Script("redis_give_up.lua")
log = structlog.get_logger(__name__)


class RedisSink:
    """The newest trades, tickers and order books in Redis. Use it from one task at a time."""

    name = "redis"
    topics: tuple[Topic, ...] = (TRADES, TICKERS, ORDERBOOKS)
    is_record = False

    def __init__(self, settings: Settings) -> None:
        self._settings = settings.redis
        self._wait_s = settings.start.wait_s
        self._connection = Connection(settings.redis)
        self._token = new_token()
        self._positions: dict[tuple[str, int], Position] = {}
        self._recent: dict[SymbolKey, RecentTrades] = {}
        self._standby = metrics.STANDBY.labels(reader=self.name)
        self._waits_for: str | None = None
        self._tally_fields = ("", "")
        self._unanswered = False
        self._keeping: asyncio.Task[None] | None = None
        self._renewed_at_s = 0.0
        self.tally = Tally()

    @property
    def is_standby(self) -> bool:
        """See `Sink.is_standby`."""
        return self._waits_for is not None

    @property
    def is_made_anew(self) -> bool:
        """See `Sink.is_made_anew`."""
        return any(position.begun for position in self._positions.values())

    @property
    def answered(self) -> int:
        """See `Sink.answered`: runs of a script."""
        return self._connection.answered

    def refuses(self, event: Event) -> str | None:
        """See `redis_blob.refusal`."""
        return refusal(event)

    async def open(self, topic_ids: Mapping[TopicPartition, str]) -> Mapping[TopicPartition, int | None]:
        """Wait for Redis and until no other copy owns one of the partitions; see `Sink.open`."""
        first = "{}/{}".format(*min(topic_ids))
        self._tally_fields = ACKNOWLEDGED + first, UNACKNOWLEDGED + first
        await self._connection.wait_until_reachable(self._wait_s)
        while owner := await self._take(topic_ids):
            if self._waits_for != owner:
                log.warning("standby: another copy owns partitions of this shard", owner=owner)
            self._waits_for = owner
            self._standby.set(1)
            await asyncio.sleep(_STANDBY_POLL_S)
        self._standby.set(0)
        if self._waits_for:
            log.info("took over from the other copy", owner=self._waits_for)
            self._waits_for = None
        self._keeping = asyncio.create_task(self._keep(), name="redis lease")
        return {partition: self._positions[partition].next_offset for partition in topic_ids}

    async def _take(self, topic_ids: Mapping[TopicPartition, str]) -> str | None:
        """Take all partitions, or return the token of the live owner of one. Raises WrongUse without a right."""
        gone: list[str] = []
        partitions = [
            (position_key(topic), str(p), topic_id, f"{topic}/{p}") for (topic, p), topic_id in topic_ids.items()
        ]
        while True:
            tally = TALLY_KEY, *self._tally_fields
            verdict, *found = await self._connection.run(
                _TAKE, (self._token, LEASE_MS, gone, partitions, tally, BEGUN_KEY)
            )
            if verdict == b"taken":
                self.tally = Tally(*map(int, found[:2]))
                self._positions |= {
                    p: Position.parse(text.decode()).of_topic(begun.decode())
                    for p, text, begun in zip(topic_ids, found[2::2], found[3::2], strict=True)
                }
                return None
            if verdict == b"refused":
                raise WrongUse(
                    f"TAPEWATCH_REDIS__URL: Redis at {self._connection.address} does not let this user delete entries: "
                    f"{found[0].decode()}. Write its line in the ACL file anew, as `tapewatch redis acl writer "
                    "--password-file FILE` prints it, and let Redis load it"
                )
            owner = found[0].decode()
            if owner in gone or not is_surely_gone(owner):
                return str(owner)
            gone.append(owner)

    async def write(self, batch: Batch) -> Written:
        """Store the batch and its positions, or nothing. Raises PositionMoved, or StoreFailed."""
        for piece in batch.slices:
            here = self._positions[piece.topic, piece.partition].next_offset
            if here not in (None, piece.first_offset):
                raise PositionMoved(f"batch {batch.id} begins at {piece.first_offset}, Redis is at {here}")
        if any(piece.events for piece in batch.slices):
            await self._stop_keeping()
        self._unanswered = True
        await self._recall(traded_symbols(batch))
        # Until Redis answers it holds trades that are perhaps not there: without an answer it is forgotten.
        recent, self._recent = self._recent, {}
        packed = pack(batch, self._positions, recent)
        written = await self._run(packed, counted=(TALLY_KEY, self._tally_fields[0]))
        self._unanswered, self._recent = False, recent
        self.tally = replace(self.tally, acknowledged=self.tally.acknowledged + 1)
        return written

    async def kept(self, _: TopicPartition) -> Kept | None:
        """None: this is a cache; see `Sink.kept`."""
        return None

    async def refresh(self) -> None:
        """Renew the lease, and see that the positions are still ours. Raises PositionMoved, or StoreFailed."""
        await self._stop_keeping()
        await self._run(Packed([], unchanged(self._positions), {}, {}))

    async def _keep(self) -> None:
        """Renew the lease until the loop does: reading has to be begun first, which may take longer than it lasts."""
        for _ in range(_MOST_RENEWALS):
            await asyncio.sleep(_RENEW_S)
            try:
                await self._renew()
            except StoreFailed as error:  # whoever writes next hears of it, too
                log.warning("could not renew the ownership", lease_ms=LEASE_MS, reason=str(error))

    async def _stop_keeping(self) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
            self._keeping = None

    async def _renew(self) -> None:
        """Renew the lease alone: where positions have moved, the next write sees it."""
        await self._run(Packed([], [], {}, {}))

    async def _run(self, packed: Packed, counted: tuple[str, str] | bool = False) -> Written:
        cap = self._settings.stream_cap
        argument = (self._token, LEASE_MS, cap, STREAM_EXPIRES_S, packed.positions, packed.symbols, counted)
        verdict, *found = await self._connection.run(_WRITE, argument)
        self._renewed_at_s = asyncio.get_running_loop().time()
        if verdict == b"moved":
            key, field, stored = (text.decode() for text in found)
            raise PositionMoved(
                f"{key} {field} in Redis is {stored or 'gone'!r}, which this process did not leave there: "
                "another copy took over, or Redis lost data"
            )
        self._positions |= packed.after
        new = dict(zip((topic.name for topic in self.topics), found[::2], strict=True))
        held = dict(zip(new, found[1::2], strict=True))
        return Written(new, {topic: held[topic] + packed.repeated.get(topic, 0) for topic in new})

    async def _recall(self, symbols: Mapping[SymbolKey, int]) -> None:
        """Read from Redis what is to be remembered of symbols that this process has not written yet."""
        unknown = [key for key in symbols if key not in self._recent]
        for i in range(0, len(unknown), _TAILS_AT_ONCE):
            keys = unknown[i : i + _TAILS_AT_ONCE]
            stand = {key: self._positions[TRADES.name, symbols[key]] for key in keys}
            if asyncio.get_running_loop().time() - self._renewed_at_s >= _RENEW_S:
                await self._renew()
            tails = await self._connection.run(_TAIL, (REMEMBERED, [trades_key(*key) for key in keys]))
            early = await read_early(self._connection, stand)
            for key, tail in zip(keys, tails, strict=True):
                self._recent[key] = recent_trades(tail, stand[key], early.get(key, ()))
        for key in list(self._recent)[: max(0, len(self._recent) - _MOST_SYMBOLS)]:
            if key not in symbols:
                del self._recent[key]

    async def close(self) -> None:
        """Give up ownership at once, so that another copy need not wait for the lease to end; disconnect.

        After a write without an answer the positions keep our name: the next owner counts it.
        """
        await self._stop_keeping()
        held = {} if self._unanswered else self._positions
        given_up = [(position_key(t), str(p), str(here), str(here.given_up())) for (t, p), here in held.items()]
        try:
            await self._connection.run(_GIVE_UP, (OWNER_KEY + self._token, given_up))
        except StoreFailed as error:
            log.warning("could not give up ownership: it ends by itself", lease_ms=LEASE_MS, reason=str(error))
        finally:
            await self._connection.close()
