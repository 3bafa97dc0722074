"""What every Kafka client of ours is made with: addresses, encryption, login, bounds."""

import ssl
from typing import Any

from aiokafka import AIOKafkaProducer

from shared.errors import WrongUse
from shared.settings import KafkaSettings

MAX_REQUEST_BYTES = 4 << 20


def client_options(settings: KafkaSettings, client_id: str) -> dict[str, Any]:
    """The keyword arguments that every aiokafka client of ours shares.

    Raises WrongUse for unusable certificates, and for half a login.
    """
    options: dict[str, Any] = {
        "bootstrap_servers": [server.strip() for server in settings.bootstrap_servers.split(",")],
        "client_id": f"tapewatch-{client_id}",
        "security_protocol": settings.security_protocol,
    }
    if settings.security_protocol.endswith("SSL"):
        options["ssl_context"] = _ssl_context(settings)
    if settings.security_protocol.startswith("SASL"):
        options |= _login(settings)
    return options


def _login(settings: KafkaSettings) -> dict[str, Any]:
    if not settings.sasl_username or settings.sasl_password is None:
        missing = "SASL_PASSWORD" if settings.sasl_username else "SASL_USERNAME"
        raise WrongUse(f"TAPEWATCH_KAFKA__{missing} is not set, and {settings.security_protocol} needs it")
    return {
        "sasl_mechanism": settings.sasl_mechanism,
        "sasl_plain_username": settings.sasl_username,
        "sasl_plain_password": settings.sasl_password.get_secret_value(),
    }


def _ssl_context(settings: KafkaSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ssl_cafile)
        if settings.ssl_certfile:
            context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile)
    except OSError as error:  # SSLError among them
        raise WrongUse(
            f"the certificates that TAPEWATCH_KAFKA__SSL_CAFILE, SSL_CERTFILE and SSL_KEYFILE name: {error}"
        ) from None
    return context


def make_producer(settings: KafkaSettings, client_id: str, **options: Any) -> AIOKafkaProducer:
    """An idempotent producer with acks=all; not started."""
    return AIOKafkaProducer(
        **client_options(settings, client_id),
        acks="all",
        enable_idempotence=True,
        max_request_size=MAX_REQUEST_BYTES,
        **{"compression_type": "zstd", "request_timeout_ms": 30_000} | options,
    )
