"""Stores that are away, in one line each."""

import pytest

from services.cli.stores import told
from shared.errors import Unreachable


def test_a_postgres_that_only_keeps_silent_is_told_in_words() -> None:
    with (
        pytest.raises(Unreachable, match=r"^PostgreSQL: no answer in time; is TAPEWATCH_POSTGRES__DSN right\?$"),
        told(),
    ):
        raise TimeoutError
