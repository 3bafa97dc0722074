"""Trades as a market would make them, and the pure watch that reads them."""

import random
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

import pytest

from services.alert_worker import snapshot
from services.alert_worker.partition import Partition
from services.alert_worker.rules.ruleset import DEFAULTS, Ruleset
from services.alert_worker.watch import Watch
from shared.events import Alert, DetectorSnapshot, Trade
from shared.partitioning import partition_of, symbol_key
from shared.wire import decode, encode

START_US = 1_700_000_000_000_000
DELAY_US = 12_000
PARTITIONS = 8


class Market(NamedTuple):
    """Makes trades of one symbol; `at` is in seconds since the start."""

    symbol: str = "KRW-BTC"
    exchange: str = "upbit"
    scale: float = 1.0
    quantity: str = "0.05"

    def trade(self, number: int, at: float, price: float) -> Trade:
        quote, _, base = self.symbol.partition("-")
        traded_at_us = START_US + int(at * 1_000_000)
        return Trade(
            exchange=self.exchange,
            symbol=self.symbol,
            base=base,
            quote=quote,
            trade_id=str(number + 1),
            price=str(round(price) * int(self.scale)),
            quantity=self.quantity,
            side="buy",
            traded_at_us=traded_at_us,
            received_at_us=traded_at_us + DELAY_US,
        )

    def path(
        self, price_at: Callable[[float], float], seconds: float, rate: float = 20.0, seed: int = 1
    ) -> Iterator[Trade]:
        """Trades at random instants along a price; a bid and an ask one thousand apart."""
        rng = random.Random(seed)
        at, number = 0.0, 0
        while (at := at + rng.expovariate(rate)) < seconds:
            yield self.trade(number, at, price_at(at) + rng.choice((0, 1000)))
            number += 1


@pytest.fixture
def market() -> Market:
    """KRW-BTC on Upbit."""
    return Market()


@pytest.fixture
def make_market() -> type[Market]:
    """Other markets."""
    return Market


@pytest.fixture
def watch() -> Callable[..., list[Alert]]:
    """Feed trades in the given order to a new watch, or to one that is given; let its clock run out at the end."""

    def run(trades: Iterable[Trade], partition: Partition | None = None, first_offset: int = 0) -> list[Alert]:
        partition = Partition() if partition is None else partition
        alerts: list[Alert] = []
        newest = 0
        for offset, trade in enumerate(trades, first_offset):
            alerts += [one.alert for one in partition.observe(trade, offset)]
            newest = max(newest, trade.received_at_us)
        return alerts + [one.alert for one in partition.run_on(newest + 1_000_000)]

    return run


def crash(at: float) -> float:
    """130 million, down by 5 % from second 4 on, and back by second 11."""
    points = ((0.0, 0.0), (4.0, 0.0), (5.5, -1.8), (7.5, -5.0), (8.0, -5.0), (9.5, -1.5), (11.0, -0.2), (1e9, -0.2))
    for (from_s, low), (to_s, high) in pairwise(points):
        if from_s <= at < to_s:
            return 130_000_000 * (1 + (low + (high - low) * (at - from_s) / (to_s - from_s)) / 100)
    raise ValueError(at)


@pytest.fixture
def flash_crash(market: Market) -> list[Trade]:
    """Twenty seconds with a crash in the middle."""
    return list(market.path(crash, 20.0))


@pytest.fixture
def start_us() -> int:
    """When the stories begin."""
    return START_US


@pytest.fixture
def restart() -> Callable[..., tuple[Partition, int]]:
    """Save a watch and restore it into a new one, through bytes; with the offset where reading resumes."""

    def run(partition: Partition, rules: Ruleset = DEFAULTS) -> tuple[Partition, int]:
        records = [decode(DetectorSnapshot, encode(record)) for _, record in snapshot.take(partition, 0, 1)]
        after = Partition(rules)
        resume = snapshot.restore(after, records)
        assert resume is not None
        return after, resume

    return run


@pytest.fixture
def make_alert() -> Callable[..., Alert]:
    """An alert of KRW-BTC in the given state; anything may be set otherwise."""

    def make(state: str, **changes: object) -> Alert:
        fields: dict[str, object] = {
            "episode_id": "e1", "state": state, "kind": "move", "detectors": ["move", "move_abs"], "scope": "symbol",
            "direction": "down", "severity": "danger", "started_at_us": START_US, "decided_at_us": START_US + 6_300_000,
            "rule_version": "moves/1", "exchange": "upbit", "symbol": "KRW-BTC", "base": "BTC", "quote": "KRW",
            "event_at_us": START_US + 6_000_000, "received_at_us": START_US + 6_012_000, "price_before": "136839000",
            "price_now": "129997000", "price_extreme": "129313000", "change_pct": "-5.00", "window_s": 6,
            "sigma": "9.3",
        }  # fmt: skip
        fields |= changes
        fields.setdefault("alert_id", f"{fields['episode_id']}-{state}")
        return Alert(**fields)  # type: ignore[arg-type]

    return make


@pytest.fixture
def play() -> Callable[..., list[Alert]]:
    """Give trades to a watch of eight partitions as Kafka would; `restart_at` saves and restores it in the middle.

    `is_live`: partitions without trades are run on by the clock, a second behind.
    """

    def run(trades, restart_at=None, shuffle=None, is_live=False):
        watch, logs, told = Watch(PARTITIONS), {}, []
        ordered = list(trades)
        if shuffle is not None:
            ordered.sort(key=lambda trade: trade.traded_at_us + shuffle.uniform(0, 150_000))
        for place, trade in enumerate(ordered):
            if place == restart_at:
                watch, resume = _restarted(watch)
                for number, log in logs.items():
                    for offset, again in enumerate(log[resume[number] :], resume[number]):
                        told += watch.observe(again, offset, number)
            number = partition_of(symbol_key(trade.exchange, trade.symbol), PARTITIONS)
            log = logs.setdefault(number, [])
            log.append(trade)
            if is_live:
                told += watch.run_on(trade.received_at_us - 1_000_000, range(PARTITIONS))
            told += watch.observe(trade, len(log) - 1, number)
        newest = max(trade.received_at_us for trade in ordered)
        told += watch.run_on(newest + 2_000_000, range(PARTITIONS))
        alerts = {}
        for one in told:
            alerts.setdefault(one.alert.alert_id, one.alert)
        return list(alerts.values())

    return run


def _restarted(watch):
    kept = decode(DetectorSnapshot, encode(snapshot.take_watch(watch, 1)[1]))
    after, resume = Watch(PARTITIONS), {}
    snapshot.restore_watch(after, kept)
    for number, partition in enumerate(watch.partitions):
        records = [decode(DetectorSnapshot, encode(record)) for _, record in snapshot.take(partition, number, 1)]
        resume[number] = snapshot.restore(after.partitions[number], records) or 0
    return after, resume
