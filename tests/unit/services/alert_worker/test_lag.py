"""Stories of a worker, or of a feed, that is seconds behind: one fall stays one episode."""

import heapq
from itertools import count

import pytest
from msgspec.structs import replace

from services.alert_worker.on_the_way import OnTheWay
from services.alert_worker.watch import Watch
from shared.partitioning import partition_of, symbol_key

PARTITIONS = 8
TURN_US = 20_000
IN_TIME_S = 0.005
COINS = ("BTC", "ETH", "XRP", "SOL", "DOGE", "ADA")
DEEPEST_S = 40.5
"""When the fall is deepest: just after a boundary at which the exchanges' prices are compared."""


def price(at: float) -> float:
    """Bitcoin on Upbit: down by 5 % within three and a half seconds, and back in three."""
    depth = min((at - DEEPEST_S + 3.5) / 3.5, (DEEPEST_S + 3.0 - at) / 3.0)
    return 140_000_000 * (1 - 0.05 * max(0.0, depth))


@pytest.fixture
def fall(make_market):
    """(second, trade)s of six coins on both exchanges, of which one falls on one."""
    trades = []
    for place, coin in enumerate(COINS):
        here, there = make_market(f"KRW-{coin}"), make_market(f"USDT-{coin}", "binance")
        trades += here.path(price if coin == "BTC" else lambda _: 140_000_000.0, 120.0, seed=place)
        trades += there.path(lambda _: 100_000_000.0, 120.0, seed=place + 10)
    first_us = min(trade.received_at_us for trade in trades)
    return [((trade.received_at_us - first_us) / 1e6, trade) for trade in trades]


def number_of(trade):
    return partition_of(symbol_key(trade.exchange, trade.symbol), PARTITIONS)


@pytest.fixture
def watch():
    return Watch(PARTITIONS)


def read(watch, fall, late_s, behind=frozenset()):
    """What a live watch says when each trade is read so much later; partitions that have none, and are not known to be
    `behind`, follow our clock, as far as records have taken to come lately."""
    alerts, offsets, way = [], [count() for _ in range(PARTITIONS)], OnTheWay()
    waiting = [(trade.received_at_us + late_s(at, trade) * 1e6, n, trade) for n, (at, trade) in enumerate(fall)]
    heapq.heapify(waiting)
    for now_us in range(int(waiting[0][0]), int(max(waiting)[0]) + 2_000_000, TURN_US):
        batch = {}
        while waiting and waiting[0][0] <= now_us:
            trade = heapq.heappop(waiting)[2]
            way.note(trade.received_at_us, now_us)
            number = number_of(trade)
            batch.setdefault(number, []).append((next(offsets[number]), trade))
        for number, records in batch.items():
            alerts += watch.observe_all(records, number)
        alerts += watch.run_on(now_us - way.longest_us(now_us), set(range(PARTITIONS)) - batch.keys() - behind)
    return [one.alert for one in alerts]


@pytest.fixture
def gap(make_market):
    """(second, trade)s of six coins on both exchanges; bitcoin falls by 7 % on Upbit alone at second 120, and is back
    at 300. Upbit is quiet."""
    trades = []
    for place, coin in enumerate(COINS):
        here, there = make_market(f"KRW-{coin}"), make_market(f"USDT-{coin}", "binance")
        wide = (lambda at: 130_200_000.0 if 120 <= at < 300 else 140_000_000.0) if coin == "BTC" else lambda _: 140e6
        trades += here.path(wide, 420.0, rate=0.3, seed=place)
        trades += there.path(lambda _: 100_000_000.0, 420.0, rate=2.0, seed=place + 10)
    first_us = min(trade.received_at_us for trade in trades)
    return [((trade.received_at_us - first_us) / 1e6, trade) for trade in trades]


def assert_one_story(alerts):
    assert {alert.symbol for alert in alerts} == {"KRW-BTC"}
    assert len({alert.episode_id for alert in alerts}) == 1
    assert alerts[0].state == "open"
    assert alerts[-1].state == "resolve"


def test_a_fall_that_is_read_in_time_is_one_story(watch, fall) -> None:
    assert_one_story(read(watch, fall, lambda at, trade: IN_TIME_S))
    assert watch.not_compared == 0


@pytest.mark.parametrize("speed", [0.3, 0.5, 0.8])
def test_it_is_one_where_its_partition_is_read_more_slowly_than_it_grows(watch, fall, speed) -> None:
    """The others are compared without it meanwhile, and its old price is no gap."""
    slow = next(number_of(trade) for _, trade in fall if trade.symbol == "KRW-BTC")

    def late_s(at, trade):
        return max(IN_TIME_S, (at - DEEPEST_S) * (1 / speed - 1)) if number_of(trade) == slow else IN_TIME_S

    assert_one_story(read(watch, fall, late_s, behind={slow}))
    assert watch.not_compared > 0


@pytest.mark.parametrize("stalled_s", [3.0, 12.0, 24.0, 28.0])
def test_it_is_one_where_its_exchange_is_not_heard_for_a_while(watch, fall, stalled_s) -> None:
    """What was not heard of is no price that stands."""

    def late_s(at, trade):
        until_s = DEEPEST_S + stalled_s
        return max(IN_TIME_S, until_s - at) if trade.exchange == "upbit" and at > DEEPEST_S else IN_TIME_S

    assert_one_story(read(watch, fall, late_s))


def delayed(story, by_s):
    """The same, heard from Upbit so much later."""
    for at, trade in story:
        received_at_us = trade.received_at_us + int(by_s(at) * 1e6)
        yield at, replace(trade, received_at_us=received_at_us) if trade.exchange == "upbit" else trade


def assert_told_and_over(alerts):
    gaps = [alert for alert in alerts if alert.kind == "divergence"]
    assert [(alert.base, alert.state) for alert in gaps] == [("BTC", "open"), ("BTC", "resolve")]


@pytest.mark.parametrize("hiccup_s", [0.0, 5.0])
@pytest.mark.parametrize("later_s", [0.0, 0.3])
def test_a_gap_is_told_and_ends_though_a_record_comes_late_now_and_then(watch, gap, hiccup_s, later_s) -> None:
    """While idle partitions are given more time for it, they are not taken for ones that are behind."""

    def late_s(at, trade):
        return hiccup_s if at % 4 < 0.5 and trade.exchange == "binance" else IN_TIME_S

    assert_told_and_over(read(watch, delayed(gap, lambda _: later_s), late_s))


def test_a_gap_that_is_told_ends_though_one_exchange_is_heard_too_late_from_then_on(watch, gap) -> None:
    assert_told_and_over(read(watch, delayed(gap, lambda at: 2.6 if at > 200 else 0.0), lambda at, trade: IN_TIME_S))
