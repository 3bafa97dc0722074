"""What is asked of those outside, and whatever may answer in their place."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial

import pytest

from services.cli.doctor.asking import _within
from services.cli.doctor.checks import Away, judge
from services.cli.doctor.facts import ExchangeFacts, SlackFacts
from services.cli.doctor.outside import exchange_facts, slack_facts
from shared.redaction import without_secrets
from shared.settings import load_with_origins

Answering = Callable[[bytes], Awaitable[str]]


@pytest.fixture
async def answering() -> AsyncIterator[Answering]:
    """The address of one that answers every request with the given bytes and hangs up."""
    async with AsyncExitStack() as at_end:

        async def start(answer: bytes) -> str:
            async def serve(asked: asyncio.StreamReader, told: asyncio.StreamWriter) -> None:
                await asked.readuntil(b"\r\n\r\n")
                told.write(answer)
                await told.drain()
                told.close()

            server = await at_end.enter_async_context(await asyncio.start_server(serve, "127.0.0.1", 0))
            return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

        yield start


def http(status: int, content_type: str, body: bytes, *more: str) -> bytes:
    head = [f"HTTP/1.1 {status} Said", f"Content-Type: {content_type}", f"Content-Length: {len(body)}", *more]
    return "\r\n".join([*head, "Connection: close", "", ""]).encode() + body


async def of_exchange(url: str) -> object:
    return await _within(partial(exchange_facts, "upbit", url))


async def of_slack(url: str) -> object:
    environ = {"TAPEWATCH_SLACK__API_URL": f"{url}/api/", "TAPEWATCH_SLACK__BOT_TOKEN": "xoxb-canary"}
    return await _within(partial(slack_facts, load_with_origins(environ).settings))


@pytest.mark.parametrize(
    "answer",
    [
        http(503, "text/plain", b"no upstream"),
        http(200, "text/plain", b"welcome"),
        http(200, "text/plain", b"\xff\xfe"),
        http(502, "text/html", b"<html>"),
        http(200, "application/json", b"{not json"),
        http(200, "application/json", b"[1]"),
        http(200, "application/json", b"null"),
        http(200, "application/gzip", b"\x1f\x8b"),
    ],
)
async def test_what_is_not_slack_is_told_as_that(answering: Answering, answer: bytes) -> None:
    found = await of_slack(await answering(answer))
    assert isinstance(found, Away)
    assert "is not Slack, or Slack is down" in found.reason


async def test_slack_says_who_the_bot_is_or_why_it_refuses_it(answering: Answering) -> None:
    found = await of_slack(await answering(http(200, "application/json", b'{"ok": false, "error": "invalid_auth"}')))
    assert isinstance(found, SlackFacts)
    assert found.refused == "invalid_auth"
    knows = http(200, "application/json", b'{"ok": true, "user": "tapewatch", "team": "Us"}')
    found = await of_slack(await answering(knows))
    assert isinstance(found, SlackFacts)
    assert found.who == "tapewatch in workspace Us"


async def test_an_exchange_that_speaks_no_http_is_away(answering: Answering) -> None:
    url = await answering(b"220 mail.example ready\r\n\r\n")
    told = f"{url} does not answer as an exchange does: BadStatusLine"
    assert await of_exchange(url) == Away(told, "tapewatch settings")


async def test_what_is_taken_for_a_port_is_not_repeated() -> None:
    found = await of_exchange("http://somebody:very-secret@127.0.0.1")
    [finding] = judge("upbit", found)
    assert "does not answer as an exchange does: InvalidURL" in finding.told
    assert "very-secret" not in without_secrets(finding.told)


@pytest.mark.parametrize("date", ["the day after", "Tue, 99 Foo 2026 00:00:00 GMT", ""])
async def test_a_date_that_nobody_can_read_is_told_of_its_exchange(answering: Answering, date: str) -> None:
    url = await answering(http(200, "text/plain", b"", f"Date: {date}"))
    assert await of_exchange(url) == ExchangeFacts("upbit", None, 0.0)


async def test_what_nobody_foresaw_of_one_source_is_a_finding() -> None:
    async def is_odd() -> None:
        raise LookupError("nobody thought of this")

    [finding] = judge("redis", await _within(is_odd))
    assert finding.verdict == "away"
    assert "LookupError('nobody thought of this')" in finding.told
