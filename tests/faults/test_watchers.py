"""What people are told of a cut is judged: a silence that nobody was told of in time, or whose end, is a complaint."""

from tests.faults.watchers import Told, unended, untold_cut

S = 1_000_000
SILENT = "🔴 HOST IS SILENT · no sign of life from stores for 26 s, says vm"
AGAIN = "✅ HOST IS HEARD AGAIN · stores after 41 s"
HEALED_US = 50 * S


def told(at_s: int, text: str) -> Told:
    return Told(f"{at_s}.000100", None, text)


def test_a_silence_that_was_told_while_it_lasted_and_as_over_is_no_complaint() -> None:
    assert untold_cut([told(40, SILENT), told(60, AGAIN)], "stores", HEALED_US) == []


def test_a_silence_that_was_told_too_late_or_of_another_host_is_one() -> None:
    untold = ["nobody was told while it lasted that stores is silent"]
    assert untold_cut([told(55, SILENT), told(60, AGAIN)], "stores", HEALED_US) == untold
    assert untold_cut([told(40, SILENT.replace("stores", "alerts")), told(60, AGAIN)], "stores", HEALED_US) == untold


def test_a_silence_whose_end_was_not_told_is_one() -> None:
    assert untold_cut([told(40, SILENT)], "stores", HEALED_US) == ["nobody was told that stores is heard again"]


def test_a_part_of_which_the_last_word_is_that_it_is_down_is_one() -> None:
    down = told(40, "🔴 DOWN · consumer-redis on stores: exit status 3")
    assert unended([down]) == ["nobody was told how this ended: 🔴 DOWN · consumer-redis on stores: exit status 3"]
    assert unended([down, told(60, "✅ BACK · consumer-redis on stores after 20 s")]) == []


def test_parts_that_waited_together_and_do_not_all_get_on_are_each_missed() -> None:
    waits = told(40, "⏳ WAITS · producer-upbit, consumer-redis on machine: Kafka does not answer")
    on = told(60, "✅ GETS ON · producer-upbit on machine, waited for Kafka for 20 s")
    assert unended([waits, on]) == [f"nobody was told how this ended: {waits.text}"]
    assert unended([waits, on, told(70, on.text.replace("producer-upbit", "consumer-redis"))]) == []
