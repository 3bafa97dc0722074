"""Waiting for Kafka at the start: with a visible reason, within a bound, and no longer than wanted."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import structlog
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_delay, wait_exponential_jitter

from shared.errors import Stopped, Unreachable, WrongUse
from shared.kafka.clients import client_options
from shared.settings import KafkaSettings
from shared.waiting import Wait

_REFUSALS = ("SaslAuthenticationFailed", "UnsupportedSaslMechanism", "IllegalSaslState")
"""As aiokafka names what a broker answers to a login that it does not take."""
_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"
"""As OpenSSL names a certificate of a stranger, and one for another name than the address has."""
log = structlog.get_logger(__name__)


async def wait_until_reachable(
    settings: KafkaSettings,
    wait_s: int,
    stop: asyncio.Event | None = None,
    tell: Callable[[str], None] | None = None,
) -> None:
    """Return once Kafka answers. Says why it waits, backs off, raises Unreachable after `wait_s` seconds.

    `tell` hears in a line what it waits for, at each attempt. Raises WrongUse when it refuses user or password, Stopped
    when `stop` is set meanwhile.
    """
    options = client_options(settings, "probe") | {"request_timeout_ms": 5_000}

    def say(state: RetryCallState) -> None:
        waited_s = round(state.seconds_since_start or 0)
        log.warning("waiting for Kafka", servers=settings.bootstrap_servers, waited_s=waited_s, reason=reasons[-1])
        if tell is not None:
            tell(str(Wait("Kafka", waited_s, reasons[-1])))

    attempts = AsyncRetrying(
        retry=retry_if_exception_type(KafkaConnectionError),
        wait=wait_exponential_jitter(multiplier=0.1, max=3),
        stop=stop_after_delay(wait_s),
        sleep=_sleep_until(stop or asyncio.Event()),
        before_sleep=say,
        reraise=True,
    )
    with _connection_complaints() as reasons:
        try:
            await attempts(_touch, options, reasons)
        except KafkaConnectionError:
            raise Unreachable(
                f"Kafka did not answer within {wait_s} s: {reasons[-1]}. {_question(reasons[-1])}"
            ) from None


def _question(reason: str) -> str:
    """What to look at when Kafka cannot be reached for this reason."""
    if _UNTRUSTED in reason:
        return (
            "Has TAPEWATCH_KAFKA__SSL_CAFILE the certificate of who signed Kafka's, "
            "and TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS the name that is in it?"
        )
    return "Is it running, and is TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS right?"


def _sleep_until(stop: asyncio.Event) -> Callable[[float], Awaitable[None]]:
    async def sleep(seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), seconds)
            raise Stopped("stopped while waiting for Kafka")

    return sleep


async def _touch(options: Mapping[str, Any], reasons: deque[str]) -> None:
    admin = AIOKafkaAdminClient(**options)
    try:
        await admin.start()
    except KafkaConnectionError:
        if any(refusal in reasons[-1] for refusal in _REFUSALS):
            raise WrongUse(
                f"Kafka refuses us: {reasons[-1]}. "
                "Are TAPEWATCH_KAFKA__SASL_USERNAME, SASL_PASSWORD and SASL_MECHANISM right? "
                "`tapewatch topics grant --help` says how a user gets a password"
            ) from None
        raise
    else:
        if admin._client.get_random_node() is None:  # it has no public way; a broker that has just begun knows none
            reasons.append("it knows no broker yet, itself included")
            raise KafkaConnectionError
    finally:
        await admin.close()


@contextmanager
def _connection_complaints() -> Iterator[deque[str]]:
    """Why aiokafka could not connect, last one last: it logs the reason and raises without it. Not logged meanwhile."""
    reasons = deque(["no connection"], maxlen=1)

    def keep(record: logging.LogRecord) -> bool:
        reasons.append(record.getMessage().rstrip(": "))
        return False

    logger = logging.getLogger("aiokafka")
    level = logger.level
    logger.setLevel(logging.ERROR)  # also where nothing of it is shown
    logger.addFilter(keep)
    try:
        yield reasons
    finally:
        logger.removeFilter(keep)
        logger.setLevel(level)
