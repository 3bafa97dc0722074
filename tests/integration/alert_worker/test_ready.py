"""When the alert worker calls itself ready, and what it says of itself from then on."""

import asyncio
import re
from time import monotonic
from typing import Any

from services.alert_worker.detection import Detection
from services.alert_worker.lease_keeper import LeaseKeeper
from services.alert_worker.mutes import Mutes
from services.alert_worker.rules.ruleset import DEFAULTS
from services.alert_worker.this_worker import this_worker
from shared.clock import now_us
from shared.liveness import Liveness


class Told(Liveness):
    """Remembers, with everything that the worker said, whether it was ready by then."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.said: list[tuple[bool, str]] = []

    def tells(self, status: str) -> None:
        super().tells(status)
        self.said.append((self.is_ready, status))

    def moved(self, status: str | None = None) -> None:
        super().moved(status)
        self.said.append((self.is_ready, self.status))


async def test_it_is_ready_after_it_has_learnt_what_is_usual_and_says_how_it_gets_on(
    fresh_topics: Any, producer: Any, publish_candles: Any, publish: Any, crash: Any, eventually: Any
) -> None:
    await publish_candles(now_us())
    liveness, stop = Told(monotonic, within_s=30, start_within_s=60), asyncio.Event()
    lease = LeaseKeeper(fresh_topics, producer, liveness, this_worker())
    await lease.take()
    detection = Detection(
        fresh_topics, producer, liveness, Mutes(), DEFAULTS, lambda status: f"{status}, a canary", lease
    )
    running = asyncio.create_task(detection.run(stop))
    await eventually(lambda: liveness.is_ready)
    assert {ready for ready, status in liveness.said if status == "learning what is usual"} == {False}
    assert liveness.status.startswith("watching: 0 trades/s, 0 behind, no trade since the start")

    await publish(crash(now_us() - 12_000_000))
    line = r"watching: \d+ trades/s, 0 behind, newest trade \d+ s old, a canary"
    await eventually(lambda: re.fullmatch(line, liveness.status) is not None)
    stop.set()
    await running
    await lease.close()
