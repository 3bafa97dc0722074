"""How much is usually traded at this time of day; it confirms a move, and never makes one."""

import math
import random

import msgspec
import pytest

from services.alert_worker import snapshot
from services.alert_worker.mutes import MUTE, Mutes
from services.alert_worker.partition import Partition
from services.alert_worker.volume import CONFIRMS_SIGMAS, ENOUGH, ENOUGH_OF_HOUR, Volume
from shared.events import Candle, Control

DAY = 1_440
MONEY = 800_000_000.0
START_US = 1_700_000_000_000_000
MINUTE_US = 60_000_000


def usual_at(minute):
    """Ten times as much at noon as at midnight, UTC."""
    return MONEY * 10 ** (0.5 - 0.5 * math.cos(2 * math.pi * (minute % DAY) / DAY))


def a_day(seed=1, first=0, spread=0.7):
    rng = random.Random(seed)
    return [(minute, usual_at(minute) * rng.lognormvariate(0, spread)) for minute in range(first, first + DAY)]


@pytest.fixture
def learned():
    def learn(minutes):
        volume = Volume()
        for minute, money in minutes:
            volume.learn(minute, money)
        return volume

    return learn


@pytest.mark.parametrize("seed", range(5))
def test_what_is_much_at_night_is_little_at_noon(learned, seed) -> None:
    volume = learned(a_day(seed))
    night, noon = volume.compare(DAY + 30, 5 * MONEY), volume.compare(DAY + 750, 5 * MONEY)
    assert night.is_of_hour
    assert noon.is_of_hour
    assert night.times == pytest.approx(5, rel=0.45)
    assert noon.times == pytest.approx(0.5, rel=0.45)
    assert night.sigmas > 1.5
    assert noon.sigmas < -0.4


def test_of_a_short_history_all_minutes_count_and_of_a_very_short_one_none(learned) -> None:
    flat = [(minute, MONEY) for minute in range(600, 600 + ENOUGH - 1)]
    assert learned(flat).compare(700, MONEY) is None
    known = learned([*flat, (630, MONEY)])
    assert known.compare(700, 2 * MONEY) == (pytest.approx(2), pytest.approx(math.log(2) / 1.25 / 0.25, rel=0.2), False)
    assert known.compare(605, 2 * MONEY).is_of_hour == (ENOUGH - 1 >= ENOUGH_OF_HOUR)
    assert known.compare(605, 0.0) is None


def test_a_crash_does_not_move_what_is_usual(learned) -> None:
    minutes = a_day()
    quiet = learned(minutes).compare(DAY + 630, MONEY)
    after = learned([*minutes, *((minute, 1_000 * MONEY) for minute in range(DAY + 600, DAY + 610))])
    assert after.compare(DAY + 630, MONEY).times == pytest.approx(quiet.times, rel=0.35)


def test_it_is_about_the_same_in_any_order_and_at_any_scale(learned) -> None:
    minutes = a_day()
    shuffled = random.Random(4).sample(minutes, len(minutes))
    for minute in range(DAY, 2 * DAY, 97):
        asked = usual_at(minute)
        found = learned(minutes).compare(minute, asked).times
        for other in (learned(reversed(minutes)), learned(shuffled)):
            assert other.compare(minute, asked).times == pytest.approx(found, rel=0.25)
        scaled = learned((minute, 1e-6 * money) for minute, money in minutes)
        assert scaled.compare(minute, 1e-6 * asked).times == pytest.approx(found, rel=1e-4)


def test_it_is_small_and_comes_back_as_it_was(learned) -> None:
    volume = learned(a_day())
    text = msgspec.json.encode(volume.packed())
    assert len(text) < 300
    again = Volume.unpacked(msgspec.json.decode(text))
    assert again.packed() == volume.packed()
    assert again.compare(5, MONEY) == volume.compare(5, MONEY)
    assert Volume.unpacked(Volume().packed()).packed() == []


@pytest.fixture
def warm():
    """A partition that has a day of KRW-BTC's minutes, of `money` each."""

    def make(money=MONEY):
        partition, rng = Partition(), random.Random(2)
        for back in range(1, DAY):
            price = str(round(130_000_000 * math.exp(rng.gauss(0, 0.0003))))
            candle = Candle(
                exchange="upbit", symbol="KRW-BTC", base="BTC", quote="KRW", received_at_us=1, volume="1",
                opened_at_us=(START_US // MINUTE_US - back) * MINUTE_US, open=price, high=price, low=price, close=price,
                turnover=f"{money * rng.lognormvariate(0, 0.5):.4f}",
            )  # fmt: skip
            partition.hear(candle, back)
        return partition

    return make


def test_a_crash_that_is_traded_says_so_to_its_end_and_has_the_same_ids(watch, flash_crash, warm) -> None:
    """A hundred trades in five seconds, of six million won each, where a minute usually sees a tenth of a million."""
    traded = watch(flash_crash, warm(100_000_000.0))
    untraded = watch(flash_crash, warm(40_000_000_000.0))
    assert [alert.alert_id for alert in traded] == [alert.alert_id for alert in untraded]
    opened, *_, resolved = traded
    assert opened.detectors[-1] == resolved.detectors[-1] == "volume"
    assert opened.kind == "move"
    assert 5 < float(opened.volume_ratio) <= float(resolved.volume_ratio) < 50
    for alert in untraded:
        assert "volume" not in alert.detectors
        assert float(alert.volume_ratio) < 1
    assert all(alert.volume_ratio is None for alert in watch(flash_crash))  # nothing is known of it


def test_volume_alone_raises_nothing(watch, make_market, warm) -> None:
    whale = make_market(quantity="500")
    assert watch([whale.trade(n, n * 0.5, 130_000_000 + n % 3) for n in range(600)], warm()) == []


def test_a_mute_of_the_rule_holds_also_where_volume_confirms_it(make_alert) -> None:
    mutes = Mutes()
    mutes.hear(Control(action=MUTE, target="rule:move", at_us=1))
    assert mutes.holds(make_alert("open", detectors=["move", "volume"]), 2)
    assert not mutes.holds(make_alert("open", detectors=["move", "move_abs", "volume"]), 2)


def test_a_restart_keeps_it(watch, flash_crash, warm, restart) -> None:
    whole = watch(flash_crash, warm(100_000_000.0))
    before = warm(100_000_000.0)
    told = [one.alert for offset, trade in enumerate(flash_crash[:150]) for one in before.observe(trade, offset)]
    after, resume = restart(before)
    again = watch(flash_crash[resume:], after, resume)
    known = {alert.alert_id for alert in told}
    assert told + [alert for alert in again if alert.alert_id not in known] == whole


def test_with_a_day_of_volume_a_symbol_s_state_is_small(warm, watch, flash_crash) -> None:
    partition = warm()
    watch(flash_crash, partition)
    [symbol] = [record for key, record in snapshot.take(partition, 0, 1) if key == "upbit:KRW-BTC"]
    assert len(symbol.state) < 2_048
    assert CONFIRMS_SIGMAS > 2
