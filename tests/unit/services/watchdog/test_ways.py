"""What the ways to people make of an answer, whoever gives it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from services.watchdog.message import Message
from services.watchdog.ways import NotTold, SlackBot

DOWN = Message("consumer-redis", "DOWN", [{"type": "divider"}], opens=True, closes=False)


@asynccontextmanager
async def bot_of(status: int, content_type: str, body: bytes) -> AsyncIterator[SlackBot]:
    """A bot whose every call is answered with this."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers={"Content-Type": content_type})

    application = web.Application()
    application.add_routes([web.post("/api/chat.postMessage", answer)])
    async with TestServer(application) as server:
        yield SlackBot("xoxb-simulated", "#ops", str(server.make_url("/api/")))


NOT_SLACK = [
    ("text/plain", b"sign in to this network"),
    ("text/plain", b"\xff\xff"),
    ("text/html", b"<html>"),
    ("application/gzip", b"\x1f\x8b"),
    ("application/json", b"{no JSON"),
    ("application/json", b"\xff\xff"),
    ("application/json", b"[1]"),
    ("application/json", b"null"),
    ("application/json", b'{"ok": true}'),
    ("application/json", b"[" * 5_000),
]


@pytest.mark.parametrize(("content_type", "body"), NOT_SLACK)
async def test_who_answers_and_is_not_slack_is_named_and_asked_again(content_type: str, body: bytes) -> None:
    async with bot_of(200, content_type, body) as bot:
        with pytest.raises(NotTold, match=r"what answers at http://127.0.0.1:\d+/api/ is not Slack"):
            await bot.tell(DOWN, None)


@pytest.mark.parametrize(("content_type", "body"), NOT_SLACK)
async def test_an_error_without_slacks_json_is_asked_again(content_type: str, body: bytes) -> None:
    async with bot_of(503, content_type, body) as bot:
        with pytest.raises(NotTold, match=r"status 503|is not Slack"):
            await bot.tell(DOWN, None)


async def test_what_slack_refuses_is_in_its_words() -> None:
    async with bot_of(200, "application/json", b'{"ok": false, "error": "invalid_auth"}') as bot:
        with pytest.raises(NotTold, match=r"^invalid_auth$"):
            await bot.tell(DOWN, None)
