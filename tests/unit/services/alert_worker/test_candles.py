"""The first hour after an installation: the exchanges' own minutes say what is usual before any trade could.

Candles come as producers tell them: from the third second on, a page of a market at a time, newest first.
"""

import math
import random
from itertools import pairwise

import msgspec
import pytest

from services.alert_worker import snapshot
from services.alert_worker.baseline import HALF_LIFE_MINUTES, Baseline
from services.alert_worker.partition import MOST_CANDLES, Partition
from services.alert_worker.rules.move import Move
from services.alert_worker.rules.move_abs import MoveAbs
from services.alert_worker.rules.parameters import percents
from services.alert_worker.rules.ruleset import DEFAULTS, ruleset
from services.alert_worker.watch import Watch
from shared.events import Candle, DetectorSnapshot
from shared.wire import decode, encode

START_US = 1_700_000_000_000_000
MINUTE_US = 60_000_000
FIRST_MINUTE = START_US // MINUTE_US
COINS = ("BTC", "ETH", "XRP", "SOL")
PRICE = 130_000_000
MONEY = 800_000_000.0
"""A minute of won: a busy market."""
KEEP = 0.5 ** (1 / HALF_LIFE_MINUTES)


def candle(coin, back, close, money=MONEY, received_s=3.0):
    """The minute that opened `back` minutes before the one of the start."""
    price = str(round(close))
    return Candle(
        exchange="upbit", symbol=f"KRW-{coin}", base=coin, quote="KRW",
        opened_at_us=(FIRST_MINUTE - back) * MINUTE_US, open=price, high=price, low=price, close=price,
        volume="1", turnover=f"{money:.4f}", received_at_us=START_US + int(received_s * 1_000_000),
    )  # fmt: skip


def past(coins=COINS, count=1_440, seed=3, sigma=0.0004):
    """Quiet minutes, told in pages of 200 that take turns."""
    rng = random.Random(seed)
    walks = {}
    for coin in coins:
        walk, level = [], float(PRICE)
        for _ in range(count):
            level *= math.exp(rng.gauss(0, sigma))
            walk.append(level)
        walks[coin] = walk
    told, received_s = [], 3.0
    for first in range(0, count, 200):
        for coin in coins:
            page = walks[coin][first : first + 200]
            told += [candle(coin, first + n + 1, close, received_s=received_s) for n, close in enumerate(page)]
            received_s += 0.2
    return told


def trades_of(make_market, move, minutes=60, coins=COINS, seed=5, every_s=1.5):
    """Trades of the first minutes; `move(coin, at_s)` is what the price does besides walking quietly."""
    rng, found = random.Random(seed), []
    for coin in coins:
        market, level, at_s, number = make_market(f"KRW-{coin}", quantity="0.15"), float(PRICE), 1.0, 0
        while (at_s := at_s + rng.expovariate(1 / every_s)) < minutes * 60:
            level *= math.exp(rng.gauss(0, 0.0004 * math.sqrt(every_s / 60)))
            found.append(market.trade(number, at_s, level * (1 + move(coin, at_s))))
            number += 1
    return sorted(found, key=lambda trade: trade.received_at_us)


def falls_in_minute_ten(coin, at_s):
    """Bitcoin, by three per cent within three minutes."""
    return -0.03 * min(1.0, max(0.0, (at_s - 600) / 180)) if coin == "BTC" else 0.0


@pytest.fixture
def tell():
    """Give candles and trades to a watch in the order of their receipt, or candles later, or sooner, than they came.

    `restart_at_s` saves and restores it.
    """

    def run(trades, candles=(), restart_at_s=None, read_late_s=0.0, rules=DEFAULTS):
        watch, told = Watch(1, rules), []
        late_us = int(read_late_s * 1_000_000)
        records = sorted([*trades, *candles], key=lambda one: one.received_at_us + late_us * isinstance(one, Candle))
        logs: dict[type, list] = {Candle: [], type(trades[0]): []}
        tape = logs[type(trades[0])]

        def take(one, offset):
            if isinstance(one, Candle):
                watch.partitions[0].hear(one, offset)
                return []
            return watch.observe(one, offset)

        for one in records:
            if restart_at_s is not None and one.received_at_us > START_US + restart_at_s * 1_000_000:
                restart_at_s = None
                watch, resume, candles_resume = _restarted(watch, rules)
                for offset, again in enumerate(logs[Candle][candles_resume:], candles_resume):
                    watch.partitions[0].hear(again, offset)
                for offset, again in enumerate(tape[resume:], resume):
                    told += watch.observe(again, offset)
            logs[type(one)].append(one)
            told += take(one, len(logs[type(one)]) - 1)
        told += watch.run_on(records[-1].received_at_us + 3_000_000)
        alerts = {}
        for one in told:
            alerts.setdefault(one.alert.alert_id, one.alert)
        return list(alerts.values()), watch.partitions[0]

    return run


