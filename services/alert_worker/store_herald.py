"""Tells those who look after tapewatch what consumers say of their stores: once per episode, and once at its end."""

import asyncio
from collections.abc import Sequence

from services.alert_worker.messages.store_message import StoreWording, store_message
from services.alert_worker.receipts import STORE
from services.alert_worker.store_news import StoreNews, StoreStories, is_news
from services.alert_worker.telling import Telling
from services.alert_worker.topic_reader import partitions_of, read_event
from shared.clock import NowMicros, now_us
from shared.events import FeedEvent
from shared.kafka import PartitionReader
from shared.settings import KafkaSettings
from shared.topics import FEED

_READ_MS, _MOST_RECORDS = 1_000, 1_000


class StoreHerald:
    """Reads the feed topic from its start: an episode may have begun before this process. What was told is known."""

    def __init__(
        self, settings: KafkaSettings, telling: Telling, wording: StoreWording, now: NowMicros = now_us
    ) -> None:
        self._settings, self._telling, self._wording, self._now = settings, telling, wording, now
        self._stories = StoreStories(STORE)

    async def run(self, stop: asyncio.Event) -> None:
        """Tell until `stop`. Raises KafkaError, UnknownSchema."""
        reader = PartitionReader(self._settings, "alert-worker-stores")
        partitions = partitions_of(FEED)
        try:
            await reader.connect()
            await reader.start(await reader.log_starts(partitions))
            await self._until_known(stop)
            while not stop.is_set():
                batch = await reader.batch(_READ_MS, _MOST_RECORDS)
                for records in batch.values():
                    for record in records:
                        if (event := read_event(FeedEvent, record)) is not None:
                            self._tell(self._stories.hear(event))
                if not batch:  # while much is read, what belongs together may come in two batches
                    self._tell(self._stories.due(self._now()))
        finally:
            await reader.close()

    async def _until_known(self, stop: asyncio.Event) -> None:
        """What was told before comes first, or it would be told again."""
        waiting = [asyncio.create_task(event.wait()) for event in (self._telling.knows, stop)]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()

    def _tell(self, found: Sequence[StoreNews]) -> None:
        for news in found:
            was_begun = news.begun is None or self._telling.was_announced(news.begun)
            if was_begun and is_news(news, self._now()):
                self._telling.announce(news.mark, store_message(news, self._wording), for_ops=True)
