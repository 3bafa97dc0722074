"""Prepares the demo's Kafka: a user of each role, who may do what its work needs and no more."""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from devstack.kafka_logins import LoginListener
from services.cli.demo.database import write_secret
from shared.kafka.users import KafkaUsers
from shared.rights import RIGHTS, Role
from shared.settings import KafkaSettings

ROLES: Sequence[Role] = ("producer", "consumer-redis", "consumer-postgres", "alert-worker", "reader")


async def create_kafka_users(
    administrator: KafkaSettings, listener: LoginListener, directory: Path
) -> dict[Role, Mapping[str, str]]:
    """Create them, for good; returns, by role, what tells a process to log in. Passwords lie in `directory`."""
    made = await asyncio.gather(*(_create(administrator, role, directory) for role in ROLES))
    return {
        role: {
            "TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS": listener.address,
            "TAPEWATCH_KAFKA__SECURITY_PROTOCOL": listener.protocol,
            "TAPEWATCH_KAFKA__SASL_MECHANISM": "SCRAM-SHA-512",
            "TAPEWATCH_KAFKA__SASL_USERNAME": user,
            "TAPEWATCH_KAFKA__SASL_PASSWORD_FILE": str(file),
        }
        for role, (user, file) in zip(ROLES, made, strict=True)
    }


async def _create(administrator: KafkaSettings, role: Role, directory: Path) -> tuple[str, Path]:
    user, password, file = f"demo-{role}", secrets.token_hex(16), directory / f"kafka-{role}.password"
    async with KafkaUsers(administrator) as users:
        await users.set_password(user, password)
        await users.allow(user, RIGHTS[role])
    write_secret(file, password)
    return user, file
