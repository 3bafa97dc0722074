"""What the ways to people make of an answer, whoever gives it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from services.watchdog.message import Message
from services.watchdog.ways import NotTold, Refused, SlackBot, ThreadGone, Webhook

DOWN = Message("consumer-redis", "DOWN", [{"type": "divider"}], opens=True, closes=False)


@asynccontextmanager
async def server_of(status: int, content_type: str, body: bytes) -> AsyncIterator[str]:
    """The address of a server that answers every call with this."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers={"Content-Type": content_type})

    application = web.Application()
    application.add_routes([web.post("/{path:.*}", answer)])
    async with TestServer(application) as server:
        yield str(server.make_url("/api/"))


@asynccontextmanager
async def bot_of(status: int, content_type: str, body: bytes) -> AsyncIterator[SlackBot]:
    async with server_of(status, content_type, body) as url:
        yield SlackBot("xoxb-simulated", "#ops", url)


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


def refusal(word: str) -> bytes:
    return f'{{"ok": false, "error": "{word}"}}'.encode()


@pytest.mark.parametrize("word", ["invalid_auth", "channel_not_found", "is_archived", "what nobody knows yet"])
async def test_what_would_meet_every_message_is_asked_again_and_named_in_slacks_words(word: str) -> None:
    async with bot_of(200, "application/json", refusal(word)) as bot:
        with pytest.raises(NotTold, match=f"^{word}$"):
            await bot.tell(DOWN, None)


@pytest.mark.parametrize("word", ["thread_not_found", "cannot_reply_to_message", "restricted_action_thread_locked"])
async def test_a_thread_that_takes_no_answers_is_gone_and_where_there_is_none_it_is_asked_again(word: str) -> None:
    async with bot_of(200, "application/json", refusal(word)) as bot:
        with pytest.raises(ThreadGone, match=word):
            await bot.tell(DOWN, "1.0")
        with pytest.raises(NotTold, match=word):
            await bot.tell(DOWN, None)


async def test_a_message_that_slack_refuses_is_told_apart_from_a_channel_that_takes_none() -> None:
    async with bot_of(200, "application/json", refusal("invalid_blocks")) as bot:
        with pytest.raises(Refused, match="invalid_blocks"):
            await bot.tell(DOWN, None)


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [(400, "invalid_blocks\n", Refused), (413, "", Refused), (400, "who are you?", NotTold), (404, "", NotTold)],
)
async def test_a_webhook_refuses_a_message_in_slacks_words_or_by_its_size(
    status: int, body: str, why: type[Exception]
) -> None:
    async with server_of(status, "text/plain", body.encode()) as url:
        with pytest.raises(why, match=f"status {status}"):
            await Webhook("slack-webhook", url).tell(DOWN, None)
