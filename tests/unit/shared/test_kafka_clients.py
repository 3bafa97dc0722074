"""What every producer of ours asks of Kafka."""

from typing import Any

import pytest

from shared.kafka import clients, make_producer
from shared.settings import KafkaSettings


def test_every_replica_in_sync_acknowledges_and_repeats_are_dropped_whatever_else_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr(clients, "AIOKafkaProducer", lambda **options: asked.update(options))
    make_producer(KafkaSettings(), "a-service", compression_type="snappy", max_batch_size=1)
    assert (asked["acks"], asked["enable_idempotence"]) == ("all", True)
    assert asked["compression_type"] == "snappy"
    for weaker in ({"acks": 1}, {"enable_idempotence": False}):
        with pytest.raises(TypeError):
            make_producer(KafkaSettings(), "a-service", **weaker)
