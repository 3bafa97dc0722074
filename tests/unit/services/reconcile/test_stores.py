"""A reconciliation must be able to fail: every single fault in any store makes it."""

import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.reconcile.facts import Found, Published
from services.reconcile.gaps import Gap
from services.reconcile.truth import Truth

Seeds = st.integers(0, 5)
Choices = st.randoms(use_true_random=False)
few = settings(max_examples=25)


@few
@given(Seeds)
def test_stores_that_hold_the_truth_are_ok(make_run: Callable[[int], Any], seed: int) -> None:
    report = make_run(seed).report()
    assert report.ok, report.faults
    assert report.kafka["trade"]["expected"] == report.kafka["trade"]["found"] == report.published["trade"] > 100
    assert report.postgres["trade"]["found"] == report.published["trade"]
    assert 0 < report.redis["trade"]["found"] == report.redis["trade"]["expected"] < report.published["trade"]
    assert report.redis["ticker"]["expected"] == 3
    assert report.postgres["candle_1m"]["expected"] >= 6


def _pick(rng: random.Random, held: dict[Any, list[Found]]) -> tuple[list[Found], int]:
    of_symbol = held[rng.choice(sorted(held))]
    return of_symbol, rng.randrange(len(of_symbol))


def delete(rng: random.Random, held: dict[Any, list[Found]]) -> None:
    of_symbol, place = _pick(rng, held)
    del of_symbol[place]


def double(rng: random.Random, held: dict[Any, list[Found]]) -> None:
    of_symbol, place = _pick(rng, held)
    of_symbol.insert(rng.randint(place + 1, len(of_symbol)), of_symbol[place])


def swap(rng: random.Random, held: dict[Any, list[Found]]) -> None:
    of_symbol, place = _pick(rng, held)
    other = rng.choice([at for at in range(len(of_symbol)) if at != place])
    of_symbol[place], of_symbol[other] = of_symbol[other], of_symbol[place]


def change_facts(rng: random.Random, held: dict[Any, list[Found]]) -> None:
    of_symbol, place = _pick(rng, held)
    of_symbol[place] = _changed(rng, of_symbol[place])


def change_stamp(rng: random.Random, held: dict[Any, list[Found]]) -> None:
    of_symbol, place = _pick(rng, held)
    of_symbol[place] = msgspec.structs.replace(of_symbol[place], received_at_us=of_symbol[place].received_at_us + 1)


def invent(rng: random.Random, held: dict[Any, list[Found]]) -> None:
    of_symbol, place = _pick(rng, held)
    of_symbol.insert(place, msgspec.structs.replace(of_symbol[place], id="77"))


def _changed(rng: random.Random, found: Found) -> Found:
    """Change one digit or word of the facts into another."""
    digits = [at for at, letter in enumerate(found.facts) if letter.isdigit()]
    at = rng.choice(digits)
    other = rng.choice([digit for digit in "123456789" if digit != found.facts[at]])
    return msgspec.structs.replace(found, facts=found.facts[:at] + other + found.facts[at + 1 :])


Fault = Callable[[random.Random, dict[Any, list[Found]]], None]


@pytest.mark.parametrize(
    ("store", "fault", "told"),
    [
        ("kafka", delete, "kafka.trade.lost"),
        ("kafka", swap, "kafka.trade.out_of_order"),
        ("kafka", change_facts, "kafka.trade.wrong"),
        ("kafka", invent, "kafka.trade.wrong"),
        ("redis", delete, "redis.trade.lost"),
        ("redis", double, "redis.trade.duplicated"),
        ("redis", swap, "redis.trade.out_of_order"),
        ("redis", change_facts, "redis.trade.wrong"),
        ("redis", change_stamp, "redis.trade.wrong"),
        ("redis", invent, "redis.trade.wrong"),
        ("postgres", delete, "postgres.trade.lost"),
        ("postgres", double, "postgres.trade.duplicated"),
        ("postgres", change_facts, "postgres.trade.wrong"),
        ("postgres", change_stamp, "postgres.trade.wrong"),
        ("postgres", invent, "postgres.trade.wrong"),
    ],
)
@few
@given(seed=Seeds, rng=Choices)
def test_one_fault_among_trades_is_told(
    make_run: Callable[[int], Any], store: str, fault: Fault, told: str, seed: int, rng: random.Random
) -> None:
    run = make_run(seed)
    fault(rng, {"kafka": run.log, "redis": run.cache, "postgres": run.rows}[store].trades)
    report = run.report()
    assert not report.ok
    assert any(line.startswith(told) for line in report.faults)


