"""What is kept of a record that Kafka does not take."""

from base64 import b64decode

import pytest

from services.producer.gaps import Gap, gap_event
from services.producer.refused import LEAST_PAYLOAD_BYTES, Kept, kept_of
from services.producer.rejects import dead_letter
from shared.events import DeadLetter, Event, FeedEvent
from shared.topics import CANDLES, DEAD_LETTERS, FEED, Topic
from shared.wire import encode

AT_US = 1_800_000_000_000_000


def kept(topic: Topic, event: Event) -> Kept:
    return kept_of(topic, encode(event), "too large", "upbit", AT_US)


def letter(frame: str, connection: str | None = "upbit/1") -> DeadLetter:
    return dead_letter(frame, "no JSON", exchange="upbit", connection=connection, suppressed=2, at_us=AT_US)


def test_a_letter_is_cut_once_and_says_how_long_it_was_and_its_trades_are_a_gap() -> None:
    whole = kept(DEAD_LETTERS, letter("x" * 5_000))
    assert whole.form is not None
    cut = whole.form[1]
    assert isinstance(cut, DeadLetter)
    assert (len(b64decode(cut.payload)), cut.payload_bytes, cut.suppressed) == (LEAST_PAYLOAD_BYTES, 5_000, 2)
    assert whole.gap is not None
    assert (whole.gap.connection, whole.gap.symbols) == ("upbit/1", None)
    assert kept(DEAD_LETTERS, cut) == Kept()


@pytest.mark.parametrize(("one", "has_gap"), [(letter("x"), True), (letter("x", None), False)])
def test_a_letter_that_is_short_has_no_smaller_form(one: DeadLetter, has_gap: bool) -> None:
    assert kept(DEAD_LETTERS, one).form is None
    assert (kept(DEAD_LETTERS, one).gap is not None) == has_gap


def test_a_gap_of_too_many_names_is_one_of_all_and_what_says_more_by_its_names_is_not_made_to_say_it_of_all() -> None:
    gap = gap_event(Gap(("KRW-A", "KRW-B"), AT_US - 5, AT_US), "upbit", "upbit/1", "away", AT_US)
    form = kept(FEED, gap).form
    assert form is not None
    assert isinstance(form[1], FeedEvent)
    assert (form[1].symbols, form[1].from_us, form[1].to_us) == (None, AT_US - 5, AT_US)
    assert kept(FEED, form[1]) == Kept()
    gone = FeedEvent(kind="gone", exchange="upbit", symbols=["KRW-A"], reason="x", at_us=AT_US)
    assert kept(FEED, gone) == Kept()


def test_other_records_have_no_other_form() -> None:
    assert kept_of(CANDLES, b"{}", "too large", "upbit", AT_US) == Kept()
