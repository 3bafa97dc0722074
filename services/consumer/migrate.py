"""`tapewatch db migrate`: wait for PostgreSQL, run the missing steps, say which. Safe before every start."""

import json
import sys
from pathlib import Path

import psycopg
import structlog
from alembic import command
from alembic.config import Config
from psycopg.conninfo import make_conninfo
from psycopg.pq import Ping
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay, wait_exponential_jitter

from services.consumer.database_name import DSN_KEY, database_name
from shared import connections, logs
from shared.errors import TapewatchError, Unreachable, WrongUse
from shared.redaction import without_secrets
from shared.settings import PostgresSettings, load_settings

log = structlog.get_logger(__name__)
_CONNECT_TIMEOUT_S = 5
_LOCK_TIMEOUT_S = 60


class _Away(Exception):
    """PostgreSQL does not answer, or not yet; its text is the client's reason, in one line."""


def run(*, as_json: bool = False) -> int:
    """Migrate the database of the settings; print what was done; return the exit code."""
    try:
        settings = load_settings()
        logs.configure(settings.log, "db-migrate")
        applied = migrate(settings.postgres, settings.start.wait_s)
    except TapewatchError as error:
        print(f"tapewatch db migrate: {without_secrets(str(error))}", file=sys.stderr)
        return error.exit_code
    if as_json:
        print(json.dumps({"database": database_name(settings.postgres), "applied": applied}))
    else:
        print(f"{database_name(settings.postgres)}: " + (f"ran {', '.join(applied)}" if applied else "nothing to do"))
    return 0


def migrate(settings: PostgresSettings, wait_s: int, up_to: str = "head") -> list[str]:
    """Run the steps that the database lacks, up to a revision, and return their names, oldest first.

    Raises Unreachable when PostgreSQL is away for `wait_s` seconds or another session holds what the steps need, and
    WrongUse when it refuses the user.
    """
    connection = connect_when_there(settings, wait_s)
    engine = create_engine("postgresql+psycopg://", creator=lambda: connection, poolclass=NullPool)
    try:
        with engine.connect() as bound:
            return _upgrade(bound, up_to)
    except DBAPIError as error:
        raise _told(error, settings) from error
    finally:
        connection.close()


def _upgrade(connection: Connection, up_to: str) -> list[str]:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    applied: list[str] = []
    config.attributes |= {"connection": connection, "applied": applied, "to_newest": up_to == "head"}
    command.upgrade(config, up_to)
    return applied


def connect_when_there(settings: PostgresSettings, wait_s: int) -> psycopg.Connection[tuple[object, ...]]:
    """Connect, waiting for `wait_s` seconds at most. Raises Unreachable, and WrongUse when the user is refused."""
    name = database_name(settings)

    def say(state: RetryCallState) -> None:
        cause = str(state.outcome.exception()) if state.outcome else None
        waited_s = round(state.seconds_since_start or 0)
        log.warning("waiting for PostgreSQL", database=name, cause=cause, waited_s=waited_s)

    attempts = Retrying(
        retry=retry_if_exception_type(_Away),
        wait=wait_exponential_jitter(multiplier=0.1, max=3, jitter=0.2),
        stop=stop_after_delay(wait_s),
        before_sleep=say,
        reraise=True,
    )
    try:
        return attempts(_connect, settings)
    except _Away as away:
        told = f"{name} did not answer within {wait_s} s: {away}. Is it running, and is {DSN_KEY} right?"
        raise Unreachable(told) from None


def _connect(settings: PostgresSettings) -> psycopg.Connection[tuple[object, ...]]:
    conninfo = make_conninfo(
        settings.dsn.get_secret_value(),
        connect_timeout=_CONNECT_TIMEOUT_S,
        **connections.LIBPQ,
        application_name="tapewatch-db-migrate",
        options=f"-c timezone=UTC -c search_path=public -c lock_timeout={_LOCK_TIMEOUT_S}s",
    )
    try:
        return psycopg.connect(conninfo)
    except psycopg.OperationalError as error:
        _raise_if_away(conninfo, error)
    try:  # It may have begun to answer between the two questions; whom it refuses now, it refuses for good.
        return psycopg.connect(conninfo)
    except psycopg.OperationalError as error:
        _raise_if_away(conninfo, error)
        reason = str(error).strip().splitlines()[-1]
        raise WrongUse(f"{database_name(settings)} refuses the connection ({reason}): check {DSN_KEY}") from None


def _raise_if_away(conninfo: str, error: psycopg.OperationalError) -> None:
    # The server's text may be in any language; a ping tells "away" from "refuses this user" in all of them.
    if psycopg.pq.PGconn.ping(conninfo.encode()) in {Ping.NO_RESPONSE, Ping.REJECT}:
        raise _Away(str(error).strip().splitlines()[0]) from error


def _told(error: DBAPIError, settings: PostgresSettings) -> Exception:
    name = database_name(settings)
    if isinstance(error.orig, psycopg.errors.LockNotAvailable):
        return Unreachable(f"{name}: another session held what the migration needs for {_LOCK_TIMEOUT_S} s: try again")
    if isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
        reason = str(error.orig).strip().splitlines()[0]
        return WrongUse(f"{name}: {reason}: migrate as the database's owner or a member of tapewatch_owner ({DSN_KEY})")
    return error