@few
@given(seed=Seeds, rng=Choices)
def test_a_repeat_in_kafka_is_told_and_no_fault(make_run: Callable[[int], Any], seed: int, rng: random.Random) -> None:
    run = make_run(seed)
    double(rng, run.log.trades)
    double(rng, run.log.tickers)
    report = run.report()
    assert report.ok, report.faults
    assert report.kafka["trade"]["duplicated"] == report.kafka["ticker"]["duplicated"] == 1


@pytest.mark.parametrize("channel", ["ticker", "orderbook"])
@pytest.mark.parametrize(("fault", "told"), [(swap, "out_of_order"), (change_facts, "wrong")])
@few
@given(seed=Seeds, rng=Choices)
def test_one_fault_among_states_in_kafka_is_told(
    make_run: Callable[[int], Any], channel: str, fault: Fault, told: str, seed: int, rng: random.Random
) -> None:
    run = make_run(seed)
    fault(rng, {"ticker": run.log.tickers, "orderbook": run.log.books}[channel])
    assert any(line.startswith(f"kafka.{channel}.{told}") for line in run.report().faults)


@pytest.mark.parametrize("channel", ["ticker", "orderbook"])
@few
@given(seed=Seeds, rng=Choices)
def test_a_missing_state_is_conflated_unless_it_is_the_newest(
    make_run: Callable[[int], Any], channel: str, seed: int, rng: random.Random
) -> None:
    run = make_run(seed)
    log, cache = (run.log.tickers, run.cache.tickers) if channel == "ticker" else (run.log.books, run.cache.books)
    symbol = rng.choice(sorted(log))
    place = rng.randrange(len(log[symbol]))
    is_newest = place == len(log[symbol]) - 1
    del log[symbol][place]
    cache[symbol] = log[symbol][-1]
    report = run.report()
    assert report.ok is not is_newest
    assert report.conflated[channel] == (not is_newest)
    assert report.kafka[channel]["lost"] == is_newest


@pytest.mark.parametrize("channel", ["ticker", "orderbook"])
@few
@given(seed=Seeds, rng=Choices)
def test_redis_must_hold_the_newest_state(
    make_run: Callable[[int], Any], channel: str, seed: int, rng: random.Random
) -> None:
    run = make_run(seed)
    log, cache = (run.log.tickers, run.cache.tickers) if channel == "ticker" else (run.log.books, run.cache.books)
    symbol = rng.choice(sorted(log))
    cache[symbol] = log[symbol][rng.randrange(len(log[symbol]) - 1)]
    assert run.report().faults == [f"redis.{channel}.stale = 1"]
    cache[symbol] = _changed(rng, log[symbol][-1])
    assert run.report().faults == [f"redis.{channel}.wrong = 1"]
    del cache[symbol]
    assert run.report().faults == [f"redis.{channel}.wrong = 1"]


