"""Pages are asked for evenly, and what nobody waits for at a slower pace."""

import pytest

from services.producer.candle_turns import Turns
from services.producer.candles import MINUTES
from services.producer.stretches import Page

NEWEST = Page("A", 0, 1, goes_on=False)
OLDER = Page("A", 0, 1, goes_on=False, is_older=True)


def times_s(pages, exchange="upbit", processes=1):
    turns, at_s, found = Turns(MINUTES[exchange], processes), 100.0, []
    for page in pages:
        at_s += turns.wait_s(page, at_s)
        found.append(round(at_s - 100, 3))
    return found


@pytest.mark.parametrize(("exchange", "apart_s"), [("upbit", 0.2), ("binance", 0.1)])
def test_newest_pages_come_evenly(exchange, apart_s):
    assert times_s([NEWEST] * 5, exchange) == pytest.approx([n * apart_s for n in range(5)])


def test_older_pages_take_longer_and_a_market_that_is_new_does_not_wait_for_them():
    assert times_s([OLDER, OLDER, NEWEST, NEWEST, OLDER]) == pytest.approx([0, 0.5, 0.7, 0.9, 1.1])


def test_processes_of_one_address_share_the_pace():
    assert times_s([NEWEST, NEWEST, OLDER, OLDER], processes=3) == pytest.approx([0, 0.6, 1.2, 2.1])
