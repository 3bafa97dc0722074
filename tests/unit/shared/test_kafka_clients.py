"""What every producer of ours asks of Kafka."""

from typing import Any

import pytest
from pydantic import SecretStr

from shared.errors import WrongUse
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


@pytest.mark.parametrize(
    ("login", "missing"),
    [
        ({}, "SASL_USERNAME"),
        ({"sasl_password": SecretStr("a password")}, "SASL_USERNAME"),
        ({"sasl_username": "me"}, "SASL_PASSWORD"),
    ],
)
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
def test_half_a_login_is_told_by_what_is_missing(login: dict[str, Any], missing: str, mechanism: Any) -> None:
    settings = KafkaSettings(security_protocol="SASL_PLAINTEXT", sasl_mechanism=mechanism, **login)
    with pytest.raises(WrongUse, match=f"^TAPEWATCH_KAFKA__{missing} is not set, and SASL_PLAINTEXT needs it$"):
        clients.client_options(settings, "a-service")
