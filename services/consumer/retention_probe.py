"""Looks up in Kafka what `retention` decides on: the bounds of logs, how long they are kept, how old records are."""

from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Self

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import GroupCoordinatorNotAvailableError, OffsetOutOfRangeError
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from services.consumer.positions import Bounds
from services.consumer.retention import Lag, Unread, lags
from shared.kafka import PartitionReader, client_options
from shared.settings import KafkaSettings
from shared.topics import TOPIC_BY_NAME

_STAMPS_WITHIN_S = 5.0
_STAMPS_BYTES = 64 << 10  # one record a partition is looked at, and all that was fetched is taken apart


class RetentionProbe:
    """Clients of its own, so that looking disturbs no reading. `group` is where readers leave their positions."""

    def __init__(self, settings: KafkaSettings, name: str, group: str | None = None) -> None:
        self._admin = AIOKafkaAdminClient(**client_options(settings, name))
        self._reader = PartitionReader(settings, name, fetch_bytes=_STAMPS_BYTES)
        self._settings, self._name, self._group = settings, name, group

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as half_open:
            half_open.push_async_callback(self.close)
            await self._admin.start()
            await self._reader.connect()
            half_open.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Disconnect."""
        await self._reader.close()
        await self._admin.close()

    async def left(self) -> dict[TopicPartition, OffsetAndMetadata]:
        """What was committed to the group, by partition."""
        try:
            return dict(await self._admin.list_consumer_group_offsets(self._group))
        except GroupCoordinatorNotAvailableError:  # no group ever committed anything to this Kafka
            return {}

    async def leave(self, positions: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        """Commit to the group. Raises KafkaError."""
        reader = PartitionReader(self._settings, self._name, group_id=self._group)
        try:
            await reader.start({partition: at.offset for partition, at in positions.items()})
            await reader.advise(positions)
        finally:
            await reader.close()

    async def ends(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Offset of the next record to come, by partition."""
        return await self._reader.log_ends(list(partitions))

    async def lags(self, positions: Mapping[TopicPartition, int], now_ms: int) -> dict[str, Lag]:
        """The lag of each topic, for a reader that stands at `positions`. Raises KafkaError."""
        retention_ms = await self._retention_ms({partition.topic for partition in positions})
        starts, ends = await self._reader.log_starts(list(positions)), await self.ends(positions)
        unread = {
            p: Unread(p.topic, at, Bounds(starts[p], ends[p]), retention_ms[p.topic]) for p, at in positions.items()
        }
        waiting = {p: max(one.position, starts[p]) for p, one in unread.items() if one.records and one.retention_ms}
        next_at_ms = await self._stamps_ms(waiting)
        oldest_at_ms = await self._stamps_ms({p: starts[p] for p in waiting if unread[p].may_be_near})
        return lags(
            (replace(one, next_at_ms=next_at_ms.get(p), oldest_at_ms=oldest_at_ms.get(p)) for p, one in unread.items()),
            now_ms,
        )

    async def _stamps_ms(self, offsets: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        try:
            return await self._reader.stamps_ms(offsets, _STAMPS_WITHIN_S)
        except OffsetOutOfRangeError:  # deleted since we asked where the log begins: the next look sees it
            return {}

    async def _retention_ms(self, topics: Iterable[str]) -> dict[str, int | None]:
        """How long Kafka keeps records, as it is set there; where it does not say, as we make topics."""
        found = {topic: TOPIC_BY_NAME[topic].retention_ms for topic in topics}
        wanted = [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in found]
        for answer in await self._admin.describe_configs(wanted):
            for code, _, _, topic, entries in answer.resources:
                set_to = {name: value for name, value, *_ in entries}
                if code == 0 and topic in found:
                    found[topic] = _kept_ms(set_to)
        return found


def _kept_ms(config: Mapping[str, str]) -> int | None:
    kept_ms = int(config.get("retention.ms", "-1"))
    return None if kept_ms < 0 or "delete" not in config.get("cleanup.policy", "delete") else kept_ms
