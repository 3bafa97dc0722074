"""Which silences are asked about, and what the answers mean."""

import random

import pytest

from services.producer.stalls import FIRST_TRADE_S, SHORTEST_S, Known, Stalls

SINCE = {"A": 1, "B": 1}


def _silent_for(stalls, seconds, heard):
    """The seconds after which one of the symbols was suspected."""
    return [second for second in range(1, seconds + 1) if stalls.look(heard)]


def _busy(stalls, seconds=600):
    for second in range(1, seconds + 1):
        assert stalls.look({"A": second}) == []
    return {"A": seconds}


def test_a_symbol_of_every_second_is_suspected_after_twenty():
    stalls = Stalls()
    assert _silent_for(stalls, 30, _busy(stalls))[0] == SHORTEST_S


def test_one_that_was_never_heard_is_suspected_after_ten_minutes():
    assert _silent_for(Stalls(), 1000, {"A": 0})[0] == FIRST_TRADE_S


def test_a_rare_symbol_gets_many_times_its_usual_pause():
    rng, stalls, heard, suspected = random.Random(1), Stalls(), 0, 0
    for _ in range(50_000):
        heard += rng.random() < 1 / 60
        suspected += bool(stalls.look({"A": heard}))
    assert suspected < 50_000 / 500
    assert 200 < _silent_for(stalls, 3000, {"A": heard})[0] < 1500


def test_what_was_traded_beyond_what_we_heard_is_stalled_and_found_again_only_when_it_moves():
    stalls = Stalls()
    stalls.look({"A": 5, "B": 5})
    ours = {"A": 100, "B": 100}
    assert stalls.judge(["A", "B"], {"A": 101, "B": 100}, ours, SINCE) == ["A"]
    assert stalls.judge(["A", "B"], {"A": 101, "B": 100}, ours, SINCE) == []
    assert stalls.judge(["A", "B"], {"A": 102}, ours, SINCE) == ["A"]


def test_of_one_not_heard_since_its_connection_stands_only_a_move_counts():
    stalls = Stalls()
    stalls.look({"A": 0})
    assert stalls.judge(["A"], {"A": 50}, {}, SINCE) == [], "it may have been traded before"
    assert stalls.judge(["A"], {"A": 50}, {}, SINCE) == []
    assert stalls.judge(["A"], {"A": 51}, {}, SINCE) == ["A"]
    assert stalls.judge(["A"], {"A": 60}, {}, {"A": 2}) == [], "another connection: all anew"
    assert stalls.judge(["A"], {"A": 61}, {}, {}) == [], "no connection"


def test_a_symbol_that_proved_quiet_is_asked_about_after_twice_the_silence_until_it_speaks():
    stalls = Stalls()
    heard = _busy(stalls)
    [first, *_] = _silent_for(stalls, 20, heard)
    assert stalls.judge(["A"], {"A": 1}, {"A": 1}, SINCE) == []
    assert _silent_for(stalls, 40, heard)[0] == first
    assert stalls.look({"A": 9_999}) == []
    assert _silent_for(stalls, 40, {"A": 9_999})[0] <= first + 1


OLD, NEW, ID_SLACK = {"A": 1_000}, {"A": 9_000}, 1


@pytest.fixture
def suspicious():
    """A was heard up to id 100 on a connection of second 1000, at 5000, and then fell silent for too long."""
    stalls = Stalls()
    stalls.look({"A": 5_000})
    stalls.suspect({"A": Known(1_000, 5_000, 100)})
    return stalls


def test_what_was_traded_between_a_suspicion_and_another_connection_is_missed_from_when_it_was_heard_last(suspicious):
    assert suspicious.heard_again({"A": 103}, NEW, ID_SLACK) == {"A": 5_000}
    assert suspicious.heard_again({"A": 109}, NEW, ID_SLACK) == {}, "once"
    assert not suspicious.suspected


@pytest.mark.parametrize(("ours", "since"), [({"A": 101}, NEW), ({"A": 120}, OLD)], ids=["the next id", "the same one"])
def test_one_that_was_only_quiet_missed_nothing(suspicious, ours, since):
    assert suspicious.heard_again(ours, since, ID_SLACK) == {}
    assert not suspicious.suspected


def test_a_suspicion_waits_while_there_is_no_connection_and_while_nothing_is_heard(suspicious):
    assert suspicious.heard_again({"A": 103}, {}, ID_SLACK) == {}
    assert suspicious.heard_again({}, NEW, ID_SLACK) == {}
    assert suspicious.heard_again({"A": 103}, NEW, ID_SLACK) == {"A": 5_000}


def test_a_second_suspicion_does_not_forget_since_when_the_first_one_is(suspicious):
    suspicious.suspect({"A": Known(9_000, 9_000, 100)})
    assert suspicious.heard_again({"A": 103}, {"A": 9_500}, ID_SLACK) == {"A": 5_000}


def test_the_last_trade_with_which_an_exchange_answers_a_subscription_proves_that_there_was_none_after_it(suspicious):
    assert suspicious.heard_again({"A": 100}, NEW, ID_SLACK) == {}
    assert suspicious.heard_again({"A": 103}, {"A": 20_000}, ID_SLACK) == {"A": 9_000}


def test_one_that_is_still_silent_on_another_connection_is_judged_by_the_answer(suspicious):
    assert suspicious.answered(["A"], {"A": 102}, NEW, 9_500) == {"A": 5_000}
    assert suspicious.answered(["A"], {"A": 102}, NEW, 9_900) == {}
    assert suspicious.heard_again({"A": 104}, {"A": 20_000}, ID_SLACK) == {"A": 9_900}


def test_what_proved_quiet_is_known_up_to_the_answer(suspicious):
    assert suspicious.answered(["A"], {"A": 100}, OLD, 7_000) == {}
    assert suspicious.heard_again({"A": 103}, NEW, ID_SLACK) == {"A": 7_000}


def test_an_answer_says_nothing_of_a_symbol_that_it_lacks_or_that_has_no_connection(suspicious):
    assert suspicious.answered(["A", "B"], {"B": 5}, {"A": 9_000}, 9_500) == {}
    assert suspicious.heard_again({"A": 103}, NEW, ID_SLACK) == {"A": 5_000}


@pytest.mark.parametrize("suspected", [True, False], ids=["suspected", "never heard"])
def test_what_was_traded_between_the_answer_and_a_connection_confirmed_after_it_is_missed(suspicious, suspected):
    stalls = suspicious if suspected else Stalls()
    assert stalls.answered(["A"], {"A": 100}, NEW, 8_000) == {}
    assert stalls.heard_again({"A": 105}, NEW, ID_SLACK) == {"A": 8_000}


def test_what_is_told_as_stalled_is_no_suspicion_any_more(suspicious):
    suspicious.answered(["A"], {"A": 103}, OLD, 7_000)
    assert suspicious.judge(["A"], {"A": 103}, {"A": 100}, OLD) == ["A"]
    assert not suspicious.suspected
