"""Stories of several symbols: trades of many partitions in, exactly these alerts out."""

import random
import re
from itertools import pairwise

import msgspec
import pytest

from services.alert_worker.divergence import Divergences
from services.alert_worker.grid import GRID_US
from services.alert_worker.messages.alert_message import one_line
from services.alert_worker.messages.wording import ENGLISH
from services.alert_worker.samples import Sample
from services.alert_worker.watch import Watch

START_US = 1_700_000_000_000_000
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


@pytest.fixture
def falls_twice(make_market):
    """Trades of coins that each fell alone, by 2.5 %, and two hours later all fall by 3 % more, within 20 s."""

    def make(coins, apart=130.0):
        trades, again = [], 60.0 + apart * len(coins) + 7_200
        for place, coin in enumerate(coins):
            market, alone = make_market(f"KRW-{coin}"), 60.0 + apart * place
            number, at = 0, place / 100
            while at < again + 60:
                fallen = 0.025 * min(1, max(0, (at - alone) / 20)) + 0.03 * min(1, max(0, (at - again) / 20))
                trades.append(market.trade(number, at, 10_000_000 * (1 - fallen)))
                number, at = number + 1, at + (1 if abs(at - alone) < 60 or abs(at - again) < 60 else 60)
        return sorted(trades, key=lambda trade: trade.received_at_us)

    return make


def test_who_fell_alone_this_morning_falls_with_the_market_at_noon(falls_twice, play) -> None:
    alerts = play(falls_twice(COINS[:12]))
    storm, *updates = market_wide(alerts)
    assert (storm.state, storm.direction) == ("open", "down")
    assert {alert.state for alert in updates} <= {"escalate"}
    assert {name for alert in (storm, *updates) for name in alert.members} == {f"upbit:KRW-{c}" for c in COINS[:12]}
    assert len({alert.episode_id for alert in alerts if alert.scope == "symbol"}) == 12, "episodes are what they were"
    first = min(a.event_at_us or 0 for a in alerts if (a.started_at_us - START_US) > 7_200_000_000)
    assert (storm.event_at_us or 0) - first <= 5_000_000


def test_a_second_fall_is_the_same_in_any_order_after_a_restart_and_at_any_scale(falls_twice, play) -> None:
    trades = falls_twice(COINS[:5])
    alike = ids(play(trades))
    assert any("-open" in alert_id for alert_id in alike)
    for after_s in (300.0, 7_922.0, 7_930.0, 7_935.0):
        place = next(n for n, trade in enumerate(trades) if trade.traded_at_us > START_US + after_s * 1_000_000)
        assert ids(play(trades, restart_at=place)) == alike
    assert ids(play(trades, shuffle=random.Random(1))) == alike
    thousandfold = [msgspec.structs.replace(trade, price=f"{trade.price}000") for trade in trades]
    assert ids(play(thousandfold)) == alike


def test_one_coin_on_two_exchanges_is_one_story(falls, play) -> None:
    trades = [*falls(["BTC"]), *falls(["BTC"], "binance", quote="USDT")]
    alerts = play(sorted(trades, key=lambda trade: trade.received_at_us))
    assert len({alert.episode_id for alert in told(alerts)}) == 1
    assert [alert.suppressed_by for alert in alerts if alert.episode_id != told(alerts)[0].episode_id] == ["joined"]
    last = told(alerts)[-1]
    assert set(last.members) == {"upbit:KRW-BTC", "binance:USDT-BTC"}


def test_whoever_joins_comes_with_the_one_that_leads(falls) -> None:
    watch, trades = Watch(1), [*falls(["BTC"]), *falls(["BTC"], "binance", quote="USDT")]
    trades.sort(key=lambda trade: trade.received_at_us)
    told = [one for offset, trade in enumerate(trades) for one in watch.observe(trade, offset)]
    leads, joined, with_both = told
    assert leads.beside == ()
    assert joined.beside == (leads.alert,)
    assert [one.exchange for one in with_both.beside] == [leads.alert.exchange, joined.alert.exchange]


def test_one_coin_on_two_exchanges_is_one_story_whenever_it_moves_again(make_market, play) -> None:
    """In lockstep down, further down, back up, and down: each told once, Binance a second behind."""

    def level(at):
        price = 1.0
        for begins, change in ((600, -0.03), (2_400, -0.03), (4_200, 0.04), (6_000, -0.03)):
            price *= 1 + change * min(1, max(0, (at - begins) / 60))
        return price

    upbit, binance = make_market("KRW-BTC"), make_market("USDT-BTC", "binance")
    trades = [upbit.trade(n, float(n), 140_000_000 * level(n)) for n in range(7_800)]
    trades += [binance.trade(n, n + 0.07, 10_000_000 * level(n - 1)) for n in range(7_800)]
    alerts = play(sorted(trades, key=lambda trade: trade.received_at_us))
    heard = [alert for alert in told(alerts) if alert.state != "resolve"]
    assert {alert.symbol for alert in heard} == {"KRW-BTC"}
    words = [(alert.direction, alert.severity) for alert in heard if "-with-" not in alert.alert_id]
    alone = [alert for alert in play(t for t in trades if t.exchange == "upbit") if alert.state != "resolve"]
    assert words == [(alert.direction, alert.severity) for alert in alone]


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


