"""When the digest is gathered, and that a failure costs a try and not the day."""

import asyncio
import errno
from datetime import UTC, datetime

import pytest

from services.alert_worker import herald
from services.alert_worker.board import Board
from services.alert_worker.digest.request import DigestRequest
from services.alert_worker.messages.bulletins import Digest
from services.alert_worker.messages.wording import ENGLISH
from services.alert_worker.rules import RULES
from services.alert_worker.rules.ruleset import DEFAULTS, Halt, ruleset
from services.alert_worker.rules_keeper import RulesKeeper
from shared.settings import load_settings

NINE_PAST = int(datetime(2026, 11, 24, 0, 9, 59, tzinfo=UTC).timestamp()) * 1_000_000
TEN_PAST = NINE_PAST + 1_000_000


class Telling:
    """Remembers what was announced."""

    def __init__(self) -> None:
        self.knows = asyncio.Event()
        self.knows.set()
        self.announced: dict[str, str] = {}

    def was_announced(self, mark: str) -> bool:
        return mark in self.announced

    def announce(self, mark, message, *, for_ops=False) -> None:
        self.announced[mark] = message.text


class Day:
    """A herald with a clock that is set, for so many looks, and what gathering answers."""

    def __init__(self, monkeypatch, answers) -> None:
        self.now, self.looks, self.asked = NINE_PAST, 0, []
        self.telling, self._answers, self._stop = Telling(), list(answers), asyncio.Event()
        self._last = 0
        monkeypatch.setattr(herald, "_LOOK_EVERY_S", 0.0001)
        monkeypatch.setattr(herald, "gather", self._gather)
        settings = load_settings({"TAPEWATCH_ALERTS__GREETING": "false"}).alerts
        self.herald = herald.Herald(settings, self.telling, Board(), ENGLISH, RulesKeeper(settings), self._clock)

    async def look(self, times: int, at_us: int) -> None:
        self.now, self._last = at_us, self.looks + times
        self._stop.clear()
        await self.herald.run(self._stop)

    def _clock(self) -> int:
        self.looks += 1
        if self.looks >= self._last:
            self._stop.set()
        return self.now

    async def _gather(self, request, stop):
        self.asked.append(request.day)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_at_ten_past_nine_it_is_told_once(monkeypatch) -> None:
    day = Day(monkeypatch, [Digest(day="2026-11-23"), Digest(day="2026-11-24")])
    await day.look(3, NINE_PAST)
    assert day.asked == []
    await day.look(3, TEN_PAST)
    assert day.asked == ["2026-11-23"]
    assert list(day.telling.announced) == ["digest-2026-11-24"]
    await day.look(3, TEN_PAST + 86_400_000_000)
    assert list(day.telling.announced) == ["digest-2026-11-24", "digest-2026-11-25"]


async def test_what_could_not_be_gathered_is_tried_again(monkeypatch) -> None:
    day = Day(monkeypatch, [herald.NotGathered("Kafka is away"), herald.NotGathered("again"), Digest(day="2026-11-23")])
    await day.look(200, TEN_PAST)
    assert day.asked == ["2026-11-23"] * 3
    assert list(day.telling.announced) == ["digest-2026-11-24"]


async def test_the_next_try_is_not_at_the_next_look(monkeypatch) -> None:
    day = Day(monkeypatch, [herald.NotGathered("Kafka is away")])
    await day.look(1, TEN_PAST)
    monkeypatch.setattr(herald, "monotonic", lambda: 0.0)
    await day.look(5, TEN_PAST)
    assert len(day.asked) == 1


async def test_a_week_without_trades_is_looked_at_once_a_day(monkeypatch) -> None:
    day = Day(monkeypatch, [None])
    await day.look(5, TEN_PAST)
    assert len(day.asked) == 1
    assert day.telling.announced == {}


async def test_without_room_for_a_process_nothing_is_gathered_and_it_is_tried_later(monkeypatch) -> None:
    async def no_room(*_: object, **__: object) -> None:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(asyncio, "create_subprocess_exec", no_room)
    with pytest.raises(herald.NotGathered, match="Resource temporarily unavailable"):
        await herald.gather(DigestRequest("2026-11-23", TEN_PAST), asyncio.Event())


def test_every_rule_that_watches_is_named() -> None:
    assert herald.watching(DEFAULTS) == ["move", "move_abs", "jump", "drift", "divergence", "halt", "notice", "storm"]
    fewer = ruleset(RULES[:1], halt=Halt(enabled=False))
    assert herald.watching(fewer) == ["move", "divergence", "notice", "storm"]


@pytest.fixture(autouse=True)
def no_kafka(monkeypatch) -> None:
    """Nothing here may reach for one."""
    monkeypatch.setenv("TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:9")
