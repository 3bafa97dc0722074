"""The plan of a run of faults: a seed tells the same story again, and asking for less changes nobody's luck."""

import pytest

from tests.faults.catalogue import FAULTS
from tests.faults.plan import UnknownFault, choose, plan


def test_every_fault_has_a_name_of_its_own() -> None:
    names = [fault.name for fault in FAULTS]
    assert sorted(set(names)) == sorted(names)


def test_a_seed_tells_the_same_story_again() -> None:
    assert plan(FAULTS, 7) == plan(FAULTS, 7)
    assert plan(FAULTS, 7) != plan(FAULTS, 8)


def test_a_fault_alone_has_the_luck_that_it_has_among_all() -> None:
    among_all = {one.fault.name: one.random().random() for one in plan(FAULTS, 7)["plain"]}
    (alone,) = plan(choose(FAULTS, ["redis-killed"]), 7)["plain"]
    assert alone.random().random() == among_all["redis-killed"]


def test_what_is_named_has_luck_of_its_own_and_the_same_each_time() -> None:
    (planned,) = plan(choose(FAULTS, ["redis-killed"]), 7)["plain"]
    lucks = [planned.random(name).random() for name in ("", "kafka", "redis")]
    assert lucks == [planned.random(name).random() for name in ("", "kafka", "redis")]
    assert len(set(lucks)) == len(lucks)


def test_a_code_stands_for_all_of_its_faults_and_what_comes_first_does() -> None:
    chosen = choose(FAULTS, ["F36", "F13", "F15"])
    assert {fault.name for fault in chosen} >= {"redis-killed", "redis-emptied", "redis-started-empty"}
    assert all(plan(chosen, seed)["plain"][0].fault.comes_first for seed in range(20))


def test_an_unknown_fault_is_named() -> None:
    with pytest.raises(UnknownFault, match="F99"):
        choose(FAULTS, ["F13", "F99"])