def _restarted(watch, rules):
    before = watch.partitions[0]
    records = [decode(DetectorSnapshot, encode(record)) for _, record in snapshot.take(before, 0, 1)]
    kept = decode(DetectorSnapshot, encode(snapshot.take_watch(watch, 1)[1]))
    after = Watch(1, rules)
    snapshot.restore_watch(after, kept)
    resume = snapshot.restore(after.partitions[0], records) or 0
    return after, resume, after.partitions[0].candle_position


def baseline_of(partition, coin="BTC"):
    return partition.exchanges["upbit"].detectors[f"KRW-{coin}"].baseline


@pytest.mark.parametrize("seed", range(5))
def test_a_calm_first_hour_raises_nothing(make_market, tell, seed):
    alerts, partition = tell(trades_of(make_market, lambda coin, at: 0.0, seed=seed), past(seed=seed))
    assert alerts == []
    for coin in COINS:
        baseline = baseline_of(partition, coin)
        assert baseline.minutes > 1_400
        assert 0.0003 < baseline.sigma < 0.0006
        assert baseline.busy_share > 0.95


def test_a_fall_in_minute_ten_is_told_with_its_volatility_and_no_later_than_by_the_fixed_rule_alone(make_market, tell):
    trades = trades_of(make_market, falls_in_minute_ten, minutes=16)
    alerts, _ = tell(trades, past())
    without, _ = tell(trades)
    first = alerts[0]
    assert (first.kind, first.symbol, first.direction) == ("move", "KRW-BTC", "down")
    assert -2.3 < float(first.change_pct) <= -2
    assert float(first.sigma) > 6
    assert (without[0].kind, without[0].sigma) == ("move_abs", None)
    assert first.started_at_us <= without[0].started_at_us
    assert len({alert.episode_id for alert in alerts}) == 1


@pytest.mark.parametrize("restart_at_s", [2, 3.5, 5.1, 6.0, 8.9, 300, 601, 660, 690, 700, 721, 900])
def test_a_restart_anywhere_gives_the_same_ids(make_market, tell, restart_at_s):
    trades = trades_of(make_market, falls_in_minute_ten, minutes=16)
    whole, partition = tell(trades, past())
    alerts, again = tell(trades, past(), restart_at_s)
    assert [alert.alert_id for alert in alerts] == [alert.alert_id for alert in whole]
    for coin in COINS:
        assert baseline_of(again, coin).packed() == baseline_of(partition, coin).packed()


@pytest.mark.parametrize(("restart_at_s", "read_late_s"), [(4.9, 0), (5.7, 0), (8.0, 0), (5.5, 1.8), (None, -1.5)])
def test_a_fall_while_the_past_comes_gives_the_same_ids_read_sooner_or_later(
    make_market, tell, restart_at_s, read_late_s
):
    """What makes the fall an alert is the candles: they count between the same two ticks."""

    def falls_at_once(coin, at_s):
        return -0.024 * min(1.0, max(0.0, (at_s - 3) / 4)) if coin == "BTC" else 0.0

    trades = trades_of(make_market, falls_at_once, minutes=1, every_s=0.05)
    candles = [
        msgspec.structs.replace(one, received_at_us=START_US + 4_900_000 + n * 400) for n, one in enumerate(past())
    ]
    rules = ruleset((Move(opens_percent=percents(1.5)), MoveAbs(percent=percents(3))))
    whole, _ = tell(trades, candles, rules=rules)
    assert [alert.kind for alert in whole][:1] == ["move"]
    alerts, _ = tell(trades, candles, restart_at_s, read_late_s, rules)
    assert [alert.alert_id for alert in alerts] == [alert.alert_id for alert in whole]


def test_a_market_listed_minutes_ago_has_the_fixed_rule_alone(make_market, tell):
    """Twelve wild minutes are no past: it is of the tier `new`, told from two per cent on."""
    wild = [candle("NEW", back, PRICE * (1 + 0.04 * (back % 2))) for back in range(1, 13)]

    def rises(by):
        return lambda coin, at_s: by * min(1.0, max(0.0, (at_s - 120) / 60)) if coin == "NEW" else 0.0

    below, _ = tell(trades_of(make_market, rises(0.016), 6, ("NEW", "BTC")), wild + past(("BTC",)))
    beyond, partition = tell(trades_of(make_market, rises(0.022), 6, ("NEW", "BTC")), wild + past(("BTC",)))
    assert below == []
    assert (beyond[0].kind, beyond[0].symbol) == ("move_abs", "KRW-NEW")
    assert not baseline_of(partition, "NEW").is_warm
    assert baseline_of(partition, "NEW").minutes >= 11


