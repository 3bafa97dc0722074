"""What is killed when: a seed tells the whole story, and blow number n is the same in every run of it. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

SERVICES = ("consumer-redis", "consumer-postgres", "producer-upbit", "producer-binance")
SERVERS = ("redis", "postgres")
TARGETS = (*SERVICES, *SERVERS)
# A killed producer hears nothing for a while: more often, and little of the market would be left to lose.
_WEIGHTS = (2, 2, 1, 1, 2, 2)
TWO_AT_ONCE_SHARE = 0.2
_PAUSE_S = (0.1, 2.6)
_AWAY_S = (0.0, 1.0)
BLOWS_A_PERIOD = 100


@dataclass(frozen=True)
class Blow:
    """kill -9 of one target, or of two at once, `pause_s` after the last blow. A server is back after `away_s`."""

    number: int
    targets: tuple[str, ...]
    pause_s: float
    away_s: float


def blow(seed: int, number: int) -> Blow:
    """Blow `number` of a seed's story, counted from 1."""
    random = Random(f"{seed}/blow/{number}")
    count = 2 if random.random() < TWO_AT_ONCE_SHARE else 1
    targets = random.sample(TARGETS, count, counts=_WEIGHTS)
    return Blow(number, tuple(dict.fromkeys(targets)), random.uniform(*_PAUSE_S), random.uniform(*_AWAY_S))


def period(seed: int, done: int, wanted: int) -> list[Blow]:
    """The blows until the next count: at most a period's, and no more than `wanted` in all."""
    return [blow(seed, number) for number in range(done + 1, min(done + BLOWS_A_PERIOD, wanted) + 1)]


def killed(blows: list[Blow]) -> Iterator[str]:
    """Every target that these blows strike, as often as they do."""
    return (target for one in blows for target in one.targets)
