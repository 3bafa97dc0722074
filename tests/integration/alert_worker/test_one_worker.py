"""Two workers: one watches and tells, the other stands by, takes over, and tells nothing twice."""

import asyncio
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from time import monotonic

import pytest
from msgspec import structs

from services.alert_worker import lease, lease_keeper
from services.alert_worker.lease_keeper import LeaseKeeper, Superseded
from services.alert_worker.this_worker import this_worker
from shared.clock import now_us
from shared.liveness import Liveness
from tests.integration.alert_worker.conftest import Worker

_DOES_NOT_RENEW = (
    "from services.alert_worker.lease_keeper import LeaseKeeper as K; K.keep = lambda _, stop: stop.wait()"
)
_NEVER_TAKES_OVER = "from services.alert_worker import lease; lease.SILENT_S = 1e9"


def _on(host: str) -> str:
    return f"import platform; platform.node = lambda: {host!r}"


@pytest.fixture
async def second(worker: Worker) -> AsyncIterator[Worker]:
    """Another one, on a host of its own."""
    one = Worker(dict(worker.environment), before=_on("second"))
    worker.before = _on("first")
    yield one
    if one.process is not None and one.process.returncode is None:
        await one.kill()


async def test_the_second_stands_by_and_takes_over_from_one_that_is_killed(
    worker, second, slack, publish, crash, eventually
) -> None:
    await worker.start()
    await worker.watching()
    await second.start()
    await eventually(lambda: second.said("standby: another alert worker watches"))
    began_us = now_us() - 5_000_000
    await publish(crash(began_us, until_s=5.0))
    await eventually(lambda: len(slack.parents) == 1)
    assert not second.said('"event": "watching"')
    await worker.kill()
    await second.watching()
    assert second.said("took over from the other alert worker")
    await publish(crash(began_us, from_s=5.0, until_s=20.0))
    await eventually(lambda: any("RESOLVED" in message.text for message in slack.parents))
    assert len(slack.parents) == 1
    assert await second.stop() == 0


async def test_one_that_ends_gives_way_at_once(worker, second, eventually) -> None:
    await worker.start()
    await worker.watching()
    second.before += f"; {_NEVER_TAKES_OVER}"
    await second.start()
    await eventually(lambda: second.said("standby: another alert worker watches"))
    assert await worker.stop() == 0
    await second.watching()


async def test_one_that_was_killed_and_starts_again_waits_for_nobody(worker) -> None:
    worker.before = _NEVER_TAKES_OVER
    await worker.start()
    await worker.watching()
    await worker.kill()
    await worker.start()
    await worker.watching()
    assert not worker.said("standby")


async def test_who_has_lost_it_finds_out_before_it_tells(fresh_topics, producer, monkeypatch) -> None:
    liveness = Liveness(monotonic, within_s=30, start_within_s=60)
    first, second = (
        LeaseKeeper(fresh_topics, producer, liveness, structs.replace(this_worker(), host=host, nonce=host))
        for host in ("first", "second")
    )
    try:
        await first.take()
        await first.confirm()
        assert first.is_sure
        monkeypatch.setattr(lease, "SILENT_S", 0.0)  # as if ten seconds of silence had passed,
        await second.take()
        monkeypatch.setattr(lease_keeper, "SURE_S", -1.0)  # and eight since the first last knew
        with pytest.raises(Superseded, match="on second, watches"):
            await first.confirm()
        monkeypatch.undo()
        await second.confirm()
    finally:
        await first.close()
        await second.close()


async def test_of_two_that_start_together_one_watches(worker, second, eventually) -> None:
    await asyncio.gather(worker.start(), second.start())
    both = worker, second
    await eventually(lambda: any(one.said('"event": "watching"') for one in both))
    await eventually(lambda: any(one.said("standby: another alert worker watches") for one in both))
    assert [one.said('"event": "watching"') for one in both] == [not one.said("standby") for one in both]
    assert [await one.stop() for one in both] == [0, 0]


@pytest.mark.parametrize("slow", ["", _DOES_NOT_RENEW], ids=["as it is", "work comes before renewing"])
async def test_one_that_was_frozen_while_another_took_over_tells_nothing_and_ends(
    worker, second, slack, publish, crash, eventually, slow
) -> None:
    worker.before += f"\n{slow}"
    await worker.start()
    await worker.watching()
    worker.process.send_signal(signal.SIGSTOP)
    await second.start()
    await second.watching()
    await publish(crash(now_us() - 12_000_000))
    await eventually(lambda: any("RESOLVED" in message.text for message in slack.parents))
    told = [replace(message) for message in slack.messages]
    worker.process.send_signal(signal.SIGCONT)
    assert await worker.ended() == 1
    assert b"another alert worker, on second, watches and tells by now: this one ends" in worker.log[-1]
    assert slack.messages == told
    assert await second.stop() == 0
