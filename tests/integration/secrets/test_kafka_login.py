"""Kafka that asks who is there: the right password is let in, a wrong one is told in one line that does not hold it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devstack.kafka_server import Kafka
from devstack.server import Server

pytestmark = [pytest.mark.servers, pytest.mark.long, pytest.mark.timeout(120)]

_MODULE = "org.apache.kafka.common.security.plain.PlainLoginModule"


@pytest.fixture
def asking_kafka(data_directory: Path, planted: dict[str, str]) -> Iterator[str]:
    """The address of a broker that lets in who knows the planted password."""
    password = planted["TAPEWATCH_KAFKA__SASL_PASSWORD"]
    login = f'{_MODULE} required username="broker" password="own" user_broker="own" user_someone="{password}";'
    extra = {
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:SASL_PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN",
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "listener.name.plaintext.plain.sasl.jaas.config": login,
    }
    server = Server(Kafka(data_directory / "kafka", extra=extra))
    server.start()
    yield server.address
    server.stop()


async def test_the_right_password_is_let_in_and_a_wrong_one_is_told_unspoken(evidence: Any, asking_kafka: str) -> None:
    evidence.environment |= {
        "TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS": asking_kafka,
        "TAPEWATCH_KAFKA__SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "TAPEWATCH_KAFKA__SASL_MECHANISM": "PLAIN",
    }
    assert await evidence.command("topics", "create") == 0
    telling = await evidence.service("alert-worker", until=lambda _, page: '"ready": true' in page)
    assert "watching" in telling

    wrong = {"TAPEWATCH_KAFKA__SASL_PASSWORD": "zebrafinkwrong"}
    assert await evidence.command("topics", "create", **wrong) == 2
    await evidence.service("alert-worker", until=lambda *_: False, **wrong)
    await evidence.service("consumer", "redis", until=lambda *_: False, **wrong)
    await evidence.command("doctor", "--json", **wrong)
    for refused in ("topics create", "alert-worker"):
        assert "TAPEWATCH_KAFKA__SASL_USERNAME" in evidence.pieces[refused].splitlines()[-1]
    assert evidence.leaks() == []
