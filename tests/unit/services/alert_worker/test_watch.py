"""Stories of several symbols: trades of many partitions in, exactly these alerts out."""

import random
from itertools import pairwise

import msgspec
import pytest

from services.alert_worker import snapshot
from services.alert_worker.watch import Watch
from shared.events import DetectorSnapshot
from shared.partitioning import partition_of, symbol_key
from shared.wire import decode, encode

PARTITIONS = 8
COINS = [f"C{number:03}" for number in range(300)]


@pytest.fixture
def falls(make_market):
    """Trades of coins that fall by 6 % at second 30, `apart` seconds one after the other, and stay there."""

    def make(coins, exchange="upbit", apart=0.0, seconds=60.0, quote="KRW", rate=5):
        trades = []
        for place, coin in enumerate(coins):
            name = f"{quote}-{coin}"
            market = make_market(name, exchange)
            begins = 30.0 + place * apart
            steps = range(int(seconds * rate))
            trades += [
                market.trade(n, n / rate + place / 10_000, 10_000_000 if n / rate < begins else 9_400_000)
                for n in steps
            ]
        return sorted(trades, key=lambda trade: (trade.received_at_us, trade.symbol))

    return make


@pytest.fixture
def play():
    """Give trades to a watch of eight partitions as Kafka would; `restart_at` saves and restores it in the middle."""

    def run(trades, restart_at=None, shuffle=None):
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


def ids(alerts):
    return [alert.alert_id for alert in alerts]


def told(alerts):
    return [alert for alert in alerts if alert.suppressed_by is None]


def market_wide(alerts):
    return [alert for alert in alerts if alert.scope == "market"]


def test_three_coins_are_three_stories_and_four_are_one_market(falls, play) -> None:
    assert market_wide(play(falls(COINS[:3]))) == []
    (storm,) = market_wide(play(falls(COINS[:4])))
    assert (storm.state, storm.direction, storm.severity) == ("open", "down", "danger")
    assert sorted(storm.members) == [f"upbit:KRW-{coin}" for coin in COINS[:4]]
    assert storm.change_pct == "-6.00"


def test_four_falls_over_minutes_are_no_storm(falls, play) -> None:
    assert market_wide(play(falls(COINS[:4], apart=21.0, seconds=120.0))) == []
    assert len(market_wide(play(falls(COINS[:4], apart=19.0, seconds=120.0)))) == 1


def test_three_hundred_symbols_are_one_message_before_its_details(falls, play) -> None:
    alerts = play(falls(COINS, rate=3))
    (storm,) = market_wide(alerts)
    assert alerts[0] is storm
    assert len(storm.members) == 300
    assert len(alerts) == 301
    fell_us = min(alert.started_at_us for alert in alerts if alert.scope == "symbol")
    assert storm.event_at_us is not None
    assert storm.event_at_us - fell_us < 5_000_000


def test_later_members_are_few_updates(falls, play) -> None:
    alerts = market_wide(play(falls(COINS[:40], apart=1.0, seconds=75.0)))
    assert [alert.state for alert in alerts] == ["open", "escalate", "escalate"]
    assert all((later.event_at_us or 0) - (before.event_at_us or 0) >= 15_000_000 for before, later in pairwise(alerts))
    assert len({alert.episode_id for alert in alerts}) == 1


def test_a_storm_ends_when_nobody_joins_any_more(falls, play, make_market) -> None:
    clock = [make_market("KRW-CLOCK").trade(n, float(n), 1_000_000) for n in range(400)]
    trades = sorted([*falls(COINS[:5]), *clock], key=lambda trade: trade.received_at_us)
    opened, ended = market_wide(play(trades))
    assert (opened.state, ended.state) == ("open", "resolve")
    assert (ended.event_at_us or 0) - (opened.event_at_us or 0) == pytest.approx(300_000_000, abs=2_000_000)


def test_one_coin_on_two_exchanges_is_one_story(falls, play) -> None:
    trades = [*falls(["BTC"]), *falls(["BTC"], "binance", quote="USDT")]
    alerts = play(sorted(trades, key=lambda trade: trade.received_at_us))
    assert len({alert.episode_id for alert in told(alerts)}) == 1
    assert [alert.suppressed_by for alert in alerts if alert.episode_id != told(alerts)[0].episode_id] == ["joined"]
    last = told(alerts)[-1]
    assert set(last.members) == {"upbit:KRW-BTC", "binance:USDT-BTC"}


def mixed(falls):
    """Six coins on both exchanges, and one that falls alone and later."""
    trades = falls(COINS[:6], apart=0.7) + falls(COINS[:6], "binance", apart=0.9, quote="USDT")
    trades += falls(["LATE"], apart=0.0, seconds=90.0)
    return sorted(trades, key=lambda trade: trade.received_at_us)


def test_the_same_input_twice_gives_the_same_alerts(falls, play) -> None:
    assert play(mixed(falls)) == play(mixed(falls)) != []


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_arrival_across_partitions_does_not_matter(falls, play, seed) -> None:
    assert ids(play(mixed(falls), shuffle=random.Random(seed))) == ids(play(mixed(falls)))


@pytest.mark.parametrize("place", [1000, 1800, 1950, 1980, 2000, 2020, 2050, 2100, 2200, 2500])
def test_a_restart_anywhere_gives_the_same_alerts(falls, play, place) -> None:
    assert ids(play(mixed(falls), restart_at=place)) == ids(play(mixed(falls)))


def test_a_thousandfold_price_gives_the_same_alerts(falls, play) -> None:
    thousandfold = [msgspec.structs.replace(trade, price=f"{trade.price}000") for trade in mixed(falls)]
    assert ids(play(thousandfold)) == ids(play(mixed(falls)))


def test_a_silent_exchange_keeps_nobody_waiting(falls, play, make_market) -> None:
    silent = [make_market("USDT-BTC", "binance").trade(n, n / 5, 50_000_000) for n in range(50)]
    trades = sorted([*silent, *falls(["ETH"])], key=lambda trade: trade.received_at_us)
    (opened,) = play(trades)
    assert opened.symbol == "KRW-ETH"
