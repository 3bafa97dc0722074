"""Every check, by the source of what it is told. A new one is a function in `verdicts` and a row here."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, NamedTuple

from services.cli.doctor import kafka_disk, verdicts
from services.cli.doctor.finding import Finding

Source = Literal["settings", "kafka", "postgres", "redis", "upbit", "binance", "slack"]


class Check(NamedTuple):
    """`judge` is given what the source answered."""

    source: Source
    name: str
    judge: Callable[[Any], Iterable[Finding]]


CHECKS = (
    Check("settings", "settings", verdicts.settings),
    Check("settings", "secrets", verdicts.secrets),
    Check("settings", "watchdog", verdicts.watchdog),
    Check("kafka", "kafka", verdicts.brokers),
    Check("kafka", "topics", verdicts.topics),
    Check("kafka", "lag", verdicts.lag),
    Check("kafka", "disk", kafka_disk.disk),
    Check("redis", "redis", verdicts.redis),
    Check("redis", "memory", verdicts.memory),
    Check("redis", "freshness", verdicts.fresh_in_redis),
    Check("postgres", "postgres", verdicts.postgres),
    Check("postgres", "migrations", verdicts.migrations),
    Check("postgres", "days", verdicts.days),
    Check("postgres", "freshness", verdicts.fresh_in_postgres),
    Check("postgres", "disk", verdicts.disk),
    Check("postgres", "clock", verdicts.clock_of_postgres),
    Check("upbit", "clock", verdicts.clock_of_exchange),
    Check("binance", "clock", verdicts.clock_of_exchange),
    Check("slack", "slack", verdicts.slack),
)


class Away(NamedTuple):
    """A source that could not be asked, why, and what to type about it."""

    reason: str
    next: str


class Elsewhere(NamedTuple):
    """A source that nothing on this host is to reach, and why."""

    reason: str


def judge(source: Source, answer: object) -> Iterator[Finding]:
    """What all checks of a source find; one finding that names them all where it is away or not ours."""
    own = [check for check in CHECKS if check.source == source]
    if isinstance(answer, Away):
        missed = ", ".join(check.name for check in own if check.name != source)
        yield Finding(source, "away", answer.reason + (f" (not looked at: {missed})" if missed else ""), answer.next)
        return
    if isinstance(answer, Elsewhere):
        yield Finding(source, "well", answer.reason)
        return
    for check in own:
        yield from check.judge(answer)
