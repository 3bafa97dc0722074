"""The story of a soak: the same for the same seed, whole whatever its pieces, and every target has its turn."""

from collections import Counter

from tests.soak.blows import BLOWS_A_PERIOD, TARGETS, blow, killed, period


def story(seed: int, count: int) -> list[tuple[str, ...]]:
    return [blow(seed, number).targets for number in range(1, count + 1)]


def test_a_seed_tells_the_same_story_again() -> None:
    assert story(7, 50) == story(7, 50)
    assert story(7, 50) != story(8, 50)


def test_periods_end_to_end_are_the_whole_story_however_often_it_was_interrupted() -> None:
    blows: list[int] = []
    while some := period(7, len(blows), 250):
        assert len(some) <= BLOWS_A_PERIOD
        blows += [one.number for one in some]
    assert blows == list(range(1, 251))


def test_every_target_dies_often_and_sometimes_two_do_at_once() -> None:
    blows = [blow(7, number) for number in range(1, 1001)]
    deaths = Counter(killed(blows))
    assert set(deaths) == set(TARGETS)
    assert min(deaths.values()) > 80
    twos = [one for one in blows if len(one.targets) == 2]
    assert 100 < len(twos) < 250
    assert all(len(set(one.targets)) == len(one.targets) for one in blows)
