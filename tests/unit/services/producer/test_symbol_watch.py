"""What is made of the exchange's answer: told to lines that stand, of all their symbols, and rarer when it refuses."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import pytest

from services.producer import symbol_watch
from services.producer.feed import Feed
from services.producer.rest import ListUnavailable, Rest
from services.producer.stalls import Known, Stalls
from services.producer.symbol_watch import ask, watch_symbols
from shared.events import Trade

CONFIRMED_US, ASKED_US = 1_000, 1_500


@dataclass
class Heard:
    """A trade, as far as its mark goes."""

    trade_id: str
    received_at_us: int = CONFIRMED_US + 1


@dataclass
class Line:
    """A line with its symbols and the id that was last heard of each."""

    ids: dict[str, int]
    is_up: bool = True
    carries_trades: bool = True
    confirmed_at_us: int = CONFIRMED_US
    heard_at_us: int = CONFIRMED_US + 1
    told: list[list[str]] = field(default_factory=list)
    missed: dict[str, int] = field(default_factory=dict)
    stalled: list[str] = field(default_factory=list)

    @property
    def symbols(self) -> list[str]:
        return list(self.ids)

    @property
    def heard(self) -> dict[str, Trade]:
        return {symbol: cast("Trade", Heard(str(number), self.heard_at_us)) for symbol, number in self.ids.items()}

    def signs(self) -> dict[str, int]:
        return dict(self.ids)

    def complete_until_us(self, _: str) -> int:
        return self.confirmed_at_us + 1

    def miss(self, since_us: dict[str, int]) -> None:
        self.missed |= since_us

    def end_stalls(self) -> None:
        """Nothing to end."""

    def stall(self, symbols: list[str]) -> None:
        self.told.append(symbols)


@dataclass
class Exchange:
    """Answers with these ids, after something happened; refuses where there are none."""

    ids: dict[str, int] | None
    meanwhile: Callable[[], object] = lambda: None
    asked: int = 0
    exchange: str = "binance"
    quiet_s: float = 0.0

    async def last_trades(self) -> dict[str, int]:
        self.asked += 1
        self.meanwhile()
        if self.ids is None:
            raise ListUnavailable("HTTP 403")
        return self.ids


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(symbol_watch, "SETTLE_S", 0.0)
    monkeypatch.setattr(symbol_watch, "_LOOK_EVERY_S", 0.0)


async def _asked(exchange: Exchange, lines: list[Line], suspects: list[str]) -> bool:
    stalls = Stalls()
    stalls.look({symbol: sign for line in lines for symbol, sign in line.signs().items()})
    return await ask(cast("Rest", exchange), stalls, cast("list[Feed]", lines), suspects, lambda: ASKED_US)


async def test_a_line_that_was_lost_while_the_exchange_answered_is_told_nothing() -> None:
    lost, stands = Line({"A": 5}), Line({"B": 5})

    def lose() -> None:
        lost.is_up, lost.confirmed_at_us = False, 0

    assert await _asked(Exchange({"A": 6, "B": 6}, lose), [lost, stands], ["A", "B"])
    assert (lost.told, stands.told) == ([], [["B"]])


async def test_what_stalled_beside_the_suspect_is_told_with_it_and_what_flows_quiet_or_on_another_line_is_not() -> None:
    line, other = Line({"A": 5, "quiet": 5, "stalled": 5, "flows": 5}), Line({"elsewhere": 5})

    def goes_on() -> None:
        line.ids["flows"] = 6

    theirs = {"A": 6, "quiet": 5, "stalled": 7, "flows": 9, "elsewhere": 7}
    await _asked(Exchange(theirs, goes_on), [line, other], ["A"])
    assert (line.told, other.told) == ([["A", "stalled"]], [])


async def test_without_a_stalled_suspect_nobody_else_is_judged() -> None:
    line = Line({"A": 5, "B": 5})
    await _asked(Exchange({"A": 5, "B": 7}), [line], ["A"])
    assert line.told == []


async def test_each_refusal_makes_the_pause_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    refusals: list[int] = []

    def pause_s(every_s: float, in_a_row: int, _: float) -> float:
        assert every_s == 2 * symbol_watch.ASK_EVERY_S
        refusals.append(in_a_row)
        return 0.0

    monkeypatch.setattr(symbol_watch, "pause_s", pause_s)
    monkeypatch.setattr(Stalls, "look", lambda _, heard: list(heard))
    monkeypatch.setattr(Stalls, "judge", lambda *_: [])
    exchange = Exchange(None)

    def answers_the_third() -> None:
        exchange.ids = {"A": 5} if exchange.asked == 3 else None

    exchange.meanwhile = answers_the_third
    watching = asyncio.create_task(
        watch_symbols(cast("Rest", exchange), cast("list[Feed]", [Line({"A": 5})]), 2, lambda: ASKED_US)
    )
    while len(refusals) < 4:  # noqa: ASYNC110  # no event says so
        await asyncio.sleep(0)
    watching.cancel()
    assert refusals[:4] == [1, 2, 0, 1]


@pytest.mark.parametrize(("heard", "missed"), [(8, {"A": CONFIRMED_US + 1}), (6, {})], ids=["traded", "quiet"])
async def test_a_suspicion_outlives_a_connection_that_is_replaced_before_the_exchange_was_asked(
    monkeypatch: pytest.MonkeyPatch, heard: int, missed: dict[str, int]
) -> None:
    looks = 0

    def look(*_: object) -> list[str]:
        nonlocal looks
        looks += 1
        return ["A"] if looks == 1 else []

    monkeypatch.setattr(Stalls, "look", look)
    line = Line({"A": 5, "B": 5})
    exchange = Exchange({}, quiet_s=60.0)
    watching = asyncio.create_task(
        watch_symbols(cast("Rest", exchange), cast("list[Feed]", [line]), 1, lambda: ASKED_US)
    )
    while looks < 2:  # noqa: ASYNC110  # no event says so
        await asyncio.sleep(0)
    line.is_up = False
    await asyncio.sleep(0.01)
    line.confirmed_at_us, line.heard_at_us, line.ids["A"], line.is_up = 2 * CONFIRMED_US, 2 * CONFIRMED_US, heard, True
    seen = looks
    while looks < seen + 2:  # noqa: ASYNC110  # no event says so
        await asyncio.sleep(0)
    watching.cancel()
    assert line.missed == missed
    assert exchange.asked == 0


async def test_what_is_traded_after_the_answer_and_before_the_next_connection_is_missed_since_it_was_asked() -> None:
    line, stalls = Line({"A": 100}), Stalls()
    stalls.look(line.signs())
    stalls.suspect({"A": Known(CONFIRMED_US, CONFIRMED_US + 1, 100)})

    def replaced() -> None:
        line.confirmed_at_us = 2 * CONFIRMED_US

    exchange, lines = cast("Rest", Exchange({"A": 100}, replaced)), cast("list[Feed]", [line])
    assert await ask(exchange, stalls, lines, ["A"], lambda: ASKED_US)
    assert stalls.heard_again({"A": 105}, {"A": line.confirmed_at_us}, 1) == {"A": ASKED_US}


async def test_a_stall_that_goes_on_is_no_suspicion_beside() -> None:
    line, stalls = Line({"A": 5}, stalled=["A"]), Stalls()
    stalls.look(line.signs())
    await ask(cast("Rest", Exchange({"A": 5})), stalls, cast("list[Feed]", [line]), ["A"], lambda: ASKED_US)
    assert not stalls.suspected
