"""Keeps the mutes up to date from the control topic."""

import asyncio

import structlog

from services.alert_worker.mutes import Mutes
from services.alert_worker.topic_reader import partitions_of, read_event, read_topic
from shared.events import Control
from shared.kafka import PartitionReader
from shared.settings import KafkaSettings
from shared.topics import CONTROL

log = structlog.get_logger(__name__)

_READ_MS, _MOST_RECORDS = 500, 1_000


async def read_mutes(settings: KafkaSettings) -> Mutes:
    """Every wish that there is by now."""
    mutes = Mutes()
    async for record in read_topic(settings, CONTROL):
        if (wish := read_event(Control, record)) is not None:
            mutes.hear(wish)
    return mutes


async def keep_mutes(settings: KafkaSettings, mutes: Mutes, stop: asyncio.Event) -> None:
    """Hear every wish in its order, and those to come, until `stop`."""
    reader = PartitionReader(settings, "alert-worker-wishes")
    try:
        await reader.connect()
        known = await reader.log_ends(partitions_of(CONTROL))
        await reader.start(await reader.log_starts(partitions_of(CONTROL)))
        while not stop.is_set():
            for partition, records in (await reader.batch(_READ_MS, _MOST_RECORDS)).items():
                for record in records:
                    if (wish := read_event(Control, record)) is not None:
                        mutes.hear(wish)
                        if record.offset >= known[partition]:
                            log.info("a wish is heard", action=wish.action, target=wish.target)
    finally:
        await reader.close()