@few
@given(seed=Seeds, rng=Choices)
def test_a_candle_that_is_missing_added_or_changed_is_wrong(
    make_run: Callable[[int], Any], seed: int, rng: random.Random
) -> None:
    run = make_run(seed)
    candles = run.rows.candles[rng.choice(sorted(run.rows.candles))]
    minute = rng.choice(sorted(candles))
    candle = candles.pop(minute)
    assert run.report().faults == ["postgres.candle_1m.wrong = 1"]
    field = rng.choice(candle._fields)
    candles[minute] = candle._replace(**{field: getattr(candle, field) + Decimal("0.00000001")})
    assert run.report().faults == ["postgres.candle_1m.wrong = 1"]
    candles[minute] = candle
    candles[minute - 3_600_000_000] = candle
    assert run.report().faults == ["postgres.candle_1m.wrong = 1"]


@few
@given(seed=Seeds, rng=Choices)
def test_a_trade_that_never_reached_kafka_is_lost_unless_an_open_gap_explains_it(
    make_run: Callable[[int], Any], gap_around: Callable[..., Gap], seed: int, rng: random.Random
) -> None:
    run = make_run(seed)
    symbol = rng.choice(sorted(run.log.trades))
    trade_id = rng.choice(run.log.trades[symbol]).id
    run.lose_in_kafka(symbol, trade_id)
    assert "kafka.trade.lost = 1" in run.report().faults
    gap = gap_around(symbol, run.truth.trades[symbol][trade_id].published_at_us)
    run.rows.gaps = [gap]
    report = run.report()
    assert report.ok, report.faults
    assert report.unheard["trade"] == 1
    assert report.gaps == {"open": 1, "closed": 0}
    others = (
        {"closed": True},
        {"channel": "ticker"},
        {"exchange": "kraken"},
        {"symbols": frozenset({"KRW-XRP"})},
        {"from_us": gap.to_us + 10_000_000, "to_us": None},
        {"from_us": None, "to_us": gap.from_us - 1},
    )
    for other in others:
        run.rows.gaps = [Gap(**{**vars(gap), **other})]
        assert "kafka.trade.lost = 1" in run.report().faults


@pytest.mark.parametrize("channel", ["ticker", "orderbook"])
@pytest.mark.parametrize("told_of", ["trade", "ticker", "orderbook"])
def test_a_last_state_that_never_reached_kafka_is_lost_unless_its_market_was_not_heard(
    make_run: Callable[[int], Any], channel: str, told_of: str
) -> None:
    run = make_run(0)
    symbol = ("upbit", "KRW-BTC")
    log, cache = (run.log.tickers, run.cache.tickers) if channel == "ticker" else (run.log.books, run.cache.books)
    last = (run.truth.tickers if channel == "ticker" else run.truth.books)[symbol][-1]
    del log[symbol][-1]
    cache[symbol] = log[symbol][-1]
    assert run.report().faults == [f"kafka.{channel}.lost = 1"]
    at_us = last.published_at_us
    run.rows.gaps = [Gap(symbol[0], told_of, frozenset({symbol[1]}), at_us - 1, at_us + 1)]
    report = run.report()
    explained = told_of in ("trade", channel)
    assert report.faults == ([] if explained else [f"kafka.{channel}.lost = 1"])
    assert report.unheard[channel] == explained


@few
@given(Seeds)
def test_a_trade_that_nobody_heard_is_lost_without_a_gap(make_run: Callable[[int], Any], seed: int) -> None:
    run = make_run(seed)
    symbol = ("upbit", "KRW-BTC")
    trade_id, state = list(run.truth.trades[symbol].items())[-1]
    run.truth.trades[symbol][trade_id] = Published(state.order, state.facts, state.published_at_us, False)
    run.lose_in_kafka(symbol, trade_id)
    report = run.report()
    assert report.unheard["trade"] == 1
    assert "kafka.trade.lost = 1" in report.faults


def test_an_empty_run_proves_nothing(make_run: Callable[[int], Any]) -> None:

    run = make_run(0)
    run.truth = Truth()
    for held in (run.log.trades, run.log.tickers, run.log.books, run.cache.trades, run.cache.tickers):
        held.clear()
    for held in (run.cache.books, run.rows.trades, run.rows.candles):
        held.clear()
    assert run.report().faults == ["nothing was published, so nothing is proven"]