WARM_S = 2_400


@pytest.fixture
def gap(make_market):
    """Bitcoin on both exchanges, quiet for forty minutes; then each side's factor, by seconds since."""

    def make(here, there=lambda at: 1.0, world=100_000, silent_from=None):
        trades = []
        for exchange, quote, price, factor in (("upbit", "KRW", 140_000_000, here), ("binance", "USDT", world, there)):
            market = make_market(f"{quote}-BTC", exchange)
            times = [*range(0, WARM_S, 5), *range(WARM_S, WARM_S + 900)]
            for number, at in enumerate(times):
                if exchange == "binance" and silent_from is not None and at >= WARM_S + silent_from:
                    break
                trades.append(market.trade(number, at + (exchange == "upbit") / 2, price * factor(at - WARM_S)))
        return sorted(trades, key=lambda trade: trade.received_at_us)

    return make


def falls_by(fraction, until=300.0, over=60.0):
    return lambda at: 1 - fraction * min(1.0, max(0.0, at / over)) if at < until else 1.0


def test_a_fall_on_one_exchange_alone_is_a_gap_long_before_it_is_a_move(gap, play) -> None:
    opened, over = play(gap(falls_by(0.013)))
    assert (opened.state, over.state) == ("open", "resolve")
    assert (opened.kind, opened.detectors, opened.severity) == ("divergence", ["divergence"], "notice")
    assert (opened.exchange, opened.symbol, opened.direction) == ("upbit", "KRW-BTC", "down")
    assert -1.35 < float(opened.divergence_pct or 0) < -1.0
    assert opened.divergence_pct == opened.change_pct or abs(float(opened.change_pct or 0)) < 1.35
    assert (opened.event_at_us or 0) - opened.started_at_us == 20_000_000
    assert (over.event_at_us or 0) - (opened.event_at_us or 0) > 200_000_000
    assert over.price_now == "140000000"


def test_the_exchange_that_moved_is_named(gap, play) -> None:
    opened, *_ = play(gap(lambda at: 1.0, lambda at: 2 - falls_by(0.013)(at)))
    assert (opened.exchange, opened.direction, opened.kind) == ("binance", "up", "divergence")
    assert float(opened.divergence_pct or 0) < -1.0


def test_both_exchanges_together_are_no_gap(gap, play) -> None:
    assert play(gap(falls_by(0.013), falls_by(0.013))) == []


def test_one_exchange_that_leads_by_seconds_is_no_gap(gap, play) -> None:
    assert play(gap(falls_by(0.013, over=1.0), lambda at: falls_by(0.013, over=1.0)(at - 15))) == []


def test_two_coins_of_one_ticker_are_not_compared(gap, play) -> None:
    assert play(gap(falls_by(0.013), world=47_000_000)) == []


def test_an_old_price_is_not_compared(gap, play) -> None:
    assert play(gap(falls_by(0.013), silent_from=-40)) == []


def test_a_gap_of_a_move_that_is_told_is_no_message_of_its_own(gap, play) -> None:
    alerts = play(gap(falls_by(0.03, over=10.0)))
    assert {alert.kind for alert in alerts if alert.suppressed_by == "joined"} == {"divergence"}
    assert {alert.kind for alert in told(alerts)} == {"move_abs"}
    assert len({alert.episode_id for alert in told(alerts)}) == 1


def test_a_gap_that_becomes_a_move_is_one_story_with_the_moves_figures(gap, play) -> None:
    alerts = play(gap(lambda at: falls_by(0.012, until=1e9, over=20.0)(at) - (0.03 if at > 120 else 0)))
    opened, escalated, *_ = told(alerts)
    assert (opened.kind, escalated.state) == ("divergence", "escalate")
    assert escalated.episode_id == opened.episode_id
    assert float(escalated.change_pct or 0) < -2
    assert escalated.severity in {"warning", "danger"}
    assert escalated.detectors[0] == "divergence"
    assert "move_abs" in escalated.detectors


def elsewhere(alert):
    """How far a message says that the other exchange moved, in per cent; None where it says nothing."""
    found = re.search(r"\((?:Binance|Upbit) (\S+) %\)", one_line(alert, ENGLISH))
    return None if found is None else float(found.group(1).replace("−", "-"))


def test_a_move_says_how_far_the_other_exchange_went_meanwhile(gap, play) -> None:
    alone, *_ = told(play(gap(falls_by(0.04, over=3.0))))
    assert (alone.kind, alone.exchange, elsewhere(alone)) == ("move_abs", "upbit", 0.0)
    half, *_ = told(play(gap(falls_by(0.04, over=3.0), falls_by(0.02, over=3.0))))
    assert (half.kind, half.exchange, elsewhere(half)) == ("move_abs", "upbit", -2.0)
    far, *_ = told(play(gap(falls_by(0.4, over=1.0))))
    assert (far.severity, elsewhere(far)) == ("danger", 0.0)


