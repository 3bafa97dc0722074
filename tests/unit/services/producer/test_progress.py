"""When a producer calls itself ready, and what it says of itself before."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import cast

import pytest

from services.producer import progress
from services.producer.feed import Feed
from services.producer.publisher import Publisher
from shared import waiting
from shared.liveness import Liveness

NOON_US = 1_700_000_000_000_000


@dataclass
class Sent:
    """What Kafka has acknowledged."""

    acknowledged: int = 0
    is_idle: bool = True
    is_away: bool = False
    unacknowledged: int = 0
    newest_trade_us: int = 0
    on_the_way: dict[tuple[str, int], int] = field(default_factory=dict)
    given_up: list[str] = field(default_factory=list)

    def give_up_client(self, reason: str) -> None:
        self.given_up.append(reason)
        self.on_the_way = {}


@dataclass
class Line:
    is_up: bool = False
    last_ending: str = ""
    is_silent: bool = False


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_EVERY_S", 0.01)


async def _told(
    sent: Sent, lines: list[Line], goes_on: Callable[[], None], liveness: Liveness | None = None
) -> Liveness:
    liveness = liveness or Liveness(lambda: 0.0, 30, 60)
    publisher, feeds = cast("Publisher", sent), cast("list[Feed]", lines)
    telling = asyncio.create_task(progress.tell_progress("upbit", publisher, feeds, liveness, lambda: NOON_US))
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
    assert liveness.says.startswith("waiting for upbit for 0 s: no connection to upbit is up; ")
    assert liveness.status.endswith("; 0 of 2 connections up; cannot connect to ws://127.0.0.1:9")

    lines[0].is_up = True
    assert (await _told(sent, lines, instruments)).is_ready


async def test_that_an_exchange_wants_no_questions_is_told_beside_the_connections() -> None:
    liveness, lines = Liveness(lambda: 0.0, 30, 60), [Line(is_up=True)]
    sent, wish = cast("Publisher", Sent()), "binance wants no questions for 118 s: HTTP 418"
    telling = asyncio.create_task(
        progress.tell_progress("binance", sent, cast("list[Feed]", lines), liveness, lambda: NOON_US, lambda: wish)
    )
    while not liveness.is_ready:  # noqa: ASYNC110  # no event says so
        await asyncio.sleep(0.01)
    telling.cancel()
    assert liveness.status.endswith(f"; 1 of 1 connections up; {wish}; idle: nothing comes")


def nothing() -> None:
    """Nothing happens meanwhile."""


async def test_its_line_has_rate_lag_and_age_of_the_newest_trade_also_when_nothing_comes() -> None:
    sent, lines = Sent(is_idle=False, unacknowledged=1_234, newest_trade_us=NOON_US - 3_000_000), [Line(is_up=True)]

    def goes_on() -> None:
        sent.acknowledged += 1

    busy = (await _told(sent, lines, goes_on)).status
    assert re.fullmatch(
        r"\d+ records/s to Kafka, 1,234 unacknowledged, newest trade 3 s old; 1 of 1 connections up", busy
    )
    sent.is_idle, sent.unacknowledged, sent.newest_trade_us = True, 0, NOON_US - 240_000_000
    idle = (await _told(sent, lines, nothing)).status
    assert idle == (
        "0 records/s to Kafka, 0 unacknowledged, newest trade 4 min old; 1 of 1 connections up; idle: nothing comes"
    )


@pytest.mark.parametrize(
    ("sent", "line", "what", "why"),
    [
        (Sent(is_idle=False, is_away=True), Line(is_up=True), "Kafka", "Kafka is away, holding what comes"),
        (Sent(is_idle=False), Line(is_up=True), "Kafka", "Kafka acknowledges nothing"),
        (Sent(), Line(last_ending="refused"), "upbit", "no connection to upbit is up"),
    ],
)
async def test_while_what_it_needs_is_away_it_lives_and_says_so_and_does_not_serve(
    sent: Sent, line: Line, what: str, why: str
) -> None:
    clock_s = 0.0
    liveness = Liveness(lambda: clock_s, 30, 60)
    liveness.moved()

    def time_passes() -> None:
        nonlocal clock_s
        clock_s += 15

    await _told(sent, [line], time_passes, liveness)
    wait = waiting.read(liveness.says)
    assert wait is not None
    assert (wait.what, wait.why) == (what, why)
    assert wait.for_s in {285, 300}
    assert liveness.is_alive
    assert not liveness.serves

    sent.is_away, sent.is_idle, line.is_up = False, True, True
    await _told(sent, [line], nothing, liveness)
    assert liveness.serves
    assert liveness.says.startswith("0 records/s")


async def test_an_exchange_that_takes_the_subscription_and_sends_nothing_is_told_and_no_reason_not_to_be_ready() -> (
    None
):
    liveness = await _told(Sent(), [Line(is_up=True), Line(is_up=True, is_silent=True)], nothing)
    assert liveness.is_ready
    assert liveness.says.startswith("waiting in part for upbit for 0 s: nothing comes on 1 of 2 connections to upbit; ")


async def test_what_it_hears_only_in_part_is_told_although_the_rest_gets_there() -> None:
    sent, lines = Sent(), [Line(is_up=True), Line(last_ending="HTTP 429 to the handshake")]

    def some_comes() -> None:
        sent.acknowledged += 1

    liveness = await _told(sent, lines, some_comes)
    assert liveness.is_ready
    assert liveness.says.startswith("waiting in part for upbit for 0 s: 1 of 2 connections to upbit are up; ")


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
    assert sent.given_up == ["a batch was not acknowledged for too long: tape.trades.v1/3"]


def test_a_batch_is_held_for_too_long_from_the_first_look_at_it() -> None:
    held, here, there = progress.Held(), ("a", 1), ("b", 2)

    looks = [(0, {here: 5}), (39, {here: 5, there: 1}), (40, {here: 6, there: 1}), (79, {here: 6, there: 1})]
    assert [held.too_long(on_the_way, now_s) for now_s, on_the_way in looks] == [[], [], [], [there]]


def test_a_partition_that_no_client_can_serve_interrupts_the_others_ever_less_often() -> None:
    held, place, batch, replaced_s = progress.Held(), ("a", 1), 0, []
    for now_s in range(4_000):
        if held.too_long({place: batch}, now_s):
            replaced_s.append(now_s)
            batch += 1
    assert [later - earlier for earlier, later in pairwise([0, *replaced_s])] == [40, 81, 161, 321, 641, 1_281, 1_281]

    held.too_long({}, 4_000)  # it was taken: the next one is a story of its own
    assert [held.too_long({place: batch}, now_s) for now_s in (4_001, 4_041)] == [[], [place]]


@pytest.mark.parametrize("records", [0, 1])
async def test_a_shard_without_markets_is_ready_as_it_is(records: int) -> None:
    sent = Sent()

    def nothing_more() -> None:
        sent.acknowledged = records

    assert (await _told(sent, [], nothing_more)).is_ready
