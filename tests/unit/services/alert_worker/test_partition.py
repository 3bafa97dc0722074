"""Stories: trades in, exactly these alerts out."""

import random
from itertools import pairwise

import msgspec
import pytest

from services.alert_worker import snapshot
from services.alert_worker.partition import Partition

STATES = ["open", "escalate", "resolve"]
LATENESS_US = 200_000


def states(alerts) -> list[str]:
    return [alert.state for alert in alerts]


def ids(alerts) -> list[str]:
    return [alert.alert_id for alert in alerts]


def test_a_flash_crash_is_one_episode(watch, flash_crash, start_us) -> None:
    opened, escalated, resolved = watch(flash_crash)
    assert states([opened, escalated, resolved]) == STATES
    assert {alert.episode_id for alert in (opened, escalated, resolved)} == {opened.episode_id}
    assert (opened.direction, opened.severity, opened.kind) == ("down", "warning", "move_abs")
    assert start_us + 5_400_000 < opened.started_at_us < start_us + 6_000_000
    assert opened.started_at_us % 100_000 == 0
    assert escalated.severity == "danger"
    assert resolved.event_at_us is not None
    assert start_us + 12_000_000 < resolved.event_at_us < start_us + 14_500_000


def a_slow_fall(market):
    """An hour of small steps both ways, then four per cent down over an hour, and calm again."""
    rng = random.Random(5)
    level, trades = 130_000_000.0, []
    for number in range(3_200):
        minute = number // 20
        level *= 1 + rng.gauss(0, 0.0001) - (0.04 / 1_200 if 60 <= minute < 120 else 0)
        trades.append(market.trade(number, number * 3.0, level))
    return trades


def test_a_slow_fall_is_told_although_no_five_minutes_of_it_matter(watch, market) -> None:
    opened, *_ = alerts = watch(a_slow_fall(market))
    assert {(a.kind, a.direction, *a.detectors) for a in alerts} == {("drift", "down", "drift")}
    assert len({alert.episode_id for alert in alerts}) == 1
    assert -4 < float(opened.change_pct or 0) <= -2
    assert 900 < (opened.window_s or 0) < 5_400
    assert opened.price_before in {trade.price for trade in a_slow_fall(market)}
    assert float(opened.sigma or 0) > 3


