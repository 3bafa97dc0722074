"""Reading partitions from positions that are kept elsewhere."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord, OffsetAndMetadata, TopicPartition

from shared.kafka.clients import MAX_REQUEST_BYTES, client_options
from shared.kafka.ending import leave
from shared.settings import KafkaSettings

_KNOW_WITHIN_S = 5.0


class PartitionReader:
    """Reads fixed partitions from given offsets: no group membership, no silent jump.

    A position outside the log raises aiokafka's OffsetOutOfRangeError, which the caller must tell people about.
    `group_id` names the group under which positions are committed for lag monitors to see; no reading starts there.
    `fetch_bytes` bounds what is fetched of a partition at a time; a longer batch of Kafka comes whole all the same.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        client_id: str,
        group_id: str | None = None,
        fetch_bytes: int = MAX_REQUEST_BYTES,
    ) -> None:
        self._consumer = AIOKafkaConsumer(
            **client_options(settings, client_id),
            group_id=group_id,
            auto_offset_reset="none",
            enable_auto_commit=False,
            max_partition_fetch_bytes=fetch_bytes,
            fetch_max_wait_ms=500,
        )
        self._connected = False

    async def connect(self) -> None:
        """Connect, so that `log_starts` and the like answer before it is known where to start."""
        if not self._connected:
            await self._consumer.start()
            self._connected = True

    async def start(self, positions: Mapping[TopicPartition, int]) -> None:
        """Connect and stand at `positions` (next offset to read, by partition)."""
        await self.connect()
        self._consumer.assign(list(positions))
        for partition, offset in positions.items():
            self._consumer.seek(partition, offset)

    async def batch(
        self, timeout_ms: int, max_records: int, *, only: Sequence[TopicPartition] = ()
    ) -> dict[TopicPartition, list[ConsumerRecord]]:
        """What is there by now, at most `max_records`, of all partitions or `only` some; empty after `timeout_ms`."""
        found = await self._consumer.getmany(*only, timeout_ms=timeout_ms, max_records=max_records)
        return dict(found)

    async def log_starts(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """First offset still kept, by partition."""
        await know_topics(self._consumer, partitions)
        return dict(await self._consumer.beginning_offsets(list(partitions)))

    async def log_ends(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Offset of the next record to come, by partition."""
        await know_topics(self._consumer, partitions)
        return dict(await self._consumer.end_offsets(list(partitions)))

    async def offsets_since(self, partitions: Sequence[TopicPartition], since_ms: int) -> dict[TopicPartition, int]:
        """Offset of the first record that the broker stamped at `since_ms` or later; the log's end where none is."""
        ends = await self.log_ends(partitions)
        found = await self._consumer.offsets_for_times(dict.fromkeys(partitions, since_ms))
        return {p: at.offset if (at := found.get(p)) is not None else ends[p] for p in partitions}

    async def oldest_ms(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """When the broker took the oldest record that it still has, by partition; without those that have none."""
        await know_topics(self._consumer, partitions)
        found = await self._consumer.offsets_for_times(dict.fromkeys(partitions, 0))
        return {partition: int(at.timestamp) for partition, at in found.items() if at is not None}

    async def position(self, partition: TopicPartition) -> int:
        """Offset of the next record to read, also past records that a compacted log no longer holds."""
        return int(await self._consumer.position(partition))

    def lag(self, partition: TopicPartition, position: int) -> int:
        """Records between `position` and the log's end as of the last fetch."""
        return max(0, (self._consumer.highwater(partition) or position) - position)

    def is_at_end(self, partition: TopicPartition, position: int) -> bool:
        """Whether everything before the log's end was read, as of the last fetch; False before the first."""
        end = self._consumer.highwater(partition)
        return end is not None and end <= position

    async def stamps_ms(self, offsets: Mapping[TopicPartition, int], within_s: float) -> dict[TopicPartition, int]:
        """When the broker took the record at each offset; those that it does not send in time are left out.

        For a reader that reads nothing else: it is without partitions afterwards.
        """
        found: dict[TopicPartition, int] = {}
        if not offsets:
            return found
        await self.start(offsets)
        until = asyncio.get_running_loop().time() + within_s
        while (missing := offsets.keys() - found.keys()) and asyncio.get_running_loop().time() < until:
            # One record at a time: whatever else was fetched is then never taken apart.
            for partition, records in (await self._consumer.getmany(*missing, timeout_ms=250, max_records=1)).items():
                found[partition] = int(records[0].timestamp)
        self._consumer.unsubscribe()
        return found

    async def advised(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """What was committed last, by partition; without those for which nothing was. Raises KafkaError."""
        found = {partition: await self._consumer.committed(partition) for partition in partitions}
        return {partition: offset for partition, offset in found.items() if offset is not None}

    async def advise(self, positions: Mapping[TopicPartition, int | OffsetAndMetadata]) -> None:
        """Commit `positions` to the group, for lag monitors. Raises KafkaError."""
        await self._consumer.commit(dict(positions))

    async def close(self) -> None:
        """Leave; positions are the caller's. What Kafka does not answer within two seconds is given up."""
        await leave(self._consumer)


async def know_topics(consumer: AIOKafkaConsumer, partitions: Iterable[TopicPartition]) -> None:
    """Ask for all topics at once, before their bounds: aiokafka asks one after the other, and rests before each."""
    client = consumer._client  # it has no public way
    topics = {partition.topic for partition in partitions}
    with suppress(TimeoutError):  # then it asks in its own way
        async with asyncio.timeout(_KNOW_WITHIN_S):
            await asyncio.gather(*(client.add_topic(topic) for topic in topics))
