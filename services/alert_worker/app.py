"""The alert worker, wired: detection, telling and drawing side by side: a slow Slack never delays a decision."""

import asyncio

from services.alert_worker import notifiers
from services.alert_worker.board import Board
from services.alert_worker.board_reader import keep_board
from services.alert_worker.charting import Charting
from services.alert_worker.delivery import Delivery
from services.alert_worker.detection import Detection
from services.alert_worker.herald import Herald
from services.alert_worker.messages.wording import WORDINGS
from services.alert_worker.outbox import Outbox
from services.alert_worker.quiet_hours import read_quiet_hours
from services.alert_worker.scribe import Scribe
from services.alert_worker.telling import Telling
from services.alert_worker.wishes import keep_mutes, read_mutes
from shared import lifecycle
from shared.clock import now_us
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
    wording, board = WORDINGS[settings.alerts.language], Board()
    asked = settings.alerts
    quiet = read_quiet_hours(
        {"notice": asked.quiet_notice, "warning": asked.quiet_warning, "danger": asked.quiet_danger}
    )
    notifier = notifiers.choose(settings)
    cache = settings.state.directory / "matplotlib" if settings.state.directory else None
    charting = Charting(notifier, wording, cache, korean_colours=asked.language == "ko")
    delivery = Delivery(notifier, Scribe(wording, board, now_us))
    telling = Telling(settings.kafka, producer, delivery, charting, Outbox(quiet))
    mutes = await read_mutes(settings.kafka)
    herald = Herald(asked, telling, board, wording, quiet)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(Detection(settings.kafka, producer, liveness, mutes).run(stop))
            tasks.create_task(keep_mutes(settings.kafka, mutes, stop))
            tasks.create_task(telling.run(stop))
            tasks.create_task(charting.run(stop))
            tasks.create_task(keep_board(settings.kafka, board, stop))
            tasks.create_task(herald.run(stop))
    finally:
        await producer.stop()
