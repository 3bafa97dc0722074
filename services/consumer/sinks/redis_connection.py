"""One connection to Redis that never sends anything twice by itself, and the wait for a Redis that is away at start."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from hashlib import sha1
from importlib.resources import files
from typing import Any

import msgspec
import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoScriptError,
    OutOfMemoryError,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.maint_notifications import MaintNotificationsConfig
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_delay, wait_exponential_jitter

from services.consumer.sinks.base import StoreFailed
from shared.connections import OPTIONS
from shared.errors import Unreachable, WrongUse
from shared.redaction import without_secrets
from shared.settings import RedisSettings

ANSWER_TIMEOUT_S = 5.0
_CONNECT_TIMEOUT_S = 2.0
_AWAY = (RedisConnectionError, RedisTimeoutError, BusyLoadingError, OSError)
_PASSES = ("BUSY ", "MISCONF ")
"""How answers begin of a Redis that runs a slow script, and of one that could not write to its disk."""
log = structlog.get_logger(__name__)
pack = msgspec.msgpack.Encoder().encode


class Script:
    """A Lua file beside this one; Redis knows it by the SHA-1 of its text."""

    def __init__(self, name: str) -> None:
        self.text = files(__package__).joinpath(name).read_bytes()
        self.sha1 = sha1(self.text, usedforsecurity=False).hexdigest()


class Connection:
    """Runs scripts with one msgpack argument."""

    def __init__(self, settings: RedisSettings) -> None:
        self.address = without_secrets(settings.url.get_secret_value())
        self.answered = 0
        try:
            redis = Redis.from_url(
                settings.url.get_secret_value(),
                retry=Retry(NoBackoff(), 0),
                socket_timeout=ANSWER_TIMEOUT_S,
                socket_connect_timeout=_CONNECT_TIMEOUT_S,
                socket_keepalive_options=OPTIONS,
                decode_responses=False,
                single_connection_client=True,
                protocol=2,
                driver_info=None,
                maint_notifications_config=MaintNotificationsConfig(enabled=False),
            )
            self._execute: Callable[..., Awaitable[Any]] = redis.execute_command
            self._close = redis.aclose
        except ValueError as error:
            raise WrongUse(f"TAPEWATCH_REDIS__URL: {error}") from None

    async def wait_until_reachable(self, wait_s: int) -> None:
        """Return once Redis answers. Raises Unreachable after `wait_s` seconds, WrongUse when it refuses us."""

        def say(state: RetryCallState) -> None:
            reason = str(state.outcome.exception()) if state.outcome else ""
            waited_s = round(state.seconds_since_start or 0)
            log.warning("waiting for Redis", address=self.address, waited_s=waited_s, reason=reason)

        attempts = AsyncRetrying(
            retry=retry_if_exception(is_away),
            wait=wait_exponential_jitter(multiplier=0.1, max=1, jitter=0.2),
            stop=stop_after_delay(wait_s),
            before_sleep=say,
            reraise=True,
        )
        try:
            await attempts(self._ping)
        except (*_AWAY, ResponseError) as error:
            raise Unreachable(
                f"Redis at {self.address} did not answer within {wait_s} s: {error}. "
                "Is it running, and is TAPEWATCH_REDIS__URL right?"
            ) from None

    async def _ping(self) -> None:
        try:
            await self._execute("PING")
        except AuthenticationError as error:
            raise WrongUse(
                f"TAPEWATCH_REDIS__URL: Redis at {self.address} refuses user or password: {reason(error)}"
            ) from None
        except ResponseError as error:
            if is_away(error):
                raise
            raise WrongUse(f"TAPEWATCH_REDIS__URL: Redis at {self.address} refuses us: {error}") from None

    async def run(self, script: Script, argument: Any) -> Any:
        """Run a script and return its answer. Raises StoreFailed, and then it may have run or not."""
        blob = pack(argument)
        with self._told():
            try:
                answer = await self._execute("EVALSHA", script.sha1, 0, blob)
            except NoScriptError:  # nothing ran
                await self._execute("SCRIPT LOAD", script.text)
                answer = await self._execute("EVALSHA", script.sha1, 0, blob)
        self.answered += 1
        return answer

    async def close(self) -> None:
        """Disconnect."""
        await self._close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OutOfMemoryError as error:
            raise StoreFailed(
                f"Redis at {self.address} is at its memory limit: {error}. "
                "Raise maxmemory, or lower TAPEWATCH_REDIS__STREAM_CAP"
            ) from error
        except (RedisError, OSError) as error:
            raise StoreFailed(f"Redis at {self.address} failed: {type(error).__name__}: {error}") from error


def is_away(error: BaseException) -> bool:
    """Whether Redis is away, or is not itself for a while, and is to be asked again."""
    return isinstance(error, _AWAY) or (isinstance(error, ResponseError) and str(error).startswith(_PASSES))


def reason(error: Exception) -> str:
    """What Redis said. Of one that asks who is there in plain words: its own are about the protocol."""
    return "it asks for a user and a password" if str(error).startswith("HELLO must be called") else str(error)
