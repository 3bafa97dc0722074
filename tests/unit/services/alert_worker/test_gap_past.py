"""What is usual between two exchanges is known from their own minutes before any trade could tell.

Bitcoin on both, each in a partition of its own; candles come while trades do, a page of an exchange at a time.
"""

import math
import random

import pytest
from msgspec.structs import replace

from services.alert_worker import snapshot
from services.alert_worker.baseline import Baseline
from services.alert_worker.divergence import Divergences
from services.alert_worker.gap_past import MOST_MINUTES, WAIT_TICKS, Close, GapPast
from services.alert_worker.watch import MOST_CLOSES, Watch
from shared.events import Candle, DetectorSnapshot, Trade
from shared.kafka import MAX_REQUEST_BYTES
from shared.partitioning import partition_of, symbol_key
from shared.wire import decode, encode

START_US = 1_700_000_000_000_000
MINUTE_US = 60_000_000
NOW = START_US // MINUTE_US
HERE, THERE = ("upbit", "KRW-BTC", "KRW"), ("binance", "BTCUSDT", "USDT")
WORLD = 100_000
PARTITIONS = 8


def candles(market, received_s, count=600, sigma=0.0003, factor=1.0):
    """Quiet minutes of one exchange, newest first in pages of two hundred."""
    exchange, symbol, quote = market
    rng, walk = random.Random(7), random.Random(exchange)
    level, found = float(WORLD), []
    for back in range(1, count + 1):
        level *= math.exp(rng.gauss(0, 0.0005))  # the world's price, the same on both
        close = f"{level * factor * math.exp(walk.gauss(0, sigma)):.4f}"
        at_us = START_US + int((received_s + (back - 1) // 200) * 1_000_000)
        told = Candle(
            exchange=exchange, symbol=symbol, base="BTC", quote=quote, opened_at_us=(NOW - back) * MINUTE_US,
            open=close, high=close, low=close, close=close, volume="1", turnover=close, received_at_us=at_us,
        )  # fmt: skip
        found.append(told)
    return found


def both(**more):
    return [*candles(HERE, 3.0, factor=1_400, **more), *candles(THERE, 5.5, **more)]


@pytest.fixture
def trades(make_market):
    """Eight minutes; from the fourth on Upbit alone is down by `fall`."""

    def make(fall=0.013):
        def price(at):
            return 1_400 * WORLD * (1 - fall * min(1.0, max(0.0, (at - 240) / 20)))

        here = make_market("KRW-BTC").path(price, 480.0, rate=2.0)
        there = make_market("USDT-BTC", "binance").path(lambda at: WORLD, 480.0, rate=2.0, seed=2)
        there = (replace(trade, symbol="BTCUSDT", price=f"{WORLD}") for trade in there)
        return sorted([*here, *there], key=lambda trade: trade.received_at_us)

    return make


def number_of(one):
    return partition_of(symbol_key(one.exchange, one.symbol), PARTITIONS)


def patient_watch():
    """It waits for each partition, as after a restart."""
    watch = Watch(PARTITIONS)
    watch.is_live = False
    return watch


def restarted(watch):
    before = [
        [decode(DetectorSnapshot, encode(record)) for _, record in snapshot.take(partition, number, 1)]
        for number, partition in enumerate(watch.partitions)
    ]
    after = patient_watch()
    snapshot.restore_watch(after, decode(DetectorSnapshot, encode(snapshot.take_watch(watch, 1)[1])))
    resume = [snapshot.restore(after.partitions[number], records) or 0 for number, records in enumerate(before)]
    return after, resume


@pytest.fixture
def tell():
    """As `tell` of the first hour, with the partitions that Kafka would have."""

    def run(trades, told=(), restart_at_s=None, read_late_s=0.0, is_read_in_turn=False):
        watch, alerts = patient_watch(), {}
        logs = {kind: [[] for _ in range(PARTITIONS)] for kind in ("trades", "candles")}
        late_us = int(read_late_s * 1_000_000)
        records = sorted([*trades, *told], key=lambda one: one.received_at_us + late_us * isinstance(one, Candle))

        if is_read_in_turn:
            records.sort(key=lambda one: number_of(one) if one.received_at_us > START_US + 20_000_000 else -1)

        def take(one, number, offset):
            decided = []
            if isinstance(one, Candle):
                watch.hear(one, offset, number)
            else:
                decided = watch.observe(one, offset, number)
            for each in decided:
                alerts.setdefault(each.alert.alert_id, each.alert)

        for one in records:
            if restart_at_s is not None and one.received_at_us > START_US + restart_at_s * 1_000_000:
                restart_at_s = None
                watch, resume = restarted(watch)
                for number, partition in enumerate(watch.partitions):
                    first = partition.candle_position
                    for offset, again in enumerate(logs["candles"][number][first:], first):
                        take(again, number, offset)
                    for offset, again in enumerate(logs["trades"][number][resume[number] :], resume[number]):
                        take(again, number, offset)
            number = number_of(one)
            log = logs["candles" if isinstance(one, Candle) else "trades"][number]
            log.append(one)
            take(one, number, len(log) - 1)
        for each in watch.run_on(records[-1].received_at_us + 3_000_000, range(PARTITIONS)):
            alerts.setdefault(each.alert.alert_id, each.alert)
        return list(alerts.values()), watch

    return run


def test_a_gap_in_the_first_minutes_is_told_where_both_exchanges_told_their_past(trades, tell):
    alerts, _ = tell(trades(), both())
    assert [(alert.kind, alert.symbol, alert.state) for alert in alerts] == [("divergence", "KRW-BTC", "open")]
    assert -1.4 < float(alerts[0].divergence_pct) < -1.0
    assert tell(trades())[0] == []
    assert tell(trades(), candles(HERE, 3.0, factor=1_400))[0] == []


def test_a_pair_that_is_never_calm_is_not_told_of_what_is_usual_for_it(trades, tell):
    assert tell(trades(), both(sigma=0.002))[0] == []


@pytest.mark.parametrize("restart_at_s", [2, 3.5, 5.1, 6.0, 7.7, 8.9, 10.05, 12, 100, 245, 262, 285])
def test_a_restart_anywhere_gives_the_same_ids_and_knows_the_same(trades, tell, restart_at_s):
    whole, watch = tell(trades(), both())
    alerts, again = tell(trades(), both(), restart_at_s)
    assert [alert.alert_id for alert in alerts] == [alert.alert_id for alert in whole] != []
    assert again.packed() == watch.packed()


@pytest.mark.parametrize(("restart_at_s", "read_late_s"), [(None, 1.8), (None, -1.5), (6.5, 1.8), (9.95, 1.5)])
def test_read_sooner_or_later_it_is_the_same(trades, tell, restart_at_s, read_late_s):
    whole, watch = tell(trades(), both())
    alerts, again = tell(trades(), both(), restart_at_s, read_late_s)
    assert [alert.alert_id for alert in alerts] == [alert.alert_id for alert in whole]
    assert again.packed() == watch.packed()


def test_partitions_that_are_read_one_after_another_give_the_same(trades, tell, make_market):
    """What both exchanges told waits for the slowest partition, which compares nothing."""
    slow = make_market("KRW-NEO").path(lambda at: 20_000, 480.0, rate=2.0)
    records = sorted([*trades(), *slow], key=lambda trade: trade.received_at_us)
    assert max(number_of(one) for one in both()) < partition_of("upbit:KRW-NEO", PARTITIONS)
    past = [replace(one, received_at_us=one.received_at_us + 100_000_000) for one in both()]
    whole, watch = tell(records, past)
    alerts, again = tell(records, past, is_read_in_turn=True)
    assert [alert.alert_id for alert in alerts] == [alert.alert_id for alert in whole] != []
    assert again.packed() == watch.packed()


def test_a_worker_that_finds_the_candles_before_any_trade_loses_none_in_a_restart(tell, trades):
    past = [replace(one, received_at_us=START_US - MINUTE_US) for one in both()]
    whole, watch = tell(trades(), past)
    alerts, again = tell(trades(), past, restart_at_s=0.0)
    assert [alert.alert_id for alert in alerts] == [alert.alert_id for alert in whole] != []
    assert again.packed() == watch.packed()


def heard(minutes, baseline=None):
    """A baseline that was taught these (side, minute)s between two comparisons."""
    past, baseline = GapPast(), baseline or Baseline()
    for side, minute in minutes:
        past.hear(side, minute, 1.0 + 0.01 * math.sin(minute * (side + 1)), baseline)
    past.teach(baseline, 1)
    return past, baseline


def test_the_order_in_which_minutes_come_makes_no_difference():
    told = [(side, NOW - back) for side in (0, 1) for back in range(110) if back % (side + 7)]
    first = heard(told)[1]
    assert first.minutes > 70
    for seed in range(5):
        mixed = random.Random(seed).sample(told, len(told))
        assert heard(mixed)[1].packed() == first.packed()


def test_what_is_newer_counts_too_until_the_prices_themselves_are_compared():
    past, baseline = heard([(side, NOW - back) for side in (0, 1) for back in range(50)])
    for live, known in ((False, 49 + 20), (True, 49 + 20)):
        if live:
            baseline.begin_minute(NOW + 21, 1_000_000)
        for side in (0, 1):
            for minute in range(NOW + 1, NOW + 21 + 20 * live):
                past.hear(side, minute, 1.0 + minute / 1e9, baseline)
        past.teach(baseline, 2 + live)
        assert baseline.minutes == known


def test_only_minutes_that_both_told_count_and_each_once():
    past, baseline = heard([(0, NOW - back) for back in range(100)])
    assert not baseline.oldest
    for back in range(50):
        past.hear(1, NOW - back, 1.0, baseline)
    past.teach(baseline, 2)
    known = baseline.packed()
    assert baseline.minutes == 49
    for back in range(50):
        past.hear(0, NOW - back, 9.0, baseline)
        past.hear(1, NOW - back, 1.0, baseline)
    past.teach(baseline, 3)
    assert baseline.packed() == known


def test_what_nobody_else_tells_is_bounded_and_given_up_after_half_an_hour():
    past, baseline = heard([(0, NOW + minute) for minute in range(3_000)])
    (waiting, none), *_ = past.packed()
    assert len(waiting) == MOST_MINUTES
    assert not none
    past.teach(baseline, WAIT_TICKS)
    assert past.packed()[0][0]
    past.teach(baseline, WAIT_TICKS + 1)
    assert past.packed()[0] == [[], []]


def test_it_is_saved_with_what_waits():
    one, other = Divergences(), Divergences()
    for back in range(50):
        one.hear(Close(0, "upbit", "BTC", "KRW", NOW - back, 1_400.0))
    other.unpack(one.packed())
    for divergences in (one, other):
        for back in range(50):
            divergences.hear(Close(0, "binance_agg", "BTC", "USDT", NOW - back, 1.0 + back / 1e4))
        divergences.look(1, [])
    assert one.packed() == other.packed()
    assert one.packed()["BTC"][3][0] == 49


def one_trade(exchange, symbol, quote, at_us):
    return Trade(
        exchange=exchange, symbol=symbol, base="BTC", quote=quote, trade_id=str(at_us), price="100", quantity="1",
        side="buy", traded_at_us=at_us, received_at_us=at_us + 1_000,
    )  # fmt: skip


def test_what_waits_while_partitions_are_apart_is_bounded_and_can_be_saved():
    """One partition is read far ahead of the other, so that nothing is compared."""
    watch = Watch(2)
    watch.is_live = False
    for second in range(8):
        at_us = START_US + second * 1_000_000
        watch.observe(one_trade("upbit", "KRW-BTC", "KRW", at_us), second, 0)
        watch.observe(one_trade("binance", "BTCUSDT", "USDT", at_us), second, 1)
    for number in range(5 * MOST_CLOSES):
        at_us, market = START_US + 20_000_000 + number * 333, number % 900
        price = f"{1 + number / 1e6:.6f}"
        told = Candle(
            exchange="binance", symbol=f"C{market}USDT", base=f"C{market}", quote="USDT", received_at_us=at_us,
            opened_at_us=START_US - (number // 900 + 1) * MINUTE_US,
            open=price, high=price, low=price, close=price, volume="1", turnover="1",
        )  # fmt: skip
        watch.hear(told, number, 1)
        if number % 20_000 == 19_999:
            for ahead_us in (5_000_000, 6_000_000):
                watch.observe(one_trade("binance", "BTCUSDT", "USDT", at_us + ahead_us), number + ahead_us, 1)

    _, record = snapshot.take_watch(watch, 1)

    assert len(watch._closes) == MOST_CLOSES
    assert len(encode(record)) < MAX_REQUEST_BYTES // 4
