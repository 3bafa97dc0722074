"""Asks Kafka, Redis and Postgres for everything that `state` holds."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from typing import TypeVar

from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from services.cli.status.state import Delay, State, Success, TopicLag, newest_trades, rates, reaches
from services.cli.stores import TOPICS_OF_SINK, Progress, Stores, told
from services.consumer.retention_probe import RetentionProbe
from shared.clock import now_us
from shared.errors import Unreachable
from shared.kafka import wait_until_reachable
from shared.redaction import without_secrets
from shared.settings import Settings
from shared.topic_ids import wait_for_topic_ids
from shared.topics import ORDERBOOKS, TICKERS, TOPICS, TRADES

_CONNECT_WITHIN_S, _LOOK_WITHIN_S = 2, 20
_RETENTION_EVERY_S = 10.0
_CAUGHT_UP_WITHIN_S, _ASK_AGAIN_S = 1.0, 0.002
_FLOWS = (TRADES, TICKERS, ORDERBOOKS)
Ratios = dict[tuple[str, str], float]
Answer = TypeVar("Answer")


class Looker:
    """Connections that stay open between looks. `away` by name: why one could not be made."""

    def __init__(
        self,
        settings: Settings,
        stores: Stores,
        retention: RetentionProbe | None,
        away: dict[str, str],
        last: State | None,
    ) -> None:
        self._settings, self._stores, self._retention = settings, stores, retention
        self._unconnected, self._away = away, dict[str, str]()
        self._ratios: Ratios = {}
        self._ratios_at_s = float("-inf")
        self._last = last

    @classmethod
    @asynccontextmanager
    async def connect(cls, settings: Settings, last: State | None = None) -> AsyncIterator["Looker"]:
        """Connect to Kafka, if it is there. `last` is what another saw. Raises WrongUse where topics are missing."""
        away: dict[str, str] = {}
        retention: RetentionProbe | None = None
        async with AsyncExitStack() as at_end:
            stores = await at_end.enter_async_context(Stores.prepare(settings))
            try:
                await wait_until_reachable(settings.kafka, min(_CONNECT_WITHIN_S, settings.start.wait_s))
            except Unreachable as error:
                away["kafka"] = without_secrets(str(error))
            else:
                await wait_for_topic_ids(settings.kafka, TOPICS, 0)
                with _kafka_told():
                    await stores.connect_kafka()
                    retention = await at_end.enter_async_context(RetentionProbe(settings.kafka, "status"))
            yield cls(settings, stores, retention, away, last)

    async def look(self) -> State:
        """Everything as it is now, as far as it is known. Raises Unreachable when none of the three answers."""
        self._away = dict(self._unconnected)
        state = await self._look()
        if len(self._away) == 1 + len(TOPICS_OF_SINK):
            raise Unreachable("; ".join(self._away.values()))
        self._last = state
        return state

    async def _ask(self, whom: str, question: Callable[[], Awaitable[Answer]]) -> Answer | None:
        """The answer; None from who is away, which is noted: then nothing more is asked there in this look."""
        if whom in self._away:
            return None
        try:
            async with asyncio.timeout(_LOOK_WITHIN_S):
                with told(), _kafka_told():
                    return await question()
        except TimeoutError:
            self._away[whom] = f"{whom}: no answer within {_LOOK_WITHIN_S} s"
        except Unreachable as error:
            self._away[whom] = without_secrets(str(error))
        return None

    async def _look(self) -> State:
        stores = self._stores
        # Positions first, then Kafka's ends, so that nobody seems ahead of Kafka.
        found = {sink: await self._ask(sink, partial(stores.positions, sink)) for sink in TOPICS_OF_SINK}
        ends = await self._ask("kafka", partial(stores.ends, TOPICS))
        at_us = now_us()
        progress = Progress(ends or {}, {sink: here for sink, here in found.items() if here is not None})
        ratios = await self._ask("kafka", partial(self._retention_ratios, progress))
        delays = {} if ratios is None else {sink: await self._delay(sink) for sink in progress.of_sink}
        streams = await self._ask("redis", stores.streams) or []
        in_postgres = await self._ask("postgres", stores.newest_in_postgres_us) or {}
        batches = {sink: await self._ask(sink, partial(stores.batches, sink)) for sink in TOPICS_OF_SINK}
        now = now_us()
        return State(
            at_us,
            [] if ends is None else rates(self._last, {topic.name: progress.held(topic) for topic in _FLOWS}, at_us),
            [] if ratios is None else list(_lags(progress, ratios)),
            newest_trades(streams, in_postgres, now),
            [delay for delay in delays.values() if delay is not None],
            reaches(streams, self._settings.redis.stream_cap, now),
            [Success.of(sink, one.acknowledged, one.unacknowledged) for sink, one in batches.items() if one],
            dict(self._away),
        )

    async def _delay(self, sink: str) -> Delay | None:
        ms = await self._ask(sink, partial(self._caught_up_ms, sink))
        return None if sink in self._away else Delay(sink, ms)

    async def _retention_ratios(self, progress: Progress) -> Ratios:
        """Kafka's records are read for it, so it is not looked up at every look."""
        loop = asyncio.get_running_loop()
        if self._retention is None or loop.time() - self._ratios_at_s < _RETENTION_EVERY_S:
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


def _lags(progress: Progress, ratios: Ratios) -> Iterator[TopicLag]:
    for sink in progress.of_sink:
        for topic in TOPICS_OF_SINK[sink]:
            ratio = round(ratios.get((sink, topic.name), 0.0), 4)
            yield TopicLag(sink, topic.name, progress.position(sink, topic), progress.behind(sink, topic), ratio)
