"""The alert worker, wired: detection and telling side by side, so that a slow Slack never delays a decision."""

import asyncio

from services.alert_worker import notifiers
from services.alert_worker.detection import Detection
from services.alert_worker.telling import Telling
from shared import lifecycle
from shared.kafka import make_producer, wait_until_reachable
from shared.liveness import Liveness
from shared.settings import Settings


def run() -> int:
    """Run until SIGTERM or SIGINT; return the exit code."""
    return lifecycle.run("alert-worker", main)


async def main(settings: Settings, stop: asyncio.Event, liveness: Liveness) -> None:
    """Watch and tell until `stop`."""
    await wait_until_reachable(settings.kafka, settings.start.wait_s, stop)
    producer = make_producer(settings.kafka, "alert-worker")
    await producer.start()
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(Detection(settings.kafka, producer, liveness).run(stop))
            tasks.create_task(Telling(settings.kafka, producer, notifiers.choose(settings)).run(stop))
    finally:
        await producer.stop()
