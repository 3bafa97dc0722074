"""An exchange that has candles, a topic that takes them, and interruptions at any place."""

import random

import pytest

from services.producer.candles import MINUTE_US, PAGE
from services.producer.stretches import DAY_US, Stretches
from shared.events import Candle

NOW_US = 1_790_000_000_000_000 // MINUTE_US * MINUTE_US + 20_000_000
CLOSED_US = NOW_US // MINUTE_US * MINUTE_US


def candle(symbol, opened_at_us, volume="1"):
    return Candle(
        exchange="upbit", symbol=symbol, base="B", quote="KRW", opened_at_us=opened_at_us, open="1", high="1", low="1",
        close="1", volume=volume, turnover="1", received_at_us=1,
    )  # fmt: skip


class Exchange:
    """Has a candle of a market wherever `trades(minute)`; answers as both do: the newest PAGE before a time."""

    def __init__(self, trades=lambda minute: True, listed_us=0):
        self.trades, self.listed_us, self.asked = trades, listed_us, []

    def answer(self, page):
        self.asked.append(page)
        found, at_us = [], page.before_us
        while len(found) < PAGE and (at_us := at_us - MINUTE_US) > max(self.listed_us, NOW_US - 3 * DAY_US):
            if self.trades(at_us // MINUTE_US):
                found.append(candle(page.symbol, at_us))
        return found


def filled(stretches, exchange, now_us=NOW_US, most=10_000):
    """Ask until there is nothing to ask for; what was told, in order."""
    told = []
    for _ in range(most):
        page = stretches.next(now_us)
        if page is None:
            return told
        told += stretches.take(page, exchange.answer(page))
    return told


def minutes(told, symbol="A"):
    return [one.opened_at_us for one in told if one.symbol == symbol]


def test_every_market_has_its_newest_page_first_and_a_day_in_the_end():
    stretches, exchange = Stretches(), Exchange()
    stretches.want(["A", "B"])
    told = filled(stretches, exchange)
    assert [page.symbol for page in exchange.asked] == ["A", "B"] * 8  # 8 x 200 minutes are more than a day
    assert [page.is_older for page in exchange.asked] == [False] * 2 + [True] * 14
    assert minutes(told) == [CLOSED_US - n * MINUTE_US for n in range(1, 1_441)]  # newest first, each once
    assert stretches.unasked == 0


def test_the_minute_under_way_is_left_out_and_also_one_that_has_just_ended():
    for now_us, newest_us in (
        (CLOSED_US + 4_999_999, CLOSED_US - 2 * MINUTE_US),
        (CLOSED_US + 5_000_000, CLOSED_US - MINUTE_US),
    ):
        stretches = Stretches()
        stretches.want(["A"])
        assert filled(stretches, Exchange(), now_us)[0].opened_at_us == newest_us


def test_a_market_that_seldom_trades_needs_few_questions_and_one_listed_just_now_one():
    for exchange, questions, count in (
        (Exchange(lambda minute: minute % 30 == 0), 1, 48),
        (Exchange(listed_us=CLOSED_US - 7 * MINUTE_US - 1), 1, 7),
        (Exchange(lambda minute: False), 1, 0),
    ):
        stretches = Stretches()
        stretches.want(["A"])
        assert len(filled(stretches, exchange)) == count
        assert len(exchange.asked) == questions


def test_minutes_without_trades_are_not_told():
    stretches = Stretches()
    stretches.want(["A"])
    page = stretches.next(NOW_US)
    answer = [candle("A", CLOSED_US - n * MINUTE_US, "0.000" if n % 2 else "5") for n in range(1, PAGE + 1)]
    assert len(stretches.take(page, answer)) == PAGE // 2


def test_once_an_hour_what_is_new_is_told_oldest_first():
    stretches, exchange = Stretches(), Exchange()
    stretches.want(["A"])
    filled(stretches, exchange)
    assert stretches.next(NOW_US + 59 * MINUTE_US) is None
    told = filled(stretches, exchange, NOW_US + 60 * MINUTE_US)
    assert minutes(told) == [CLOSED_US + n * MINUTE_US for n in range(60)]


@pytest.mark.parametrize("seed", range(10))
def test_interrupted_anywhere_the_topic_holds_one_stretch_and_the_next_start_asks_only_for_the_rest(seed):
    rng, now_us, topic = random.Random(seed), NOW_US, []
    exchange = Exchange()
    for _ in range(4):
        stretches = Stretches()
        for one in topic:
            stretches.note(one.symbol, one.opened_at_us)
        stretches.want(["A", "B"])
        told = filled(stretches, exchange, now_us, rng.randrange(1, 12))
        topic += told[: rng.randrange(len(told) + 1)]  # and killed before Kafka had all of it
        for symbol in ("A", "B"):
            held = sorted(minutes(topic, symbol))
            assert held == list(range(held[0], held[-1] + 1, MINUTE_US)) if held else True
        now_us += rng.randrange(0, 200) * MINUTE_US
    stretches = Stretches()
    for one in topic:
        stretches.note(one.symbol, one.opened_at_us)
    stretches.want(["A", "B"])
    topic += filled(stretches, exchange, now_us)
    for symbol in ("A", "B"):
        held = minutes(topic, symbol)
        assert len(held) == len(set(held))
        assert min(held) <= now_us - DAY_US + MINUTE_US * 2
        assert max(held) > now_us - 62 * MINUTE_US


def test_a_topic_that_is_a_day_behind_is_filled_anew():
    stretches = Stretches()
    stretches.note("A", CLOSED_US - DAY_US - 2 * MINUTE_US)
    stretches.want(["A"])
    assert len(filled(stretches, Exchange())) == 1_440


def test_a_market_that_comes_later_is_asked_for_next_and_one_that_went_no_more():
    stretches, exchange = Stretches(), Exchange()
    stretches.want(["A"])
    filled(stretches, exchange, most=2)
    stretches.want(["B"])
    told = filled(stretches, exchange)
    assert {one.symbol for one in told} == {"B"}
    assert len(told) == 1_440


def test_without_an_answer_it_is_asked_again_and_without_hope_an_hour_later():
    stretches = Stretches()
    stretches.want(["A", "B"])
    first = stretches.next(NOW_US)
    stretches.put_back(first)
    assert [stretches.next(NOW_US).symbol for _ in range(2)] == ["B", "A"]
    stretches.give_up(first, NOW_US)
    assert stretches.next(NOW_US + 59 * MINUTE_US) is None
    assert stretches.next(NOW_US + 61 * MINUTE_US).symbol == "A"


def test_an_exchange_that_does_not_heed_the_time_ends_it():
    stretches = Stretches()
    stretches.want(["A"])
    for _ in range(20):
        page = stretches.next(NOW_US)
        if page is None:
            break
        stretches.take(page, [candle("A", CLOSED_US - n * MINUTE_US) for n in range(PAGE)])
    assert page is None
