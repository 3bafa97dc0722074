"""How long Kafka's disks last: what each topic takes a day, until it is as large as its retention lets it be. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from services.cli.doctor.facts import KafkaFacts, LogDirFacts
from services.cli.doctor.finding import Finding
from shared.topics import TOPIC_BY_NAME

_GB = 1_000_000_000
_DAY_S = 86_400.0
_LEAST_SPAN_S = 3_600.0
_SOON_FULL_DAYS = 3.0
_BY_SEGMENTS = 9 / 8
"""Whole segments are deleted, and each is an eighth of what is kept (`Topic.config`)."""
_ROOM = 0.9
"""The share of a disk's room that a remedy uses."""


@dataclass(frozen=True)
class Growth:
    """One topic in one directory, and how much it will grow from here: `inf` where nothing is ever deleted."""

    topic: str
    partitions: int
    held_bytes: int
    day_bytes: float
    to_come_bytes: float

    @property
    def most_bytes(self) -> float:
        """What it comes to."""
        return self.held_bytes + self.to_come_bytes

    @property
    def ends_after_days(self) -> float:
        """When it has come to that."""
        return self.to_come_bytes / self.day_bytes if self.day_bytes else 0.0


def disk(facts: KafkaFacts) -> Iterator[Finding]:
    """Bytes in each directory of a broker, how many a day, what that comes to, and whether the disk holds it."""
    if facts.disk_away:
        yield Finding("disk", "away", f"Kafka does not tell what its disks hold: {facts.disk_away}", "tapewatch doctor")
    elif not facts.refused and not facts.log_dirs:
        yield Finding(
            "disk", "warning", "Kafka does not tell this login what its disk holds",
            f"tapewatch topics grant reader --user {facts.login}",
        )  # fmt: skip
    for log_dir in facts.log_dirs:
        yield _of(log_dir, facts)


def _of(log_dir: LogDirFacts, facts: KafkaFacts) -> Finding:
    grows = [_growth(topic, sizes, facts) for topic, sizes in log_dir.sizes.items()]
    told = f"Kafka takes {sum(one.held_bytes for one in grows) / _GB:.2f} GB in {log_dir.path} of {log_dir.host}"
    if max(facts.spans_s.values(), default=0.0) < _LEAST_SPAN_S:
        return Finding("disk", "well", f"{told}; too early to say how much a day")
    told += f", {sum(one.day_bytes for one in grows) / _GB:.2f} GB a day, {_end(sum(one.most_bytes for one in grows))}"
    if log_dir.free_bytes is None:
        return Finding("disk", "well", f"{told}; how much is free only that host knows")
    told += f"; {log_dir.free_bytes / _GB:.0f} GB are free"
    days = days_until_full(grows, log_dir.free_bytes)
    if days is None:
        return Finding("disk", "well", told)
    if days < _SOON_FULL_DAYS:
        return Finding("disk", "wrong", f"{told}: full in {days:.1f} days", _remedy(grows, log_dir))
    return Finding("disk", "warning", f"{told}: full in {days:.0f} days", _remedy(grows, log_dir))


def _end(most_bytes: float) -> str:
    return "without an end" if most_bytes == inf else f"{most_bytes / _GB:.0f} GB after all the time that is kept"


def _growth(topic: str, sizes: Sequence[int], facts: KafkaFacts) -> Growth:
    held, found = sum(sizes), facts.topics.get(topic)
    config = TOPIC_BY_NAME[topic].config() | dict(found.config if found else {})
    if "delete" not in config["cleanup.policy"]:
        return Growth(topic, len(sizes), held, 0.0, 0.0)  # compaction keeps it about as large as it is
    day_bytes = held / max(_LEAST_SPAN_S, facts.spans_s.get(topic, 0.0)) * _DAY_S
    most_bytes = _most_bytes(config, day_bytes, len(sizes)) if day_bytes else 0.0
    return Growth(topic, len(sizes), held, day_bytes, max(0.0, most_bytes - held))


def _most_bytes(config: Mapping[str, str], day_bytes: float, partitions: int) -> float:
    kept_ms, kept_bytes = int(config.get("retention.ms", -1)), int(config.get("retention.bytes", -1))
    by_time = kept_ms / 1_000 / _DAY_S * day_bytes if kept_ms >= 0 else inf
    by_size = kept_bytes * partitions if kept_bytes >= 0 else inf
    return min(by_time, by_size) * _BY_SEGMENTS


def days_until_full(grows: Sequence[Growth], free_bytes: int) -> float | None:
    """Days until `free_bytes` are used, each topic growing until it has come to its end; None: they never are."""
    going = sorted((one for one in grows if one.to_come_bytes), key=lambda one: one.ends_after_days)
    left, day = float(free_bytes), 0.0
    for place, one in enumerate(going):
        a_day = sum(other.day_bytes for other in going[place:])
        if left <= a_day * (one.ends_after_days - day):
            return day + left / a_day
        left, day = left - a_day * (one.ends_after_days - day), one.ends_after_days
    return None


def _remedy(grows: Sequence[Growth], log_dir: LogDirFacts) -> str:
    """A larger disk; or what the largest topic may keep, where that alone is enough."""
    larger = f"give {log_dir.path} of {log_dir.host} a larger disk"
    largest = max(grows, key=lambda one: one.most_bytes)
    others = sum(one.to_come_bytes for one in grows if one is not largest)
    room = (log_dir.free_bytes or 0) * _ROOM + largest.held_bytes - others
    if room < largest.held_bytes / 2:
        return larger
    kept_bytes = int(room / _BY_SEGMENTS / largest.partitions)
    less = f"--entity-type topics --entity-name {largest.topic} --add-config retention.bytes={kept_bytes}"
    return f"{larger}, or keep less: kafka-configs.sh --alter {less}"
