"""A Kafka that asks who is there: SCRAM-SHA-512 on a listener of its own, nothing allowed that no list allows.

Its other listener, on loopback, is the administrator's.
"""

from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from devstack.kafka_server import Kafka
from devstack.ports import Port, free_port
from devstack.server import Server
from shared.kafka.users import KafkaUsers
from shared.rights import RIGHTS, Role
from shared.settings import KafkaSettings

_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


@dataclass
class KafkaWithLogins:
    """Not started. With a `keystore` (PEM: key and chain) that listener speaks TLS; `ca` is whom clients trust."""

    root: Path
    host: str = "127.0.0.1"
    keystore: Path | None = None
    ca: Path | None = None
    login_port: int = field(default_factory=free_port)

    def server(self) -> Server:
        """The broker."""
        ports = Port(), Port()
        broker, controller = (port.pick("Kafka") for port in ports)
        protocol = "SASL_SSL" if self.keystore else "SASL_PLAINTEXT"
        tls = {"ssl.keystore.type": "PEM", "ssl.keystore.location": str(self.keystore)} if self.keystore else {}
        extra = {
            "listeners": (
                f"PLAINTEXT://127.0.0.1:{broker},LOGIN://{self.host}:{self.login_port},"
                f"CONTROLLER://127.0.0.1:{controller}"
            ),
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{broker},LOGIN://{self.host}:{self.login_port}",
            "listener.security.protocol.map": f"CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,LOGIN:{protocol}",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.login.scram-sha-512.sasl.jaas.config": _SCRAM,
            **{f"listener.name.login.{key}": value for key, value in tls.items()},
        }
        return Server(Kafka(self.root, peers={1: ports}, extra=extra))

    def as_user(self, user: str, password: str) -> KafkaSettings:
        """Settings of somebody who logs in."""
        return KafkaSettings(
            bootstrap_servers=f"{self.host}:{self.login_port}",
            security_protocol="SASL_SSL" if self.keystore else "SASL_PLAINTEXT",
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
