"""What answers in Slack's place, as a proxy does, costs no message and no worker."""

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from slack_sdk.web.async_client import AsyncWebClient

from services.alert_worker.messages.message import Message
from services.alert_worker.notifiers.base import Errand, Unanswered
from services.alert_worker.notifiers.slack import SlackBot


@pytest.mark.parametrize("status", [200, 502])
@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/plain", b"sign in to this network"),
        ("text/html", b"<html>"),
        ("application/gzip", b"\x1f\x8b"),
        ("application/json", b"{no JSON"),
        ("application/json", b"\xff\xff"),
        ("application/json", b"[1]"),
        ("application/json", b"null"),
        ("application/json", b"{}"),
        ("application/json", b"[" * 5_000),
    ],
)
async def test_what_answers_and_is_not_slack_is_asked_again(status: int, content_type: str, body: bytes) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers={"Content-Type": content_type})

    application = web.Application()
    application.add_routes([web.post("/{path:.*}", answer)])
    async with TestServer(application) as server:
        client = AsyncWebClient(token="xoxb-simulated", base_url=str(server.make_url("/api/")), retry_handlers=[])
        with pytest.raises(Unanswered):
            await SlackBot(client, "#tapewatch").post(Errand(Message("down", []), "mark"))
