"""A second listener of Kafka, where who comes logs in (SCRAM-SHA-512) and may do what Kafka's lists allow, and no more.

The first one, on loopback, is then the administrator's.
"""

from dataclasses import dataclass, field
from pathlib import Path

from devstack.ports import Port

_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


@dataclass(frozen=True)
class LoginListener:
    """Where it listens. With a `keystore` (PEM: key and chain) it speaks TLS."""

    port: Port = field(default_factory=Port)
    host: str = "127.0.0.1"
    keystore: Path | None = None

    @property
    def address(self) -> str:
        """Bootstrap servers for those who log in. Only once the port is picked."""
        return f"{self.host}:{self.port.number}"

    @property
    def protocol(self) -> str:
        """As the setting KAFKA__SECURITY_PROTOCOL has it."""
        return "SASL_SSL" if self.keystore else "SASL_PLAINTEXT"

    def properties(self, broker: int, controller: int) -> dict[str, str]:
        """What server.properties says of it, beside the two other ports."""
        both = f"PLAINTEXT://127.0.0.1:{broker},LOGIN://{self.address}"
        tls = {"ssl.keystore.type": "PEM", "ssl.keystore.location": str(self.keystore)} if self.keystore else {}
        return {
            "listeners": f"{both},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": both,
            "listener.security.protocol.map": f"CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,LOGIN:{self.protocol}",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.login.scram-sha-512.sasl.jaas.config": _SCRAM,
            **{f"listener.name.login.{key}": value for key, value in tls.items()},
        }
