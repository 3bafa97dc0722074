"""The alert worker, wired: detection, telling and drawing side by side: a slow Slack never delays a decision.

Of several workers one does all that, and the others stand by.
"""

import asyncio

from aiokafka import AIOKafkaProducer

from services.alert_worker import notifiers
from services.alert_worker.board import Board
from services.alert_worker.board_reader import keep_board
from services.alert_worker.charting import Charting
from services.alert_worker.delivery import Delivery
from services.alert_worker.detection import Detection
from services.alert_worker.herald import Herald
from services.alert_worker.lease_keeper import LeaseKeeper
from services.alert_worker.messages.store_message import STORE_WORDINGS
from services.alert_worker.messages.wording import WORDINGS
from services.alert_worker.outbox import Outbox
from services.alert_worker.proving import Proving
from services.alert_worker.rules_keeper import RulesKeeper
from services.alert_worker.scribe import Scribe
from services.alert_worker.store_herald import StoreHerald
from services.alert_worker.telling import Telling
from services.alert_worker.this_worker import this_worker
from services.alert_worker.wishes import keep_mutes, read_mutes
from shared import lifecycle, metrics
from shared.clock import now_us
from shared.kafka import check_rights, discard, make_producer, wait_until_reachable
from shared.liveness import Liveness
from shared.settings import Settings
from shared.topic_ids import wait_for_topic_ids
from shared.topics import (
    ALERTS,
    CANDLES,
    CONTROL,
    DETECTOR_STATE,
    FEED,
    INSTRUMENTS,
    NOTIFICATIONS,
    TICKERS,
    TRADES,
)

_READ = (TRADES, TICKERS, CANDLES, INSTRUMENTS, FEED, ALERTS, CONTROL, NOTIFICATIONS, DETECTOR_STATE)


def run() -> int:
    """Run until SIGTERM or SIGINT; return the exit code."""
    return lifecycle.run("alert-worker", main)


async def main(settings: Settings, stop: asyncio.Event, liveness: Liveness) -> None:
    """Watch and tell until `stop`."""
    keeper = RulesKeeper(settings.alerts)
    keeper.listen()
    await wait_until_reachable(settings.kafka, settings.start.wait_s, stop, liveness.tells)
    await check_rights(settings.kafka, "alert-worker")
    # With other partitions than these, whoever wrote to them broke the order of a market.
    await lifecycle.unless_stopped(stop, wait_for_topic_ids(settings.kafka, _READ, settings.start.wait_s))
    calls = [(metrics.SLACK_CALLS, (outcome,)) for outcome in ("told", "limited", "unanswered", "refused")]
    metrics.count_from_zero(*calls, (metrics.DEAD_LETTERS, ("alert-worker", TRADES.name)))
    producer = make_producer(settings.kafka, "alert-worker")
    await producer.start()
    lease = LeaseKeeper(settings.kafka, producer, liveness, this_worker())
    try:
        await lifecycle.unless_stopped(stop, lease.take())
        await _watch_and_tell(settings, stop, liveness, keeper, producer, lease)
        await lease.release()
    finally:
        await lease.close()
        await discard(producer)


async def _watch_and_tell(  # noqa: PLR0913, PLR0917 - what is there before it
    settings: Settings,
    stop: asyncio.Event,
    liveness: Liveness,
    keeper: RulesKeeper,
    producer: AIOKafkaProducer,
    lease: LeaseKeeper,
) -> None:
    wording, board = WORDINGS[settings.alerts.language], Board()
    notifier = notifiers.choose(settings)
    cache = settings.state.directory / "matplotlib" if settings.state.directory else None
    charting = Charting(notifier, wording, cache, korean_colours=settings.alerts.language == "ko")
    delivery = Delivery(notifier, Scribe(wording, board, now_us), lease.confirm)
    outbox = Outbox()
    proving = Proving(settings.alerts.canary_every_s, producer, wording, now_us)
    telling = Telling(settings.kafka, producer, delivery, charting, outbox, proving)
    mutes = await read_mutes(settings.kafka)
    detection = Detection(settings.kafka, producer, liveness, mutes, keeper.policy.ruleset, proving.says, lease)
    herald = Herald(settings.alerts, telling, board, wording, keeper, now_us)
    store_herald = StoreHerald(settings.kafka, telling, STORE_WORDINGS[settings.alerts.language])

    def obey() -> None:
        detection.change_rules(keeper.policy.ruleset)
        mutes.stand(keeper.policy.mutes)
        outbox.obey(keeper.quiet, keeper.policy.ruleset.storms.least_coins)

    obey()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(lease.keep(stop))
        tasks.create_task(detection.run(stop))
        tasks.create_task(keeper.run(obey, herald.rules_refused, stop))
        tasks.create_task(keep_mutes(settings.kafka, mutes, stop))
        tasks.create_task(telling.run(stop))
        tasks.create_task(proving.run(telling.knows, stop))
        tasks.create_task(charting.run(stop))
        tasks.create_task(keep_board(settings.kafka, board, stop))
        tasks.create_task(herald.run(stop))
        tasks.create_task(store_herald.run(stop))