def test_a_market_that_stands_still_is_told_in_the_first_half_hour(make_market, tell):
    coins = (*COINS, "ADA", "DOT")
    flow = trades_of(make_market, lambda coin, at: 0.0, minutes=30, coins=coins, every_s=5.0)
    out = range(START_US + 600_000_000, START_US + 1_500_000_000)
    trades = [trade for trade in flow if trade.symbol != "KRW-SOL" or trade.traded_at_us not in out]
    alerts, _ = tell(trades, past(coins))
    assert [(alert.kind, alert.symbol, alert.state) for alert in alerts] == [
        ("halt", "KRW-SOL", "open"), ("halt", "KRW-SOL", "resolve")
    ]  # fmt: skip
    assert tell(trades)[0] == []


def test_candles_never_raise_an_alert(make_market, tell):
    """Whatever they say, of markets that trade and of one that never did since we look."""
    rng = random.Random(8)
    wild = [candle("BTC", back, PRICE * rng.uniform(0.5, 2), received_s=3 + back / 100) for back in range(1, 1_440)]
    dead = [candle("DEAD", back, PRICE) for back in range(1, 600)]
    alerts, _ = tell(trades_of(make_market, lambda coin, at: 0.0, minutes=20), wild + dead + past(COINS[1:]))
    assert alerts == []


def test_no_minute_counts_twice(make_market, tell):
    trades = trades_of(make_market, lambda coin, at: 0.0, minutes=20)
    once = tell(trades, past())[1]
    later = [
        msgspec.structs.replace(one, received_at_us=START_US + 600_000_000 + n, close="1")
        for n, one in enumerate(past())
    ]
    overlap = [candle(coin, -minute, PRICE * 2, received_s=900) for coin in COINS for minute in range(12)]
    twice = tell(trades, [*past(), *later, *overlap])[1]
    for coin in COINS:
        assert baseline_of(once, coin).packed() == baseline_of(twice, coin).packed()


def test_trades_of_minutes_that_candles_have_told_do_not_count_again(make_market):
    """A worker that starts anew learns the candles first, and then reads the tape of the last half hour."""
    trades = trades_of(make_market, lambda coin, at: 0.0, minutes=30, coins=("BTC",))
    told = [*past(("BTC",)), *(candle("BTC", -minute, PRICE, received_s=1_800) for minute in range(25))]
    partition = Partition()
    for offset, one in enumerate(told):
        partition.hear(one, offset)
    known = baseline_of(partition).minutes
    assert known == 1_440 - 1 + 25
    for offset, trade in enumerate(trades):
        partition.observe(trade, offset)
    partition.run_on(trades[-1].received_at_us + 1_000_000)
    assert baseline_of(partition).minutes - known <= 30 - 25
    assert baseline_of(partition).minute == FIRST_MINUTE + 29 + (START_US % MINUTE_US + 59_000_000) // MINUTE_US


def test_in_whatever_order_the_stretch_grows_it_is_the_same_as_in_that_of_time():
    rng = random.Random(2)
    minutes = [n for n in range(1, 500) if rng.random() < 0.7]
    closes = {minute: PRICE * math.exp(rng.gauss(0, 0.0004)) for minute in minutes}
    money = {minute: rng.expovariate(1 / MONEY) for minute in minutes}
    first = FIRST_MINUTE - 1_000
    middle = len(minutes) // 2
    baseline = Baseline()
    for minute in minutes[middle::-1]:
        assert baseline.take_candle(first + minute, closes[minute], money[minute])
    for minute in minutes[middle + 1 :]:
        assert baseline.take_candle(first + minute, closes[minute], money[minute])
    for minute in minutes:
        assert not baseline.take_candle(first + minute, 1.0, 1.0)
    last = minutes[-1]
    shares = {minute: (1 - KEEP) * KEEP ** (last - minute) for minute in minutes}
    weight = 1 - KEEP ** (last - minutes[0] + 1)
    assert baseline.turnover == pytest.approx(sum(shares[m] * money[m] for m in minutes) / weight)
    assert baseline.busy_share == pytest.approx(sum(shares.values()) / weight)
    returns = [
        math.log(closes[after] / closes[before])
        for before, after in pairwise(minutes) if after - before <= 10
    ]  # fmt: skip
    weights = [KEEP**age for age in range(len(returns) - 1, -1, -1)]
    square = sum(w * r * r for w, r in zip(weights, returns, strict=True)) / sum(weights)
    assert baseline.minutes == len(returns)
    assert baseline.sigma == pytest.approx(math.sqrt(square), rel=0.02)  # a few are clipped
    restored = Baseline.unpacked(msgspec.json.decode(msgspec.json.encode(baseline.packed())))
    assert restored.packed() == baseline.packed()


def test_a_flood_of_candles_is_bounded(make_market):
    partition = Partition()
    for offset, trade in enumerate(trades_of(make_market, lambda coin, at: 0.0, minutes=1)):
        partition.observe(trade, offset)
    for offset in range(MOST_CANDLES + 500):
        partition.hear(candle("BTC", offset + 1, PRICE, received_s=90), offset)
    assert len(partition.exchanges["upbit"].candles) == MOST_CANDLES
    assert baseline_of(partition).minutes == 499
    assert partition.candles_resume == 500
