"""What to call the database in a line for people."""

from urllib.parse import urlsplit

from shared.errors import WrongUse
from shared.settings import PostgresSettings

DSN_KEY = "TAPEWATCH_POSTGRES__DSN"


def database_name(settings: PostgresSettings) -> str:
    """Host, port and name, nothing secret: ``PostgreSQL 127.0.0.1:5432/tapewatch``. Raises WrongUse if malformed."""
    try:
        parts = urlsplit(settings.dsn.get_secret_value())
        place = f"{parts.hostname or 'localhost'}:{parts.port or 5432}"
    except ValueError:
        parts = urlsplit("")
        place = ""
    if parts.scheme not in {"postgresql", "postgres"}:
        raise WrongUse(
            f"{DSN_KEY} is not an address: write postgresql://host:5432/database, with user:password@ before the host"
        )
    return f"PostgreSQL {place}/{parts.path.removeprefix('/')}"
