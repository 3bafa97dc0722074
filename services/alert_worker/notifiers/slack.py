"""Slack through slack-sdk: a bot token (one message an episode, edited, with a thread) or an incoming webhook."""

import asyncio
from collections.abc import Awaitable, Mapping
from time import monotonic
from typing import Any, TypeVar

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from services.alert_worker.notifiers.base import Later, Refused, Unanswered
from services.alert_worker.notifiers.pace import Pace
from services.alert_worker.notifiers.slack_message import Message, render
from services.alert_worker.notifiers.wording import Wording
from services.alert_worker.outbox import Action, Place
from shared.clock import NowMicros
from shared.events import Alert

CALL_LIMIT_S = 10
DEFAULT_WAIT_S = 30.0
_LOOK_BACK = 200
_UNWELL = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"})
_MANY = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
T = TypeVar("T")


class SlackBot:
    """One message an episode: posted once, edited by every later state; escalations also answer in its thread.

    An edit may be repeated, it changes nothing. A try without receipt is looked up in the channel before it is posted
    again; where the bot may not read there (scopes channels:read, channels:history), the message says "may repeat".
    """

    name = "slack-bot"

    def __init__(self, client: AsyncWebClient, channel: str, wording: Wording, now_us: NowMicros) -> None:
        self._client, self._channel, self._wording, self._now_us = client, channel, wording, now_us
        self._pace = Pace()

    async def tell(self, action: Action, *, may_repeat: bool) -> Place:
        """See `Notifier`."""
        alert, parent = action.newest, _message_at(action.parent)
        if parent is None and may_repeat:
            parent = await self._find(alert.episode_id)
        if parent is None:
            posted = await self._post(self._channel, self._render(alert, may_repeat=may_repeat))
            return Place(str(posted["channel"]), str(posted["ts"]))
        await self._update(parent, self._render(alert))
        if alert.state == "escalate" and not (may_repeat and await self._has_answer(parent, alert.alert_id)):
            await self._post(str(parent.channel), self._render(alert, may_repeat=may_repeat), thread_ts=parent.ts)
        return parent

    async def close(self) -> None:
        """Nothing stays open between calls."""

    def _render(self, alert: Alert, *, may_repeat: bool = False) -> Message:
        return render(alert, self._wording, self._now_us(), may_repeat=may_repeat)

    async def _post(self, channel: str, message: Message, thread_ts: str | None = None) -> Mapping[str, Any]:
        await self._take_turn()
        call = self._client.chat_postMessage(
            channel=channel, text=message.text, blocks=message.blocks, thread_ts=thread_ts,
            unfurl_links=False, unfurl_media=False,
        )  # fmt: skip
        return await _api(call)

    async def _update(self, place: Place, message: Message) -> None:
        await self._take_turn()
        call = self._client.chat_update(
            channel=str(place.channel), ts=str(place.ts), text=message.text, blocks=message.blocks
        )
        await _api(call)

    async def _take_turn(self) -> None:
        await asyncio.sleep(self._pace.wait_s(monotonic()))

    async def _find(self, episode_id: str) -> Place | None:
        """The episode's message, if an earlier try posted it and we may look."""
        try:
            channels = (await _api(self._client.conversations_list(limit=1_000, exclude_archived=True)))["channels"]
            wanted = self._channel.removeprefix("#")
            channel = next((c["id"] for c in channels if wanted in (c["id"], c["name"])), None)
            if channel is None:
                return None
            history = await _api(self._client.conversations_history(channel=channel, limit=_LOOK_BACK))
        except Refused:
            return None
        found = (message["ts"] for message in history["messages"] if episode_id in str(message.get("blocks")))
        ts = next(found, None)
        return None if ts is None else Place(str(channel), str(ts))

    async def _has_answer(self, parent: Place, alert_id: str) -> bool:
        """Whether an earlier try answered in the thread already, if we may look."""
        call = self._client.conversations_replies(channel=str(parent.channel), ts=str(parent.ts), limit=_LOOK_BACK)
        try:
            answers = (await _api(call))["messages"][1:]  # the first is the message itself
        except Refused:
            return False
        return any(alert_id in str(answer.get("blocks")) for answer in answers)


def _message_at(place: Place | None) -> Place | None:
    return None if place is None or place.channel is None or place.ts is None else place


class SlackWebhook:
    """An incoming webhook gives no id back, so each state is a message of its own, tied by the id that it shows."""

    name = "slack-webhook"

    def __init__(self, client: AsyncWebhookClient, wording: Wording, now_us: NowMicros) -> None:
        self._client, self._wording, self._now_us = client, wording, now_us
        self._pace = Pace()

    async def tell(self, action: Action, *, may_repeat: bool) -> Place:
        """See `Notifier`."""
        message = render(action.newest, self._wording, self._now_us(), may_repeat=may_repeat)
        await asyncio.sleep(self._pace.wait_s(monotonic()))
        answer = await _answered(
            self._client.send(text=message.text, blocks=message.blocks, unfurl_links=False, unfurl_media=False)
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
