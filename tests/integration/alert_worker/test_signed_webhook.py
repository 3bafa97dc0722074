"""A webhook of one's own: the receiver verifies who sent it; what goes wrong is told apart."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from services.alert_worker import notifiers
from services.alert_worker.messages.message import Message
from services.alert_worker.notifiers.base import Errand, Later, Refused, Unanswered
from services.alert_worker.notifiers.signed_webhook import SIGNATURE_HEADER
from services.cli.alert_samples import send
from shared.settings import load_settings

SECRET = "a secret that both know"
ERRAND = Errand(Message("DANGER · KRW-BTC", [], {"type": "alert", "alert": {"symbol": "KRW-BTC"}}), "e1-open")


@dataclass
class Receiver:
    """Somebody else's server."""

    url: str = ""
    answer: Callable[[], web.Response] = lambda: web.Response(status=204)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    hangs_up: bool = False

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        parts = dict(part.split("=", 1) for part in request.headers[SIGNATURE_HEADER].split(","))
        expected = hmac.new(SECRET.encode(), parts["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
        assert hmac.compare_digest(parts["v1"], expected)
        self.bodies.append(json.loads(body))
        if self.hangs_up:
            assert request.transport is not None
            request.transport.close()
        return self.answer()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    one = Receiver()
    application = web.Application()
    application.add_routes([web.post("/hook/secret-path", one.take)])
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    one.url = f"http://{host}:{port}/hook/secret-path"
    yield one
    await runner.cleanup()


async def test_a_sample_for_those_who_look_after_tapewatch_has_no_way_and_that_is_said(receiver) -> None:
    lines, ok = await send(load_settings({"TAPEWATCH_WEBHOOK__URL": receiver.url, "TAPEWATCH_WEBHOOK__SECRET": SECRET}))
    assert ok
    assert [line.partition(":")[0] for line in lines] == [
        "market sample", "ops sample", "nobody hears when tapewatch itself is down"
    ]  # fmt: skip
    assert "was not sent" in lines[1]
    assert lines[2].endswith("set TAPEWATCH_WATCHDOG__WEBHOOK_URL")


@pytest.fixture
def webhook(receiver):
    return notifiers.choose(
        load_settings({"TAPEWATCH_WEBHOOK__URL": receiver.url, "TAPEWATCH_WEBHOOK__SECRET": SECRET})
    )


async def test_the_receiver_can_verify_it_and_reads_the_alert(webhook, receiver) -> None:
    await webhook.post(ERRAND)
    assert receiver.bodies == [
        {"mark": "e1-open", "text": "DANGER · KRW-BTC", "may_repeat": False, "type": "alert",
         "alert": {"symbol": "KRW-BTC"}},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("retry_after", "seconds"), [("7", 7.0), ("soon", 30.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0)]
)
async def test_it_waits_as_long_as_it_is_asked(webhook, receiver, retry_after, seconds) -> None:
    receiver.answer = lambda: web.Response(status=429, headers={"Retry-After": retry_after})
    with pytest.raises(Later) as later:
        await webhook.post(ERRAND)
    assert later.value.seconds == seconds


@pytest.mark.parametrize(("status", "fault"), [(500, Unanswered), (503, Unanswered), (401, Refused), (302, Refused)])
async def test_faults_are_told_apart(webhook, receiver, status, fault) -> None:
    receiver.answer = lambda: web.Response(status=status, headers={"Location": "http://127.0.0.1:9/"})
    with pytest.raises(fault):
        await webhook.post(ERRAND)


async def test_a_lost_answer_may_repeat_and_shows_no_address(webhook, receiver) -> None:
    receiver.hangs_up = True
    with pytest.raises(Unanswered) as error:
        await webhook.post(ERRAND)
    assert "secret-path" not in str(error.value)
    assert len(receiver.bodies) == 1


def test_a_webhook_without_a_secret_is_a_wrong_setting() -> None:
    from shared.errors import WrongUse

    with pytest.raises(WrongUse, match="TAPEWATCH_WEBHOOK__SECRET"):
        notifiers.choose(load_settings({"TAPEWATCH_WEBHOOK__URL": "https://example.org/"}))