def test_a_slow_fall_at_another_scale_or_in_another_order_is_the_same(watch, market) -> None:
    trades = a_slow_fall(market)
    thousandfold = [msgspec.structs.replace(trade, price=f"{trade.price}000") for trade in trades]
    thousandth = [msgspec.structs.replace(trade, price=str(int(trade.price) / 1000), quantity="50") for trade in trades]
    rng = random.Random(3)
    shuffled = sorted(trades, key=lambda trade: trade.received_at_us + rng.randrange(LATENESS_US // 2))
    assert ids(watch(trades)) == ids(watch(thousandfold)) == ids(watch(thousandth)) == ids(watch(shuffled)) != []


@pytest.mark.parametrize("cut", [1_300, 1_700, 2_100])
def test_a_restart_in_a_slow_fall_gives_the_same_alerts(watch, market, restart, cut) -> None:
    trades = a_slow_fall(market)
    before = Partition()
    told = [one.alert for offset, trade in enumerate(trades[:cut]) for one in before.observe(trade, offset)]
    after, resume = restart(before)
    again = watch(trades[resume:], after, resume)
    assert ids(told) + [alert_id for alert_id in ids(again) if alert_id not in ids(told)] == ids(watch(trades))


def test_a_state_of_other_rules_is_left_out_and_the_tape_read_anew(market) -> None:
    before, after = Partition(), Partition()
    for offset, trade in enumerate(market.path(lambda at: 130_000_000, 20.0)):
        before.observe(trade, offset)
    records = [msgspec.structs.replace(r, rule_version="moves/3", state="[]") for _, r in snapshot.take(before, 0, 1)]
    assert snapshot.restore(after, records) is None
    assert list(after.symbols()) == []


def test_a_jump_of_a_coin_that_jumps_now_and_then_is_told(watch, make_market) -> None:
    """Past jumps raised its volatility, and it is too small for the fixed rule; one odd print of it is no jump."""
    market = make_market("KRW-ETH", quantity="0.4")

    def jumpy(fall):
        level, trades = 5_000_000.0, []
        for number in range(120 * 30):
            minute, place = divmod(number, 30)
            if place == 0 and minute % 5 == 0:
                level *= 1.019 if minute % 10 else 1 / 1.019
            now = level * (1.0004 if minute % 2 else 1.0)
            trades.append(market.trade(number, number * 2.0, now * (fall if number >= 119 * 30 + 5 else 1.0)))
        return trades

    (opened,) = watch(jumpy(0.976))
    assert (opened.kind, opened.detectors, opened.change_pct) == ("jump", ["jump"], "-2.40")
    odd = jumpy(1.0)
    odd[119 * 30 + 5] = msgspec.structs.replace(odd[119 * 30 + 5], price="4900000")
    assert watch(odd) == []


def steps(market, *levels, every_s=20.0):
    """Trades at (seconds until, level), one after the other; None is a silence."""
    at_s, trades = 0.0, []
    for until_s, level in levels:
        while (at_s := at_s + every_s) < until_s:
            if level is not None:
                trades.append(market.trade(len(trades), at_s, level * (1.0002 if len(trades) % 2 else 1.0)))
    return trades


def test_a_thin_market_that_is_traded_again_after_minutes_has_moved_by_what_it_is_away(watch, market) -> None:
    calm, far = 5_000_000, 5_200_000
    (opened,) = watch(steps(market, (3_600, calm), (3_600 + 9 * 60, None), (3_600 + 11 * 60, far)))
    assert (opened.state, opened.direction, opened.detectors) == ("open", "up", ["move", "move_abs"])
    assert 3.9 < float(opened.change_pct) < 4.1
    assert watch(steps(market, (3_600, calm), (3_600 + 12 * 60, None), (3_600 + 14 * 60, far))) == []


def test_who_was_told_of_a_market_hears_of_smaller_moves_too(watch, market) -> None:
    calm, fallen, deeper = 5_000_000, 4_880_000, 4_795_000
    alone = watch(steps(market, (7_200, fallen), (9_000, deeper)))
    assert alone == []
    alerts = watch(steps(market, (3_600, calm), (7_200, fallen), (9_000, deeper)))
    assert states(alerts) == ["open", "resolve", "escalate"]
    assert [alert.change_pct for alert in alerts if alert.state != "resolve"] == ["-2.40", "-1.74"]
    assert len({alert.episode_id for alert in alerts}) == 1


def thin_fall(market, *, is_known):
    """A trade every twenty seconds; the second and the third one of a fall of 2.4 % confirm each other."""
    earlier = 5_150_000 if is_known else 5_000_000
    return steps(market, (3_600, earlier), (7_200, 5_000_000), (7_290, 4_880_000))


def test_who_was_told_of_a_thin_market_need_not_wait_for_its_next_trade(watch, market) -> None:
    trades = thin_fall(market, is_known=True)
    fallen = [trade for trade in trades if float(trade.price) < 4_900_000]
    *_, told = watch(trades)
    assert (told.state, told.direction, told.change_pct) == ("escalate", "down", "-2.40")
    assert told.event_at_us == fallen[1].traded_at_us + 300_000
    assert told.received_at_us == fallen[1].received_at_us
    (opened,) = watch(thin_fall(market, is_known=False))
    assert (opened.state, opened.event_at_us) == ("open", fallen[2].traded_at_us)


def test_a_restart_before_a_silence_confirms_a_move_gives_the_same_alerts(watch, market, restart) -> None:
    trades = thin_fall(market, is_known=True)
    until = next(n for n, trade in enumerate(trades) if float(trade.price) < 4_900_000) + 2
    before = Partition()
    told = [one.alert for offset, trade in enumerate(trades[:until]) for one in before.observe(trade, offset)]
    told += [one.alert for one in before.run_on(trades[until - 1].received_at_us + 350_000)]
    after, resume = restart(before)
    last = [one.alert for one in after.run_on(trades[until - 1].received_at_us + 600_000)]
    assert resume == until
    assert ids(told + last) == ids(watch(trades))
    assert states(last) == ["escalate"]


def test_what_is_refilled_in_a_silence_confirms_no_move(watch, market) -> None:
    trades = thin_fall(market, is_known=True)
    second = next(n for n, trade in enumerate(trades) if float(trade.price) < 4_900_000) + 1
    at_s = (trades[second].traded_at_us - trades[0].traded_at_us) / 1e6 + 20
    refill = msgspec.structs.replace(market.trade(second + 1, at_s + 0.05, 4_880_000), origin="backfill")
    told = watch([*trades[: second + 1], refill])
    assert states(told) == ["open", "resolve"]


def test_prices_are_those_of_trades(watch, flash_crash) -> None:
    prices = {trade.price for trade in flash_crash}
    for alert in watch(flash_crash):
        assert {alert.price_before, alert.price_now, alert.price_extreme} <= prices


@pytest.mark.parametrize("seed", range(25))
def test_a_calm_hour_raises_none(watch, market, seed) -> None:
    rng = random.Random(seed)
    price = 130_000_000.0

    def walk(_: float) -> float:
        nonlocal price
        price *= 1 + rng.gauss(0, 0.000025)
        return price

    assert watch(market.path(walk, 3600.0, rate=2.0, seed=seed)) == []


@pytest.mark.parametrize("price", [1, 13_000_000, 135_000_000, 1_300_000_000_000])
def test_one_odd_print_moves_nothing(watch, market, price) -> None:
    trades = [market.trade(n, n / 10, price if n == 300 else 130_000_000) for n in range(600)]
    assert watch(trades) == []


@pytest.mark.parametrize("silence_s", [12, 20, 40])
def test_a_spike_that_nobody_trades_by_after_a_silence_is_no_fall_either(watch, market, silence_s) -> None:
    at = [*range(0, 120, 4), 120, 122, *range(122 + silence_s, 262 + silence_s, 4)]
    trades = [market.trade(n, second, 100_000 * (1.05 if 120 <= second <= 122 else 1)) for n, second in enumerate(at)]
    assert watch(trades) == []


def test_the_same_odd_print_told_twice_is_still_one(watch, market) -> None:
    trades = [market.trade(n, n / 10, 1_000 if n == 300 else 130_000_000) for n in range(600)]
    assert watch([*trades[:301], *trades[300:]]) == []


def test_a_sweep_within_an_instant_moves_nothing(watch, market) -> None:
    trades = [
        market.trade(n, n / 10 if n < 300 else 30 + n / 1e6, 130_000_000 - (n >= 300) * 6_000_000) for n in range(310)
    ]
    after = [market.trade(n, n / 10, 130_000_000) for n in range(310, 600)]
    assert watch([*trades, *after]) == []


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_arrival_within_the_lateness_does_not_matter(watch, flash_crash, seed) -> None:
    rng = random.Random(seed)
    shuffled = sorted(flash_crash, key=lambda trade: trade.traded_at_us + rng.uniform(0, 0.9 * LATENESS_US))
    assert shuffled != flash_crash
    assert watch(shuffled) == watch(flash_crash)


def test_a_trade_later_than_that_raises_nothing(watch, market, flash_crash) -> None:
    quiet = [market.trade(n, n / 10, 130_000_000) for n in range(600)]
    late = [market.trade(10_000 + n, 20 + n / 10, 120_000_000) for n in range(20)]
    assert watch([*quiet[:400], *late, *quiet[400:]]) == []


@pytest.mark.parametrize("cut", range(20, 400, 20))
def test_a_restart_anywhere_gives_the_same_alerts(watch, flash_crash, restart, cut) -> None:
    before = Partition()
    told = [one.alert for offset, trade in enumerate(flash_crash[:cut]) for one in before.observe(trade, offset)]
    after, resume = restart(before)
    assert resume <= cut
    again = watch(flash_crash[resume:], after, resume)
    whole = watch(flash_crash)
    assert ids(told) + [alert_id for alert_id in ids(again) if alert_id not in ids(told)] == ids(whole)


def test_a_round_of_snapshots_that_was_cut_short_loses_nothing(watch, flash_crash, restart, make_market) -> None:
    other = list(make_market("KRW-ETH").path(lambda at: 5_000_000, 20.0, seed=2))
    trades = sorted([*flash_crash, *other], key=lambda trade: trade.traded_at_us)
    first, last = Partition(), len(trades) // 2
    for offset, trade in enumerate(trades[: last // 2]):
        first.observe(trade, offset)
    records = dict(snapshot.take(first, 0, 1))
    for offset, trade in enumerate(trades[last // 2 : last], last // 2):
        first.observe(trade, offset)
    newer = list(snapshot.take(first, 0, 2))
    records |= dict(newer[:1])  # the other symbol and the mark never arrived
    after = Partition()
    resume = snapshot.restore(after, records.values())
    assert resume is not None
    again = watch(trades[resume:], after, resume)
    assert ids(watch(trades))[-1:] == ids(again)[-1:]
    assert {d.market.symbol for d in after.symbols()} == {"KRW-BTC", "KRW-ETH"}


def test_a_thousandfold_price_gives_the_same_alerts(watch, flash_crash) -> None:
    thousandfold = [msgspec.structs.replace(trade, price=f"{trade.price}000") for trade in flash_crash]
    thousandth = [msgspec.structs.replace(trade, price=str(int(trade.price) / 1000)) for trade in flash_crash]
    plain = watch(flash_crash)
    assert ids(watch(thousandfold)) == ids(watch(thousandth)) == ids(plain)
    assert [alert.change_pct for alert in watch(thousandfold)] == [alert.change_pct for alert in plain]


def test_a_recording_of_another_year_gives_the_same_story(watch, flash_crash) -> None:
    years_us = 5 * 365 * 86_400_000_000
    replayed = [msgspec.structs.replace(t, received_at_us=t.received_at_us + years_us) for t in flash_crash]
    assert ids(watch(replayed)) == ids(watch(flash_crash))


def test_another_year_may_begin_in_the_middle(watch, market, flash_crash) -> None:
    """Live trades first, then a recording of years ago: its clock counts from then on."""
    now_us = flash_crash[-1].received_at_us
    live = [msgspec.structs.replace(market.trade(n, n / 10, 130_000_000)) for n in range(100)]
    years_us = 5 * 365 * 86_400_000_000
    live = [msgspec.structs.replace(t, traded_at_us=t.traded_at_us + years_us, received_at_us=now_us) for t in live]
    replayed = [msgspec.structs.replace(t, received_at_us=t.received_at_us + years_us) for t in flash_crash]
    assert ids(watch([*live, *replayed])) == ids(watch(flash_crash))


@pytest.mark.parametrize("off_us", [-2 * 3_600_000_000, 2 * 3_600_000_000, 30_000_000])
def test_a_time_out_of_its_mind_moves_no_clock(watch, flash_crash, off_us) -> None:
    odd = msgspec.structs.replace(
        flash_crash[50], traded_at_us=flash_crash[50].traded_at_us + off_us, trade_id="99999999", price="1"
    )
    partition = Partition()
    assert ids(watch([*flash_crash[:50], odd, *flash_crash[50:]], partition)) == ids(watch(flash_crash))
    assert partition.ignored == 1


def test_backfilled_trades_raise_nothing(watch, market, flash_crash) -> None:
    quiet = [market.trade(n, n / 10, 130_000_000) for n in range(300)]
    missed = [msgspec.structs.replace(trade, origin="backfill", trade_id=f"9{trade.trade_id}") for trade in flash_crash]
    assert watch([*quiet[:250], *missed, *quiet[250:]]) == []


def test_an_alert_over_refilled_trades_is_marked_also_after_a_restart(
    watch, market, flash_crash, restart, start_us
) -> None:
    """Trades of half a second before the fall come later, in the middle of it."""
    before = [trade for trade in flash_crash if trade.traded_at_us < start_us + 3_500_000]
    after = [trade for trade in flash_crash if trade.traded_at_us >= start_us + 4_000_000]
    missed = [trade for trade in flash_crash if trade not in (*before, *after)]
    refilled = [msgspec.structs.replace(trade, origin="backfill") for trade in missed]
    trades = [*before, *after[:20], *refilled, *after[20:]]
    told = [alert for alert in watch(trades) if alert.state != "resolve"]
    assert {alert.data_quality for alert in told} == {"gapped"}
    assert {alert.data_quality for alert in watch([*before, *after])} == {"ok"}
    first, place = Partition(), len(before) + 20 + len(refilled)
    watch(trades[:place], first)
    again, resume = restart(first)
    assert [alert for alert in watch(trades[resume:], again, resume) if alert.state != "resolve"] == told
    long_after = [market.trade(10_000 + n, 1_000 + n / 10, 130_000_000 if n < 50 else 120_000_000) for n in range(100)]
    assert {alert.data_quality for alert in watch([*trades, *long_after])[-1:]} == {"ok"}


def test_no_symbol_waits_for_its_own_next_trade(market, make_market) -> None:
    """The last trade of one symbol is decided by the trades of another one of the exchange."""
    fall = [market.trade(n, n / 10, 130_000_000 if n < 50 else 120_000_000) for n in range(60)]
    other = [make_market("KRW-ETH").trade(n, 6.0 + n / 10, 5_000_000) for n in range(10)]
    partition = Partition()
    alerts = [one.alert for offset, trade in enumerate([*fall, *other]) for one in partition.observe(trade, offset)]
    assert states(alerts) == [
        "open",
    ]


def test_an_idle_partition_is_decided_by_our_clock(market) -> None:
    partition = Partition()
    for offset in range(60):
        partition.observe(market.trade(offset, offset / 10, 130_000_000 if offset < 57 else 120_000_000), offset)
    newest = market.trade(59, 5.9, 1).received_at_us
    assert partition.run_on(newest + 100_000) == []


def test_exchanges_do_not_wait_for_each_other(watch, make_market, flash_crash) -> None:
    ahead = list(make_market("KRW-BTC", "binance").path(lambda at: 130_000_000, 20.0, seed=3))
    shifted = [
        msgspec.structs.replace(t, traded_at_us=t.traded_at_us + 5_000_000, received_at_us=t.received_at_us)
        for t in ahead
    ]
    both = sorted([*flash_crash, *shifted], key=lambda trade: trade.received_at_us)
    assert ids(watch(both)) == ids(watch(flash_crash))


def test_a_long_fall_is_one_episode_told_by_each_doubling_and_every_five_minutes(watch, market) -> None:
    alerts = watch(market.path(lambda at: 130_000_000 * (1 - at / 3600 * 0.6), 1800.0, rate=5.0))
    assert states(alerts) == ["open", *["escalate"] * 6]
    assert len({alert.episode_id for alert in alerts}) == 1
    assert [alert.severity for alert in alerts] == ["warning", *["danger"] * 6]
    depths = [-float(alert.change_pct or 0) for alert in alerts]
    assert all(deeper > before for before, deeper in pairwise(depths))
    assert len({alert.alert_id for alert in alerts}) == 7


def test_a_rise_after_the_fall_stood_is_told_in_the_same_episode(watch, market) -> None:
    def bounce(at: float) -> float:
        return 130_000_000 * (1 if at < 60 else 0.95 if at < 180 else 0.99)

    fall, rise = watch(market.path(bounce, 300.0))
    assert (fall.state, fall.direction) == ("open", "down")
    assert (rise.state, rise.direction, rise.change_pct) == ("escalate", "up", "4.21")
    assert fall.episode_id == rise.episode_id


@pytest.mark.parametrize(("hours", "is_the_same"), [(2, True), (13, False)])
def test_a_further_move_within_half_a_day_belongs_to_the_episode_that_was_over(
    watch, make_market, hours, is_the_same
) -> None:
    def twice(at: float) -> float:
        return 130_000_000 * (1 if at < 600 else 0.97 if at < 600 + hours * 3600 else 0.94)

    first, over, second, *_ = watch(make_market().path(twice, 1200.0 + hours * 3600, rate=0.5))
    assert states([first, over]) == ["open", "resolve"]
    assert (second.episode_id == first.episode_id) == is_the_same
    assert second.state == ("escalate" if is_the_same else "open")


def test_the_price_after_a_hole_is_not_compared_with_that_before(watch, market) -> None:
    before = [market.trade(n, n, 130_000_000) for n in range(120)]
    after = [market.trade(120 + n, 4_000 + n, 110_000_000) for n in range(120)]
    assert watch([*before, *after]) == []


def test_bad_prints_after_a_hole_raise_nothing(watch, market) -> None:
    before = [market.trade(n, n, 130_000_000) for n in range(120)]
    bad = [market.trade(120 + n, 4_000 + n, 10_000) for n in range(30)]
    after = [market.trade(150 + n, 4_031 + n, 130_000_000) for n in range(120)]
    assert watch([*before, *bad, *after]) == []


def test_a_price_of_another_order_of_magnitude_is_one_once_it_stood_for_a_minute(watch, market) -> None:
    prices = [market.trade(n, n / 10, 130_000_000 if n < 600 else 13_000_000) for n in range(1_400)]
    (opened,) = watch(prices)
    assert opened.change_pct == "-90.00"
    assert opened.started_at_us >= prices[600].traded_at_us + 60_000_000


def test_a_new_level_ends_the_episode_and_is_no_reason_for_another(watch, market) -> None:
    alerts = watch(market.path(lambda at: 130_000_000 if at < 60 else 124_000_000, 3 * 3600.0, rate=1.0))
    assert states(alerts) == ["open", "resolve"]
    assert alerts[-1].price_now in ("124000000", "124001000")


def test_the_way_back_is_no_rise(watch, market) -> None:
    def valley(at: float) -> float:
        return 130_000_000 * (1 - 0.06 * max(0.0, 1 - abs(at - 300) / 60))

    assert {alert.direction for alert in watch(market.path(valley, 900.0))} == {"down"}


def rise_and_back(stood_s):
    """Two per cent up for so long, nearly back, and after the rise is told as over, back and beyond."""

    def price(at: float) -> float:
        back_s = at - 60 - stood_s
        return 130_000_000 * (1 if at < 60 else 1.021 if back_s < 0 else 1.004 if back_s < 30 else 0.998)

    return price


def test_a_fall_that_goes_on_when_the_rise_is_over_is_told_from_its_beginning(watch, market) -> None:
    rise, over, fall = watch(market.path(rise_and_back(120), 260.0))
    assert [(one.state, one.direction) for one in (rise, over)] == [("open", "up"), ("resolve", "up")]
    assert (fall.state, fall.direction, fall.episode_id) == ("escalate", "down", rise.episode_id)
    assert -2.3 < float(fall.change_pct) < -2.2


def test_what_snaps_back_within_a_minute_is_the_same_event_also_once_it_is_over(watch, market) -> None:
    assert states(watch(market.path(rise_and_back(30), 260.0))) == ["open", "resolve"]


@pytest.mark.parametrize("price", ["0.000000000000000001", "9" * 38])
@pytest.mark.parametrize("place", [0, 1, 40])
def test_an_absurd_price_blinds_nobody(watch, flash_crash, price, place) -> None:
    odd = msgspec.structs.replace(flash_crash[place], price=price, trade_id="88888888")
    told = watch([*flash_crash[:place], odd, *flash_crash[place:]])
    assert [alert.state for alert in told] == STATES
    assert [alert.price_before for alert in told] == [alert.price_before for alert in watch(flash_crash)]


def test_a_repeat_does_not_count(market, flash_crash) -> None:
    partition = Partition()
    for offset, trade in enumerate(flash_crash):
        partition.observe(trade, offset)
    (detector,) = partition.symbols()
    again = next(trade for trade in flash_crash if trade.traded_at_us == detector.last_us)
    assert detector.apply(again.traded_at_us, int(again.trade_id), again) is False
    following = market.trade(100_000, 30.0, 130_000_000)
    assert detector.apply(following.traded_at_us, 100_001, following) is True


def test_a_late_trade_corrects_the_window(watch, market) -> None:
    quiet = [market.trade(n, n / 10, 130_000_000 if n != 100 else 130_500_000) for n in range(400)]
    high = [market.trade(n, 10 + (n - 900) / 100, 130_500_000) for n in range(900, 905)]
    partition = Partition()
    watch(sorted([*quiet, *high], key=lambda trade: trade.traded_at_us), partition)
    (detector,) = partition.symbols()
    assert detector.window.high == 130_500_000
    before = detector.window.packed()
    partition.observe(market.trade(5_000, 25.0, 130_400_000), 500)
    watch([market.trade(5_001 + n, 45 + n / 10, 130_000_000) for n in range(10)], partition, 501)
    assert before != detector.window.packed()
    assert 130_400_000 in memoryview(detector.window.packed()).cast("q").tolist()


def test_backfilled_trades_that_are_the_newest_raise_nothing_either(watch, make_market, market, flash_crash) -> None:
    missed = [msgspec.structs.replace(trade, origin="backfill") for trade in flash_crash]
    clock = [make_market("KRW-ETH").trade(n, n / 10, 5_000_000) for n in range(600)]
    partition = Partition()
    assert watch([*clock[:300], *missed, *clock[300:]], partition) == []
    bitcoin = next(d for d in partition.symbols() if d.market.symbol == "KRW-BTC")
    assert bitcoin.window.last > 0


def test_after_a_restart_an_episode_still_ends_by_itself(watch, flash_crash, restart) -> None:
    last = next(
        place
        for place, trade in enumerate(flash_crash)
        if trade.traded_at_us >= flash_crash[0].traded_at_us + 11_500_000
    )
    before = Partition()
    for offset, trade in enumerate(flash_crash[:last]):
        before.observe(trade, offset)
    after, resume = restart(before)
    assert states(watch(flash_crash[resume:last], after, resume)) == []
    ended = after.run_on(flash_crash[last].received_at_us + 5_000_000)
    assert [one.alert.state for one in ended] == ["resolve"]


def test_records_that_a_snapshot_holds_do_not_wait_again(flash_crash, restart) -> None:
    before = Partition()
    for offset, trade in enumerate(flash_crash):
        before.observe(trade, offset)
    after, resume = restart(before)
    for offset, trade in enumerate(flash_crash[resume - 50 : resume], resume - 50):
        after.observe(trade, offset)
    assert after.waiting() == {}
