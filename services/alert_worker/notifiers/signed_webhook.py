"""A webhook of one's own: every message as JSON, signed, so that the receiver knows who sent it and when.

``X-Tapewatch-Signature: t=<unix seconds>,v1=<hex>``, where hex is the HMAC-SHA256 with the secret over the bytes
``<unix seconds>.<body>``. The receiver computes it again, compares in constant time, and refuses old times.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Callable
from email.utils import parsedate_to_datetime

import aiohttp
import msgspec

from services.alert_worker.actions import Place
from services.alert_worker.notifiers.base import Errand, Later, PostsOnly, Refused, Unanswered
from services.alert_worker.notifiers.pace import Pace
from shared.clock import NowMicros, now_us
from shared.errors import WrongUse
from shared.settings import Settings

SIGNATURE_HEADER = "X-Tapewatch-Signature"
CALL_LIMIT_S = 10
DEFAULT_WAIT_S = 30.0


def make(settings: Settings, now: NowMicros = now_us) -> "SignedWebhook":
    """From the section ``[webhook]``."""
    url, secret = settings.webhook.url, settings.webhook.secret
    if url is None or secret is None:
        raise WrongUse("TAPEWATCH_WEBHOOK__URL and TAPEWATCH_WEBHOOK__SECRET are both needed")
    return SignedWebhook(url.get_secret_value(), secret.get_secret_value(), now)


class SignedWebhook(PostsOnly):
    """Posts ``{"mark", "text", "may_repeat", …}`` with what the message holds for programs; any 2xx is a receipt."""

    name = "webhook"

    def __init__(self, url: str, secret: str, now: Callable[[], int]) -> None:
        self._url, self._secret, self._now = url, secret.encode(), now
        self.pace = Pace(rate=10.0, burst=20.0)

    async def post(self, errand: Errand) -> Place:
        """See `Notifier`."""
        message = errand.unseen
        body = msgspec.json.encode(
            {"mark": errand.mark, "text": message.text, "may_repeat": errand.doubtful is not None, **message.data}
        )
        headers = {
            "Content-Type": "application/json",
            SIGNATURE_HEADER: signature(self._secret, body, self._now() // 1_000_000),
        }
        try:
            async with (
                asyncio.timeout(CALL_LIMIT_S),
                aiohttp.ClientSession() as session,
                session.post(self._url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                _check(answer.status, answer.headers.get("Retry-After"), self._now() / 1e6)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # Not its text: that holds the address, which may be a secret.
            raise Unanswered(f"the webhook: {type(error).__name__}") from None
        return Place()


def signature(secret: bytes, body: bytes, unix_s: int) -> str:
    """The value of the header."""
    signed = hmac.new(secret, f"{unix_s}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={unix_s},v1={signed}"


def _check(status: int, retry_after: str | None, now_s: float) -> None:
    if status == 429 or (status == 503 and retry_after):
        raise Later(_seconds(retry_after, now_s))
    if status >= 500:
        raise Unanswered(f"status {status}")
    if status >= 300:
        raise Refused(f"the webhook of TAPEWATCH_WEBHOOK__URL answers with status {status}")


def _seconds(retry_after: str | None, now_s: float) -> float:
    """Seconds, or a date (RFC 9110, section 10.2.3)."""
    if retry_after and retry_after.isascii() and retry_after.isdigit():
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after or "").timestamp() - now_s)
    except ValueError:
        return DEFAULT_WAIT_S
