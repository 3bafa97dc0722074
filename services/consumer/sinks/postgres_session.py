"""Sessions with PostgreSQL: waits while it is away, says in one line why it is refused, bounded in all they do."""

import ssl

import asyncpg
import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_delay, wait_exponential_jitter

from services.consumer.database_name import DSN_KEY, database_name
from shared import connections
from shared.errors import TapewatchError, Unreachable, WrongUse
from shared.settings import PostgresSettings

log = structlog.get_logger(__name__)
Session = asyncpg.Connection

_CONNECT_TIMEOUT_S = 5.0
_SETTINGS = {
    "timezone": "UTC",
    "search_path": "public",
    "synchronous_commit": "on",
    "jit": "off",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "30s",
    "idle_session_timeout": "0",
    **connections.POSTGRES,
}
_REFUSALS = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
)
_AWAY = (
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.PostgresConnectionError,
)
SCHEMA_FAULTS = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.UndefinedFunctionError)


async def connect(settings: PostgresSettings, wait_s: float, application: str, statement_timeout_s: int) -> Session:
    """A session in UTC with bounded waits. Raises Unreachable after `wait_s` seconds, WrongUse when it is refused."""
    name = database_name(settings)

    def say(state: RetryCallState) -> None:
        cause = state.outcome.exception() if state.outcome else None
        log.warning(
            "waiting for PostgreSQL",
            database=name,
            cause=str(cause) or type(cause).__name__,
            waited_s=round(state.seconds_since_start or 0),
        )

    attempts = AsyncRetrying(
        retry=retry_if_exception(_is_away),
        wait=wait_exponential_jitter(multiplier=0.1, max=1, jitter=0.2),
        stop=stop_after_delay(wait_s),
        before_sleep=say,
        reraise=True,
    )
    try:
        return await attempts(_connect, settings, application, statement_timeout_s)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise _told(error, name, wait_s) from None


async def _connect(settings: PostgresSettings, application: str, statement_timeout_s: int) -> Session:
    return await asyncpg.connect(
        settings.dsn.get_secret_value(),
        timeout=_CONNECT_TIMEOUT_S,
        command_timeout=statement_timeout_s + 5.0,
        server_settings=_SETTINGS
        | {"application_name": f"tapewatch-{application}", "statement_timeout": f"{statement_timeout_s}s"},
    )


def _is_away(error: BaseException) -> bool:
    if isinstance(error, (PermissionError, ssl.SSLError)):
        return False
    return isinstance(error, (OSError, *_AWAY))


def _told(error: Exception, name: str, wait_s: float) -> Exception:
    if _is_away(error):
        return Unreachable(f"{name} did not answer within {wait_s:g} s: is it running, and is {DSN_KEY} right?")
    if isinstance(error, (*_REFUSALS, OSError, asyncpg.InterfaceError)):
        return WrongUse(f"{name} refuses the connection ({error}): check {DSN_KEY}")
    return error


def schema_fault(error: asyncpg.PostgresError, settings: PostgresSettings) -> TapewatchError:
    """The line for a database whose tables are not the ones that this program knows, or are not for its user."""
    remedy = (
        "grant tapewatch_writer to its user"
        if isinstance(error, asyncpg.InsufficientPrivilegeError)
        else "run `tapewatch db migrate`"
    )
    return WrongUse(f"{database_name(settings)}: {error}: {remedy}")