def test_a_gap_that_becomes_a_move_does_not_blame_the_other_exchange(gap, play) -> None:
    alerts = told(play(gap(lambda at: falls_by(0.012, until=1e9, over=20.0)(at) - (0.03 if at > 120 else 0))))
    going_on = [alert for alert in alerts if alert.state != "resolve"]
    assert [alert.kind == "divergence" for alert in going_on] == [True, False]
    assert [elsewhere(alert) for alert in going_on] == [0.0, 0.0]


def test_what_is_not_known_of_the_other_exchange_is_not_told(gap, play) -> None:
    for unknown in ({"silent_from": -40}, {"silent_from": -3}, {"world": 47_000_000}):
        opened, *_ = told(play(gap(falls_by(0.04, over=3.0), **unknown)))
        assert (opened.divergence_pct, elsewhere(opened)) == (None, None), unknown


def test_while_an_episode_lasts_it_is_known_where_the_other_exchange_came_from(gap, play) -> None:
    def stairs(at):
        return 1 - 0.03 * (at > 0) - 0.02 * (at > 500)

    opened, *later = [alert for alert in told(play(gap(stairs))) if alert.state != "resolve"]
    assert later[-1].window_s > 300
    assert [elsewhere(alert) for alert in (opened, *later)] == [0.0] * (1 + len(later))


@pytest.mark.parametrize("after", [0, 1, 2, 4, 300, 501])
def test_what_the_other_exchange_did_is_the_same_after_a_restart_and_in_any_order(gap, play, after) -> None:
    trades = gap(lambda at: 1 - 0.03 * (at > 0) - 0.02 * (at > 500), lambda at: 1 - 0.011 * (at > 1))
    expected = [(alert.alert_id, alert.divergence_pct) for alert in play(trades)]
    place = sum(trade.traded_at_us <= START_US + (WARM_S + after) * 1_000_000 for trade in trades)
    for again in (play(trades, restart_at=place), play(trades, shuffle=random.Random(after))):
        assert [(alert.alert_id, alert.divergence_pct) for alert in again] == expected
    assert sum(pct is not None for _, pct in expected) >= 3


@pytest.mark.parametrize("after", [30, 45, 60, 90, 330])
def test_a_restart_around_a_gap_gives_the_same_alerts(gap, play, after) -> None:
    trades = gap(falls_by(0.013))
    place = sum(trade.traded_at_us <= START_US + (WARM_S + after) * 1_000_000 for trade in trades)
    assert ids(play(trades, restart_at=place)) == ids(play(trades)) != []


def test_a_gap_is_the_same_in_any_order_and_at_any_scale(gap, play) -> None:
    trades = gap(falls_by(0.013))
    thousandfold = [msgspec.structs.replace(trade, price=f"{trade.price}000") for trade in trades]
    assert ids(play(trades, shuffle=random.Random(1))) == ids(play(thousandfold)) == ids(play(trades)) != []


def test_a_pair_is_checked_by_the_median_of_the_others(make_market) -> None:
    def samples(tick, factor=1.0):
        for place, coin in enumerate(["AAA", "BBB", "CCC", "DDD", "EEE", "FAKE"]):
            price = 10_000 * (place + 1)
            here = price * 1_100 * (3 if coin == "FAKE" else 1)
            at_us = tick * GRID_US
            yield Sample(tick, "binance", f"{coin}USDT", coin, "USDT", price, 0, at_us, at_us)
            moved = round(here * factor) if coin in {"FAKE", "AAA"} else here
            yield Sample(tick, "upbit", f"KRW-{coin}", coin, "KRW", moved, 0, at_us, at_us)

    divergences, alerts = Divergences(), []
    for number in range(40):
        alerts += divergences.look(
            number * 100 + 10_000, list(samples(number * 100 + 10_000, 0.95 if number > 30 else 1))
        )
    assert [alert.symbol for alert in alerts] == ["KRW-AAA"]


def test_a_silent_exchange_keeps_nobody_waiting(falls, play, make_market) -> None:
    silent = [make_market("USDT-BTC", "binance").trade(n, n / 5, 50_000_000) for n in range(50)]
    trades = sorted([*silent, *falls(["ETH"])], key=lambda trade: trade.received_at_us)
    (opened,) = play(trades)
    assert opened.symbol == "KRW-ETH"


def test_however_trades_are_batched_they_give_the_same_alerts(make_market) -> None:
    markets = [make_market("KRW-BTC"), make_market("KRW-ETH"), make_market("BTCUSDT-X", exchange="binance")]
    fall = [
        market.path(lambda at: 130_000_000 * (0.94 if at > 20 else 1.0), 40, seed=n) for n, market in enumerate(markets)
    ]
    trades = sorted((trade for path in fall for trade in path), key=lambda trade: trade.received_at_us)
    records = list(enumerate(trades))
    one_by_one = Watch()
    expected = [one for offset, trade in records for one in one_by_one.observe(trade, offset)]
    assert len(expected) >= 3
    for size in (1, 7, 64, len(records)):
        watch, found = Watch(), []
        for first in range(0, len(records), size):
            found += watch.observe_all(records[first : first + size])
        assert found == expected
        assert watch.partitions[0].position == len(records)
