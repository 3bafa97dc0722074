"""Slack through slack-sdk: a bot token (one message an episode, edited, with a thread) or an incoming webhook."""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from services.alert_worker.notifiers.base import Later, Refused, Unanswered
from services.alert_worker.notifiers.slack_message import Message, render
from services.alert_worker.notifiers.wording import Wording
from services.alert_worker.outbox import Action, Place
from shared.clock import NowMicros

CALL_LIMIT_S = 10
DEFAULT_WAIT_S = 30.0
_UNWELL = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"})
_MANY = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
T = TypeVar("T")


class SlackBot:
    """One message an episode: posted once, edited by every later state; escalations also answer in its thread.

    A repeated edit changes nothing, so it goes first: a lost answer repeats at most the thread's line.
    """

    name = "slack-bot"

    def __init__(self, client: AsyncWebClient, channel: str, wording: Wording, now_us: NowMicros) -> None:
        self._client, self._channel, self._wording, self._now_us = client, channel, wording, now_us

    async def tell(self, action: Action, *, may_repeat: bool) -> Place:
        """See `Notifier`."""
        parent, alert = action.parent, action.newest
        if parent is None or parent.channel is None or parent.ts is None:
            posted = await self._post(self._channel, self._render(action, may_repeat))
            return Place(str(posted["channel"]), str(posted["ts"]))
        await self._update(parent, self._render(action, may_repeat=False))
        if alert.state == "escalate":
            await self._post(parent.channel, self._render(action, may_repeat), thread_ts=parent.ts)
        return parent

    async def close(self) -> None:
        """Nothing stays open between calls."""

    def _render(self, action: Action, may_repeat: bool) -> Message:
        return render(action.newest, self._wording, self._now_us(), may_repeat=may_repeat)

    async def _post(self, channel: str, message: Message, thread_ts: str | None = None) -> Mapping[str, Any]:
        call = self._client.chat_postMessage(
            channel=channel, text=message.text, blocks=message.blocks, thread_ts=thread_ts,
            unfurl_links=False, unfurl_media=False,
        )  # fmt: skip
        return await _api(call)

    async def _update(self, place: Place, message: Message) -> None:
        call = self._client.chat_update(
            channel=place.channel or "", ts=place.ts or "", text=message.text, blocks=message.blocks
        )
        await _api(call)


class SlackWebhook:
    """An incoming webhook gives no id back, so each state is a message of its own, tied by the episode's id."""

    name = "slack-webhook"

    def __init__(self, client: AsyncWebhookClient, wording: Wording, now_us: NowMicros) -> None:
        self._client, self._wording, self._now_us = client, wording, now_us

    async def tell(self, action: Action, *, may_repeat: bool) -> Place:
        """See `Notifier`."""
        message = render(action.newest, self._wording, self._now_us(), may_repeat=may_repeat)
        tied = {"type": "context", "elements": [{"type": "mrkdwn", "text": f"`{action.newest.episode_id}`"}]}
        answer = await _answered(
            self._client.send(text=message.text, blocks=[*message.blocks, tied], unfurl_links=False, unfurl_media=False)
        )
        _check(answer.status_code, {k.lower(): v for k, v in answer.headers.items()}, answer.body)
        return Place()

    async def close(self) -> None:
        """Nothing stays open between calls."""


async def _api(call: Awaitable[Any]) -> Mapping[str, Any]:
    try:
        answer = await _answered(call)
    except SlackApiError as error:
        response = error.response
        if not hasattr(response, "status_code"):
            raise Unanswered(str(error)[:300]) from None
        data = response.data if isinstance(response.data, dict) else {}
        fault = str(data.get("error", "no JSON"))
        headers = {name.lower(): value for name, value in response.headers.items()}
        if response.status_code < 300 and fault in _MANY:
            raise Later(_retry_after(headers)) from None
        if response.status_code < 300 and fault in _UNWELL:
            raise Unanswered(fault) from None
        _check(response.status_code, headers, fault)
        raise Refused(_explained(fault)) from None
    data = answer.data
    if not isinstance(data, dict):
        raise Unanswered("Slack answered with something else than JSON")
    return data


async def _answered(call: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(CALL_LIMIT_S):
            return await call
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Unanswered(f"{type(error).__name__}: {error}"[:300]) from None


def _check(status: int, headers: Mapping[str, Any], fault: str) -> None:
    if status == 429:
        raise Later(_retry_after(headers))
    if status >= 500:
        raise Unanswered(f"status {status}")
    if status >= 300:
        raise Refused(f"status {status}: {_explained(fault)}"[:300])


def _retry_after(headers: Mapping[str, Any]) -> float:
    value = headers.get("retry-after")
    text = str(value[0] if isinstance(value, (list, tuple)) and value else value)
    return float(text) if text.isascii() and text.isdigit() else DEFAULT_WAIT_S


_REMEDIES = {
    "invalid_auth": "set TAPEWATCH_SLACK__BOT_TOKEN to a valid bot token",
    "not_authed": "set TAPEWATCH_SLACK__BOT_TOKEN to a valid bot token",
    "token_revoked": "set TAPEWATCH_SLACK__BOT_TOKEN to a valid bot token",
    "channel_not_found": "set TAPEWATCH_SLACK__CHANNEL to a channel that exists and invite the bot to it",
    "not_in_channel": "invite the bot to the channel of TAPEWATCH_SLACK__CHANNEL",
    "is_archived": "the channel of TAPEWATCH_SLACK__CHANNEL is archived",
    "missing_scope": "give the bot the scope chat:write",
    "no_service": "TAPEWATCH_SLACK__WEBHOOK_URL names a webhook that is no more",
}


def _explained(fault: str) -> str:
    fault = fault.strip()[:200]
    return f"{fault} ({_REMEDIES[fault]})" if fault in _REMEDIES else fault
