"""What a database is called in lines for people."""

import pytest
from pydantic import SecretStr

from services.consumer.database_name import database_name
from shared.errors import WrongUse
from shared.redaction import without_secrets
from shared.settings import PostgresSettings


def name(dsn):
    return database_name(PostgresSettings(dsn=SecretStr(dsn)))


@pytest.mark.parametrize(
    ("dsn", "expected"),
    [
        ("postgresql://user:secret@db.example:6543/tape?sslmode=require", "PostgreSQL db.example:6543/tape"),
        ("postgres://user@127.0.0.1/tape", "PostgreSQL 127.0.0.1:5432/tape"),
        ("postgresql:///tape", "PostgreSQL localhost:5432/tape"),
    ],
)
def test_it_is_named_without_user_and_secret(dsn, expected):
    assert name(dsn) == expected


@pytest.mark.parametrize("dsn", ["host=db password=secret", "", "mysql://x/secret", "postgresql://u:secret@h:port/x"])
def test_what_is_no_address_is_told_without_showing_it(dsn):
    with pytest.raises(WrongUse, match="TAPEWATCH_POSTGRES__DSN is not an address") as told:
        name(dsn)
    assert "secret" not in str(told.value)
    assert without_secrets(str(told.value)) == str(told.value), "what to write can be read"
