"""What people are told of a Redis that refuses."""

import pytest
from redis.exceptions import AuthenticationError, RedisError, ResponseError

from services.consumer.sinks.redis_connection import is_away, reason


def test_a_redis_that_asks_who_is_there_is_told_in_plain_words() -> None:
    hello = "HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option"
    assert reason(AuthenticationError(hello)) == "it asks for a user and a password"


def test_what_else_it_says_is_told_as_it_says_it() -> None:
    assert reason(RedisError("WRONGPASS invalid username-password pair")) == "WRONGPASS invalid username-password pair"


@pytest.mark.parametrize(
    ("said", "comes_back"),
    [
        ("BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.", True),
        ("MISCONF Errors writing to the AOF file: No space left on device", True),
        ("BUSYKEY Target key name already exists.", False),
        ("DB index is out of range", False),
    ],
)
def test_what_passes_is_waited_for_and_what_a_person_must_mend_is_not(said: str, comes_back: bool) -> None:
    assert is_away(ResponseError(said)) is comes_back
