from typing import get_args

import pytest

from shared.events import Event
from shared.topics import TOPIC_BY_NAME, TOPIC_OF_EVENT, TOPICS, TRADES, Topic
from shared.wire import SCHEMA_OF_EVENT


def test_every_event_has_a_topic_of_its_own_and_a_schema() -> None:
    assert set(TOPIC_OF_EVENT) == set(get_args(Event)) == set(SCHEMA_OF_EVENT)
    assert len(TOPICS) == len(TOPIC_OF_EVENT) == len(TOPIC_BY_NAME)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_brokers_clock_stamps_and_what_is_kept_is_bounded(topic: Topic) -> None:
    config = topic.config()
    assert config["message.timestamp.type"] == "LogAppendTime"
    assert config["cleanup.policy"] == topic.cleanup
    assert "retention.bytes" in config
    if topic.cleanup == "delete":
        assert 0 < int(config["segment.ms"]) <= int(config["retention.ms"]) / 8
        assert 1 << 20 <= int(config["segment.bytes"]) <= int(config["retention.bytes"]) / 8
    else:
        assert "retention.ms" not in config


def test_trades_are_kept_seven_days_in_eight_partitions() -> None:
    assert TRADES.partitions == 8
    assert TRADES.config()["retention.ms"] == str(7 * 24 * 3600 * 1000)
