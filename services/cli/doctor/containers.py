"""What is to be typed where the parts run in containers: each finding's commands as Docker Compose has them. Pure."""

import re
from collections.abc import Mapping
from dataclasses import replace

from services.cli.doctor.finding import Finding

_MOUNTS = ("/run/secrets/", "/secrets/")
_KAFKA_TOOL = r"docker compose exec kafka /opt/kafka/bin/\1 --bootstrap-server 127.0.0.1:9092"
_AS_TYPED_THERE = (
    (r"journalctl -u tapewatch-(\w+)@(\w+) -n (\d+)", r"docker compose logs --tail \3 \1-\2"),
    (r"systemctl start tapewatch-(\w+)@(\w+)", r"docker compose up --wait \1-\2"),
    (r"tapewatch consumer (\w+)", r"docker compose up --wait consumer-\1"),
    (r"tapewatch topics create", "docker compose run --rm topics"),
    (r"tapewatch db migrate", "docker compose run --rm migrate"),
    (r"tapewatch redis acl.*", "docker compose run --rm secrets && docker compose restart redis"),
    (r"tapewatch (alerts|doctor|settings|status|tail|topics)\b", r"docker compose run --rm tapewatch \1"),
    (r"redis-cli config set maxmemory-policy.*", "docker compose up --force-recreate --wait redis"),
    (
        r"redis-cli config set maxmemory (\w+)",
        r"REDIS_MAXMEMORY=\1 and a REDIS_MEMORY above it in .env, docker compose up --wait redis",
    ),
    (r"redis-cli config set maxmemory,", "REDIS_MAXMEMORY in .env, docker compose up --wait redis,"),
    (r"(kafka-[\w-]+\.sh)", _KAFKA_TOOL),
    (r"`df -h (\S+)` on its host", r"`docker compose exec postgres df -h \1`"),
)


def is_mounted(path: str) -> bool:
    """Whether Compose put a secret there."""
    return path.startswith(_MOUNTS)


def is_in_containers(environ: Mapping[str, str]) -> bool:
    """Whether this is one of Compose's containers, by where its secrets are."""
    return any(name.endswith("_FILE") and is_mounted(path) for name, path in environ.items())


def in_containers(finding: Finding) -> Finding:
    """The same finding, with the commands of Docker Compose."""
    return replace(finding, told=_typed_there(finding.told), next=_typed_there(finding.next))


def _typed_there(text: str) -> str:
    for here, there in _AS_TYPED_THERE:
        text = re.sub(here, there, text)
    return text
