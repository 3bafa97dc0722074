"""When a producer calls itself ready, and what it says of itself before."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import pytest

from services.producer import progress
from services.producer.feed import Feed
from services.producer.publisher import Publisher
from shared.liveness import Liveness


@dataclass
class Sent:
    """What Kafka has acknowledged."""

    acknowledged: int = 0
    is_idle: bool = True
    is_away: bool = False
    on_the_way: dict[tuple[str, int], int] = field(default_factory=dict)
    given_up: list[str] = field(default_factory=list)

    def give_up_client(self, reason: str) -> None:
        self.given_up.append(reason)
        self.on_the_way = {}


@dataclass
class Line:
    is_up: bool = False
    last_ending: str = ""


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_EVERY_S", 0.01)


async def _told(sent: Sent, lines: list[Line], goes_on: Callable[[], None]) -> Liveness:
    liveness = Liveness(lambda: 0.0, 30, 60)
    telling = asyncio.create_task(progress.tell_progress(cast("Publisher", sent), cast("list[Feed]", lines), liveness))
    for _ in range(20):
        goes_on()
        await asyncio.sleep(0.01)
    telling.cancel()
    return liveness


async def test_what_it_says_itself_makes_no_producer_ready_that_hears_nothing() -> None:
    sent, lines = Sent(), [Line(last_ending="cannot connect to ws://127.0.0.1:9"), Line()]

    def instruments() -> None:
        sent.acknowledged += 1

    liveness = await _told(sent, lines, instruments)
    assert not liveness.is_ready
    assert liveness.status == "0 of 2 connections up; cannot connect to ws://127.0.0.1:9"

    lines[0].is_up = True
    assert (await _told(sent, lines, instruments)).is_ready


async def test_a_client_that_holds_one_partitions_batch_is_given_up_though_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress, "_CLIENT_GETS_S", 0.05)
    sent = Sent(is_idle=False, on_the_way={("tape.trades.v1", 3): 7, ("tape.trades.v1", 4): 1})

    def the_other_goes_on() -> None:
        sent.acknowledged += 1
        if sent.on_the_way:
            sent.on_the_way["tape.trades.v1", 4] += 1

    await _told(sent, [], the_other_goes_on)
    assert sent.given_up == ["a batch was not acknowledged for 0 s: tape.trades.v1/3"]


def test_a_batch_is_as_old_as_the_looks_that_saw_it() -> None:
    looks, here, there = progress.Looks(), ("a", 1), ("b", 2)

    seen = [
        looks.look(on_the_way) for on_the_way in ({here: 5}, {here: 5, there: 1}, {here: 6, there: 1}, {}, {here: 6})
    ]
    assert seen == [{here: 0}, {here: 1, there: 0}, {here: 0, there: 1}, {}, {here: 0}]


@pytest.mark.parametrize("records", [0, 1])
async def test_a_shard_without_markets_is_ready_as_it_is(records: int) -> None:
    sent = Sent()

    def nothing_more() -> None:
        sent.acknowledged = records

    assert (await _told(sent, [], nothing_more)).is_ready
