"""A chart is brought when the other side takes it, and not before; or it is given up."""

import asyncio
import errno

import pytest

from services.alert_worker import charting
from services.alert_worker.charting import GIVEN_UP_AFTER_S, Charting
from services.alert_worker.messages.wording import ENGLISH
from services.alert_worker.notifiers.base import Later


class Clock:
    """Runs on while somebody sleeps."""

    def __init__(self, monkeypatch) -> None:
        self.now_s = 1_000.0
        monkeypatch.setattr(charting, "monotonic", lambda: self.now_s)
        monkeypatch.setattr(asyncio, "sleep", self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.now_s += seconds


class Notifier:
    """Asks to wait once for each of `waits`, then takes everything."""

    can_edit = True

    def __init__(self, clock: Clock, *waits: float) -> None:
        self._clock, self._waits = clock, list(waits)
        self.not_before_s, self.called_s = 0.0, []

    async def upload(self, png: bytes, name: str, alt_text: str) -> str:
        self.called_s.append(self._clock.now_s)
        assert self._clock.now_s >= self.not_before_s
        if self._waits:
            self.not_before_s = self._clock.now_s + self._waits[0]
            raise Later(self._waits.pop(0))
        return "F1"


@pytest.fixture
def clock(monkeypatch) -> Clock:
    return Clock(monkeypatch)


def bringing(notifier: Notifier) -> Charting:
    return Charting(notifier, ENGLISH, None, korean_colours=False)  # type: ignore[arg-type]


@pytest.mark.parametrize("wait_s", [2.0, 31.0, 95.0, GIVEN_UP_AFTER_S])
async def test_a_wait_is_kept_to_the_second_however_long_it_is(clock, wait_s) -> None:
    notifier = Notifier(clock, wait_s)
    assert await bringing(notifier)._upload(b"png", "x", "x") == "F1"
    assert notifier.called_s == [1_000.0, 1_000.0 + wait_s]


async def test_a_wait_of_an_hour_costs_the_charts_until_then_and_nobody_calls(clock) -> None:
    notifier = Notifier(clock, 3_600.0)
    charts = bringing(notifier)
    assert [await charts._upload(b"png", "x", "x") for _ in range(3)] == [None] * 3
    assert len(notifier.called_s) == 1
    clock.now_s += 3_600.0
    assert await charts._upload(b"png", "x", "x") == "F1"


async def test_a_wait_after_the_last_try_holds_for_the_next_chart(clock) -> None:
    notifier = Notifier(clock, 40.0, 40.0, 40.0)
    charts = bringing(notifier)
    assert await charts._upload(b"png", "x", "x") is None
    assert await charts._upload(b"png", "x", "x") == "F1"
    assert notifier.called_s[-1] == notifier.not_before_s


async def test_without_room_for_a_process_there_is_no_picture_and_the_next_one_is_tried(
    monkeypatch, make_alert
) -> None:
    tried, both = [], asyncio.Event()

    async def no_room(*_: object, **__: object) -> None:
        tried.append(None)
        if len(tried) == 2:
            both.set()
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(asyncio, "create_subprocess_exec", no_room)
    charts, stop = bringing(Notifier(Clock(monkeypatch))), asyncio.Event()
    running = asyncio.create_task(charts.run(stop))
    for episode in ("one", "two"):
        charts.want(make_alert("open", episode_id=episode), [])
    await asyncio.wait({running, asyncio.create_task(both.wait())}, return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    await running
    assert len(tried) == 2
    assert not charts.finished
