"""Lag against what Kafka keeps: by time, by bytes where that deletes sooner; told once when it is half used up."""

from services.consumer.positions import Bounds
from services.consumer.retention import Lag, Unread, begun, lags, over

HOUR_MS = 3_600_000
NOW_MS = 1_790_000_000_000


def unread(position=100, start=0, end=1000, retention_ms=10 * HOUR_MS, topic="t", **ages_h):
    stamps = {f"{name}_at_ms": NOW_MS - round(hours * HOUR_MS) for name, hours in ages_h.items()}
    return Unread(topic, position, Bounds(start, end), retention_ms, **stamps)


def lag_of(*found):
    (lag,) = lags(found, NOW_MS).values()
    return lag


def test_the_age_of_the_next_unread_record_is_measured_against_the_time_that_records_are_kept():
    assert lag_of(unread(next=3)) == Lag("t", 900, 3 * HOUR_MS, 10 * HOUR_MS, 0.3)


def test_a_reader_at_the_end_has_no_lag_however_old_the_log():
    assert lag_of(unread(position=1000, start=500, oldest=9)).ratio == 0.0


def test_what_was_deleted_before_its_time_was_deleted_by_size_so_the_share_of_the_log_counts():
    lag = lag_of(unread(position=700, start=600, next=2, oldest=3))
    assert (lag.ratio, lag.keeps_ms) == (0.75, 3 * HOUR_MS)


def test_what_was_deleted_in_its_time_says_nothing_about_size():
    assert lag_of(unread(position=700, start=600, next=1, oldest=10.5)).ratio == 0.1


def test_a_position_that_the_log_left_behind_has_used_up_everything():
    lag = lag_of(unread(position=5, start=600, next=1))
    assert (lag.ratio, lag.records) == (1.0, 400)


def test_a_compacted_topic_keeps_its_records():
    assert lag_of(unread(retention_ms=None)).ratio == 0.0


def test_a_topic_is_as_near_as_the_nearest_of_its_partitions_and_counts_the_records_of_all():
    lag = lag_of(unread(next=1), unread(position=990, next=6), unread(next=2))
    assert (lag.records, lag.age_ms, lag.ratio) == (1810, 6 * HOUR_MS, 0.6)


def test_the_oldest_record_is_looked_at_only_where_much_of_a_log_that_lost_some_is_unread():
    assert unread(position=600, start=500).may_be_near
    assert not unread(position=990, start=500).may_be_near
    assert not unread(position=0, start=0).may_be_near


def states(*ratios):
    """What is told while a topic's ratio goes through `ratios`."""
    told, said = set(), []
    for ratio in ratios:
        now = {"t": Lag("t", 1, 1, 1, ratio)}
        worse, better = begun(now, told), over(now, told)
        said.append("degraded" if worse else "resumed" if better else "")
        told = {lag.topic for lag in worse} | (told - {lag.topic for lag in better})
    return said


def test_an_episode_is_told_once_and_so_is_its_end():
    assert states(0.1, 0.49, 0.5, 0.9, 0.4, 0.6, 0.2, 0.1, 0.7) == [
        *("", "", "degraded", "", "", "", "resumed", "", "degraded")
    ]


def test_a_topic_that_was_not_looked_at_is_not_over():
    assert over({}, {"t"}) == []


def test_people_read_how_much_waits_how_long_and_what_is_kept():
    assert lag_of(unread(next=3)).told == "900 records wait, the oldest for 3.0 h, of 10.0 h that Kafka keeps (30%)"
