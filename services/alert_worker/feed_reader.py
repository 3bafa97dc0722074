"""Reads what the feeds say of themselves, up to now, whenever an alert is about to become a record."""

from services.alert_worker.feeds import KEPT_US, Feeds
from services.alert_worker.topic_reader import partitions_of, read_event
from shared.events import FeedEvent
from shared.kafka import PartitionReader
from shared.settings import KafkaSettings
from shared.topics import FEED

_READ_MS, _MOST_RECORDS = 200, 1_000


class FeedReader:
    """Keeps `feeds` up to date. A gap is on Kafka before the trades after it, so it is known in time."""

    def __init__(self, settings: KafkaSettings) -> None:
        self.feeds = Feeds()
        self._reader = PartitionReader(settings, "alert-worker-feeds")
        # A broker answers a connection's questions in turn, and the reader's own waits half a second for news.
        self._asker = PartitionReader(settings, "alert-worker-feed-ends")
        self._partitions = partitions_of(FEED)

    async def start(self, now_us: int) -> None:
        """Begin with what was said in the last hour."""
        await self._asker.connect()
        await self._reader.connect()
        await self._reader.start(await self._reader.offsets_since(self._partitions, (now_us - KEPT_US) // 1000))

    async def catch_up(self) -> None:
        """Hear everything that was said by now."""
        ends = await self._asker.log_ends(self._partitions)
        for partition, end in ends.items():
            while await self._reader.position(partition) < end:
                for records in (await self._reader.batch(_READ_MS, _MOST_RECORDS)).values():
                    for record in records:
                        if (event := read_event(FeedEvent, record)) is not None:
                            self.feeds.hear(event)

    async def close(self) -> None:
        """Leave."""
        await self._reader.close()
        await self._asker.close()
