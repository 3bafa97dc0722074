"""Kafka's disk is forecast: each topic grows by what it took so far, until its own retention ends that."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from services.cli.doctor.facts import KafkaFacts, LogDirFacts, TopicFacts
from services.cli.doctor.finding import Finding
from services.cli.doctor.kafka_disk import Growth, days_until_full, disk
from shared.topics import INSTRUMENTS, ORDERBOOKS, TRADES

GB = 1_000_000_000
DAY_S = 86_400.0


def facts(sizes: Mapping[str, Sequence[int]], free_bytes: int | None, span_s: float = DAY_S) -> KafkaFacts:
    directory = LogDirFacts("kafka-1", "/var/lib/kafka", sizes, free_bytes)
    return KafkaFacts(1, 1, {}, {}, [directory], dict.fromkeys(sizes, span_s), "looker")


def found(of: KafkaFacts) -> Finding:
    [finding] = disk(of)
    assert finding.check == "disk"
    assert (finding.verdict == "well") == (finding.next == "")
    return finding


def test_what_is_kept_for_a_week_grows_for_a_week() -> None:
    finding = found(facts({TRADES.name: [GB, GB]}, 100 * GB))
    assert finding.verdict == "well"
    assert finding.told == (
        "Kafka takes 2.00 GB in /var/lib/kafka of kafka-1, 2.00 GB a day, 16 GB after all the time that is kept; "
        "100 GB are free"
    )


def test_a_disk_that_will_be_full_is_told_with_the_day_and_what_to_type() -> None:
    finding = found(facts({TRADES.name: [GB, GB]}, 10 * GB))
    assert (finding.verdict, finding.told.rpartition(": ")[2]) == ("warning", "full in 5 days")
    assert finding.next == (
        "give /var/lib/kafka of kafka-1 a larger disk, or keep less: kafka-configs.sh --alter --entity-type topics "
        f"--entity-name {TRADES.name} --add-config retention.bytes={int(11 * GB / (9 / 8) / 2)}"
    )
    finding = found(facts({TRADES.name: [GB, GB]}, 5 * GB))
    assert (finding.verdict, finding.told.rpartition(": ")[2]) == ("wrong", "full in 2.5 days")


def test_where_keeping_less_is_not_enough_only_a_larger_disk_is_named() -> None:
    sizes = {TRADES.name: [4 * GB], ORDERBOOKS.name: [5 * GB]}
    of = replace(facts(sizes, GB), spans_s={TRADES.name: DAY_S, ORDERBOOKS.name: DAY_S})
    of = replace(of, topics={ORDERBOOKS.name: TopicFacts(1, 1, {"retention.ms": "-1", "retention.bytes": "-1"})})
    finding = found(of)
    assert "without an end" in finding.told
    assert finding.next.startswith("give /var/lib/kafka of kafka-1 a larger disk")


def test_what_is_kept_for_an_hour_has_come_to_its_end_after_an_hour() -> None:
    finding = found(facts({ORDERBOOKS.name: [GB]}, GB, span_s=3_600 * 9 / 8))
    assert finding.verdict == "well"
    assert "1 GB after all the time" in finding.told


def test_what_is_kept_is_what_kafka_says_and_bytes_end_it_too() -> None:
    of = facts({TRADES.name: [GB]}, 100 * GB)
    short = replace(of, topics={TRADES.name: TopicFacts(1, 1, {"retention.bytes": str(2 * GB)})})
    assert "2 GB after all" in found(short).told
    for_ever = {"retention.bytes": "-1", "retention.ms": "-1"}
    finding = found(replace(of, topics={TRADES.name: TopicFacts(1, 1, for_ever)}))
    assert finding.told.endswith("1.00 GB a day, without an end; 100 GB are free: full in 100 days")


def test_a_compacted_topic_stays_as_it_is() -> None:
    assert "0.00 GB a day" in found(facts({INSTRUMENTS.name: [GB]}, GB)).told


def test_topics_end_one_after_the_other() -> None:
    short, long = Growth("short", 1, 0, 10.0, 10.0), Growth("long", 1, 0, 1.0, 100.0)
    assert days_until_full([long, short], 11) == pytest.approx(1.0)
    assert days_until_full([long, short], 20) == pytest.approx(10.0)
    assert days_until_full([long, short], 110) == pytest.approx(100.0)
    assert days_until_full([long, short], 111) is None


def test_too_early_unknown_room_and_a_login_that_is_told_nothing() -> None:
    assert "too early" in found(facts({TRADES.name: [GB]}, GB, span_s=60.0)).told
    assert "too early" in found(facts({TRADES.name: [0]}, GB, span_s=0.0)).told
    assert "only that host knows" in found(facts({TRADES.name: [GB]}, None)).told
    told_nothing = found(replace(facts({}, None), log_dirs=[]))
    assert (told_nothing.verdict, told_nothing.next) == ("warning", "tapewatch topics grant reader --user looker")


def test_each_broker_is_told_of() -> None:
    of = facts({TRADES.name: [GB]}, 100 * GB)
    second = LogDirFacts("kafka-2", "/data", {TRADES.name: [GB]}, GB)
    first, other = disk(replace(of, log_dirs=[*of.log_dirs, second]))
    assert (first.verdict, other.verdict) == ("well", "wrong")


def test_disks_that_could_not_be_asked_for_are_told_as_that() -> None:
    finding = found(KafkaFacts(2, 2, {}, {}, disk_away="NodeNotReadyError()"))
    assert (finding.verdict, finding.told) == ("away", "Kafka does not tell what its disks hold: NodeNotReadyError()")
