"""A Kafka that asks who is there, and users of it."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from devstack.kafka_logins import LoginListener
from devstack.kafka_server import Kafka
from devstack.server import Server
from shared.kafka.users import KafkaUsers
from shared.rights import RIGHTS, Role
from shared.settings import KafkaSettings


@dataclass
class KafkaWithLogins:
    """Not started. `ca` is whom clients trust when its listener speaks TLS."""

    root: Path
    listener: LoginListener
    ca: Path | None = None

    def server(self) -> Server:
        """The broker."""
        return Server(Kafka(self.root, logins=self.listener))

    def as_user(self, user: str, password: str) -> KafkaSettings:
        """Settings of somebody who logs in. Only once it was started."""
        return KafkaSettings(
            bootstrap_servers=self.listener.address,
            security_protocol=self.listener.protocol,
            sasl_username=user,
            sasl_password=SecretStr(password),
            ssl_cafile=self.ca,
        )


async def give_rights(administrator: KafkaSettings, role: Role, user: str, password: str) -> None:
    """What `tapewatch topics grant` does."""
    async with KafkaUsers(administrator) as users:
        await users.set_password(user, password)
        await users.allow(user, RIGHTS[role])


def environment(settings: KafkaSettings) -> dict[str, str]:
    """The same settings as a process is told."""
    told = {
        "BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "SECURITY_PROTOCOL": settings.security_protocol,
        "SASL_USERNAME": settings.sasl_username or "",
        "SASL_PASSWORD": settings.sasl_password.get_secret_value() if settings.sasl_password else "",
        "SSL_CAFILE": str(settings.ssl_cafile or ""),
    }
    return {f"TAPEWATCH_KAFKA__{key}": value for key, value in told.items() if value}
