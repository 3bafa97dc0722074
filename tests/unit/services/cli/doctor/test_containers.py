"""Findings of a deployment in containers: what they say to type is what there is to type."""

import re
from dataclasses import replace

import pytest

from services.cli.doctor.containers import in_containers, is_in_containers
from services.cli.doctor.finding import Finding
from tests.unit.deploy.compose_file import services

TYPED = {
    "journalctl -u tapewatch-producer@upbit -n 100": "docker compose logs --tail 100 producer-upbit",
    "journalctl -u tapewatch-consumer@redis -n 100; tapewatch status --watch": (
        "docker compose logs --tail 100 consumer-redis; docker compose run --rm tapewatch status --watch"
    ),
    "start the consumer, which makes them: systemctl start tapewatch-consumer@postgres": (
        "start the consumer, which makes them: docker compose up --wait consumer-postgres"
    ),
    "tapewatch consumer redis": "docker compose up --wait consumer-redis",
    "tapewatch topics create": "docker compose run --rm topics",
    "tapewatch db migrate": "docker compose run --rm migrate",
    "tapewatch tail trades": "docker compose run --rm tapewatch tail trades",
    "tapewatch redis acl reader --help": "docker compose run --rm secrets && docker compose restart redis",
    "redis-cli config set maxmemory 1024mb; or lower TAPEWATCH_REDIS__STREAM_CAP": (
        "REDIS_MAXMEMORY=1024mb and a REDIS_MEMORY above it in .env, docker compose up --wait redis; "
        "or lower TAPEWATCH_REDIS__STREAM_CAP"
    ),
    "redis-cli config set maxmemory, to what that machine can spare": (
        "REDIS_MAXMEMORY in .env, docker compose up --wait redis, to what that machine can spare"
    ),
    "redis-cli config set maxmemory-policy noeviction, and the same in its file": (
        "docker compose up --force-recreate --wait redis"
    ),
    "kafka-configs.sh --alter --entity-type topics": (
        "docker compose exec kafka /opt/kafka/bin/kafka-configs.sh --bootstrap-server 127.0.0.1:9092 "
        "--alter --entity-type topics"
    ),
    "timedatectl status": "timedatectl status",
}


@pytest.mark.parametrize("here", TYPED)
def test_a_command_is_that_of_compose(here: str) -> None:
    finding = Finding("check", "wrong", "tapewatch in workspace Us", here)
    assert in_containers(finding) == replace(finding, next=TYPED[here])


def test_every_service_that_is_named_is_one() -> None:
    said = " ".join(TYPED.values())
    named = re.findall(r"docker compose (?:up --wait|logs --tail 100|run --rm|restart|exec) ([a-z-]+)", said)
    assert set(named) <= services().keys()


def test_a_container_of_compose_is_known_by_where_its_secrets_are() -> None:
    command = services()["tapewatch"]["environment"]
    assert is_in_containers({name: str(value or "") for name, value in command.items()})
    credential = "/etc/tapewatch/credentials/reader/dsn"
    assert not is_in_containers({"TAPEWATCH_POSTGRES__DSN_FILE": credential, "HOME": "/secrets/"})
