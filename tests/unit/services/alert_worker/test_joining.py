"""One coin on two exchanges is one story, in its first leg and in every further one."""

import pytest

from services.alert_worker.joining import JOINED, Joining

START_US = 1_700_000_000_000_000
S = 1_000_000


@pytest.fixture
def word(make_alert):
    """A word of bitcoin on either exchange; its leg began `at` seconds after the first."""

    def make(exchange, state, at, number=1, direction="down", severity="warning"):
        symbol = {"upbit": "KRW-BTC", "binance": "BTCUSDT"}[exchange]
        return make_alert(
            state, exchange=exchange, symbol=symbol, episode_id=exchange, alert_id=f"{exchange}-{number}-{state}",
            direction=direction, severity=severity, started_at_us=START_US + at * S, event_at_us=START_US + at * S,
        )  # fmt: skip

    return make


@pytest.fixture
def joining(word):
    """Both have fallen, Upbit first."""
    joining = Joining()
    joining.take(word("upbit", "open", 0), begins=True)
    joining.take(word("binance", "open", 1), begins=True)
    return joining


def told(words):
    return [word.alert.episode_id for word in words if word.alert.suppressed_by is None]


@pytest.fixture(params=[False, True], ids=["at once", "once it was over"])
def after(request, joining, word):
    """The same, and perhaps over."""
    if request.param:
        joining.take(word("upbit", "resolve", 0, 2), begins=False)
        joining.take(word("binance", "resolve", 1, 2), begins=False)
    return joining


@pytest.mark.parametrize("direction", ["down", "up"])
@pytest.mark.parametrize(("first", "second"), [("upbit", "binance"), ("binance", "upbit")])
def test_a_further_leg_on_both_is_one_story(after, word, direction, first, second) -> None:
    words = after.take(word(first, "escalate", 3_600, 3, direction), begins=True)
    words += after.take(word(second, "escalate", 3_602, 3, direction), begins=True)
    for exchange, at in ((first, 3_600), (second, 3_602)):
        words += after.take(word(exchange, "escalate", at, 4, direction, "danger"), begins=False)
    assert len(set(told(words))) == 1


def test_whoever_turned_is_in_the_way_of_nobody_who_falls_later(joining, word) -> None:
    joining.take(word("upbit", "escalate", 900, 3, "up"), begins=True)
    joining.take(word("binance", "escalate", 901, 3, "up"), begins=True)
    joining.take(word("upbit", "resolve", 900, 4, "up"), begins=False)
    joining.take(word("binance", "resolve", 901, 4, "up"), begins=False)
    assert joining.packed() == {}


def test_who_turns_alone_leaves_the_other_to_speak_for_itself(joining, word) -> None:
    joining.take(word("upbit", "escalate", 900, 3, "up"), begins=True)
    assert told(joining.take(word("binance", "escalate", 1, 3, severity="danger"), begins=False)) == ["binance"]


def test_who_falls_again_once_the_leading_one_is_over_speaks_for_itself(joining, word) -> None:
    joining.take(word("upbit", "resolve", 0, 2), begins=False)
    assert told(joining.take(word("binance", "escalate", 900, 3), begins=True)) == ["binance"]


def test_a_further_leg_long_after_the_lead_s_is_told_and_leads(joining, word) -> None:
    assert told(joining.take(word("binance", "escalate", 1_200, 2), begins=True)) == ["binance"]
    assert told(joining.take(word("binance", "escalate", 1_200, 3, severity="danger"), begins=False)) == ["binance"]
    assert told(joining.take(word("upbit", "escalate", 1_201, 2), begins=True)) == ["binance"]
    (end,) = joining.take(word("upbit", "resolve", 1_201, 3), begins=False)
    assert end.alert.suppressed_by == JOINED, "whoever has a message of it is told its end all the same"


def test_a_further_leg_long_after_the_other_exchange_s_is_a_story_of_its_own(word) -> None:
    joining = Joining()
    joining.take(word("upbit", "open", 0), begins=True)
    assert told(joining.take(word("binance", "escalate", 601, 3), begins=True)) == ["binance"]


def test_a_step_of_a_leg_that_has_its_own_story_joins_none(word) -> None:
    joining = Joining()
    joining.take(word("upbit", "open", 0), begins=True)
    joining.take(word("binance", "open", 601), begins=True)
    (step,) = joining.take(word("binance", "escalate", 601, 2), begins=False)
    assert step.alert.suppressed_by != JOINED
