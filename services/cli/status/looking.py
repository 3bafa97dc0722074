"""Asks Kafka, Redis and Postgres for everything that `state` holds."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from services.cli.status.state import Delay, NewestTrade, State, Success, TopicLag, rates, reaches
from services.cli.stores import TOPICS_OF_SINK, Progress, Stores, told
from services.consumer.retention_probe import RetentionProbe
from shared.clock import now_us
from shared.errors import Unreachable
from shared.kafka import wait_until_reachable
from shared.settings import Settings
from shared.topic_ids import wait_for_topic_ids
from shared.topics import ORDERBOOKS, TICKERS, TOPICS, TRADES

_CONNECT_WITHIN_S, _LOOK_WITHIN_S = 2, 20
_RETENTION_EVERY_S = 10.0
_CAUGHT_UP_WITHIN_S, _ASK_AGAIN_S = 1.0, 0.002
_FLOWS = (TRADES, TICKERS, ORDERBOOKS)
Ratios = dict[tuple[str, str], float]


class Looker:
    """Connections that stay open between looks."""

    def __init__(self, settings: Settings, stores: Stores, retention: RetentionProbe) -> None:
        self._settings, self._stores, self._retention = settings, stores, retention
        self._ratios: Ratios = {}
        self._ratios_at_s = float("-inf")
        self._last: State | None = None

    @classmethod
    @asynccontextmanager
    async def connect(cls, settings: Settings) -> AsyncIterator["Looker"]:
        """Connect to all three. Raises Unreachable, and WrongUse where topics or tables are missing."""
        await wait_until_reachable(settings.kafka, min(_CONNECT_WITHIN_S, settings.start.wait_s))
        await wait_for_topic_ids(settings.kafka, TOPICS, 0)
        async with AsyncExitStack() as at_end:
            with _kafka_told():
                stores = await at_end.enter_async_context(Stores.connect(settings))
                retention = await at_end.enter_async_context(RetentionProbe(settings.kafka, "status"))
            yield cls(settings, stores, retention)

    async def look(self) -> State:
        """Everything as it is now. Raises Unreachable when one of the three does not answer."""
        try:
            async with asyncio.timeout(_LOOK_WITHIN_S):
                with told(), _kafka_told():
                    self._last = await self._look()
        except TimeoutError:
            raise Unreachable(f"no answer within {_LOOK_WITHIN_S} s") from None
        return self._last

    async def _look(self) -> State:
        stores = self._stores
        progress = await stores.progress()
        at_us = now_us()
        ratios = await self._retention_ratios(progress)
        delays = [Delay(sink, await self._caught_up_ms(sink)) for sink in TOPICS_OF_SINK]
        streams, in_postgres = await stores.streams(), await stores.newest_in_postgres_us()
        batches = await stores.batches()
        newest: dict[tuple[str, str], int] = {("postgres", exchange): us for exchange, us in in_postgres.items()}
        for one in streams:
            place = ("redis", one.exchange)
            newest[place] = max(newest.get(place, 0), one.newest_us)
        now = now_us()
        return State(
            at_us,
            rates(self._last, {topic.name: progress.held(topic) for topic in _FLOWS}, at_us),
            [
                TopicLag(
                    sink, topic.name, progress.position(sink, topic), progress.behind(sink, topic),
                    round(ratios.get((sink, topic.name), 0.0), 4),
                )
                for sink, topics in TOPICS_OF_SINK.items()
                for topic in topics
            ],
            [
                NewestTrade(store, exchange, round((now - received_us) / 1_000_000, 3))
                for (store, exchange), received_us in sorted(newest.items())
            ],
            delays,
            reaches(streams, self._settings.redis.stream_cap, now),
            [Success.of(store, found.acknowledged, found.unacknowledged) for store, found in batches.items()],
        )  # fmt: skip

    async def _retention_ratios(self, progress: Progress) -> Ratios:
        """Kafka's records are read for it, so it is not looked up at every look."""
        loop = asyncio.get_running_loop()
        if loop.time() - self._ratios_at_s < _RETENTION_EVERY_S:
            return self._ratios
        for sink, positions in progress.of_sink.items():
            if positions:  # a store that began nothing has no lag of an age
                places = {TopicPartition(*place): at for place, at in positions.items() if place in progress.ends}
                found = await self._retention.lags(places, now_us() // 1000)
                self._ratios |= {(sink, topic): lag.ratio for topic, lag in found.items()}
        self._ratios_at_s = loop.time()
        return self._ratios

    async def _caught_up_ms(self, sink: str) -> float | None:
        """How long until the store had what Kafka holds at this moment, by one clock: ours."""
        loop = asyncio.get_running_loop()
        wanted, begun_s = await self._stores.ends(TOPICS_OF_SINK[sink]), loop.time()
        while loop.time() - begun_s < _CAUGHT_UP_WITHIN_S:
            here = await self._stores.positions(sink)
            took_ms = (loop.time() - begun_s) * 1000
            if all(here.get(place, 0) >= end for place, end in wanted.items()):
                return round(took_ms, 1)
            await asyncio.sleep(_ASK_AGAIN_S)
        return None


@contextmanager
def _kafka_told() -> Iterator[None]:
    try:
        yield
    except KafkaError as error:
        raise Unreachable(f"Kafka: {error!r}; is TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS right?") from None
