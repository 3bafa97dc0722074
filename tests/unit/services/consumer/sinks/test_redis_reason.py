"""What people are told of a Redis that refuses."""

from redis.exceptions import AuthenticationError, RedisError

from services.consumer.sinks.redis_connection import reason


def test_a_redis_that_asks_who_is_there_is_told_in_plain_words() -> None:
    hello = "HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option"
    assert reason(AuthenticationError(hello)) == "it asks for a user and a password"


def test_what_else_it_says_is_told_as_it_says_it() -> None:
    assert reason(RedisError("WRONGPASS invalid username-password pair")) == "WRONGPASS invalid username-password pair"
