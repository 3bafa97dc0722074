"""Slack through slack-sdk: a bot token (one message an episode, edited, with a thread) or an incoming webhook."""

import asyncio
import re
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from services.alert_worker.actions import Place
from services.alert_worker.messages.message import Message
from services.alert_worker.notifiers.base import Errand, Gone, Later, NotReady, PostsOnly, Refused, Unanswered
from services.alert_worker.notifiers.pace import Pace
from shared import slack_errors
from shared.settings import Settings

CALL_LIMIT_S = 10
DEFAULT_WAIT_S = 30.0
_LOOK_BACK = 200
_MOST_PAGES = 20
_CHANNEL_ID = re.compile(r"[CGD][A-Z0-9]{8,}", re.ASCII)
_GONE = slack_errors.OF_THREAD | {"cant_update_message"}
_UNWELL = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"})
_NOT_SLACK = "what answers is not Slack: look at TAPEWATCH_SLACK__API_URL and at proxies"
_MANY = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
T = TypeVar("T")


def make_bot(settings: Settings) -> "SlackBot":
    """With a bot's token."""
    token = settings.slack.bot_token.get_secret_value() if settings.slack.bot_token else ""
    # No retries inside the library: it would post again without saying that this may be a repeat.
    client = AsyncWebClient(token=token, base_url=settings.slack.api_url, timeout=CALL_LIMIT_S, retry_handlers=[])
    return SlackBot(client, settings.slack.channel, settings.slack.ops_channel)


def make_webhook(settings: Settings) -> "SlackWebhook":
    """With an incoming webhook."""
    url = settings.slack.webhook_url.get_secret_value() if settings.slack.webhook_url else ""
    return SlackWebhook(AsyncWebhookClient(url, timeout=CALL_LIMIT_S, retry_handlers=[]))


class SlackBot:
    """Posts, edits, answers in threads, shows pictures.

    What may have arrived already is looked up in the channel before it is posted again; where the bot may not read
    there (scopes channels:read, channels:history), it is posted, and the message says that it may be a repeat.
    """

    name = "slack-bot"
    can_edit = True

    def __init__(self, client: AsyncWebClient, channel: str, ops_channel: str | None = None) -> None:
        self._client, self._channel, self._ops_channel = client, channel, ops_channel or channel
        self.pace = Pace()

    async def post(self, errand: Errand) -> Place:
        """See `Notifier`."""
        message, thread = errand.message, errand.thread
        if errand.doubtful is not None:
            try:
                found = await self._find(errand)
            except Refused:
                message = errand.doubtful
            else:
                if found is not None:
                    return found
        call = self._client.chat_postMessage(
            channel=str(thread.channel) if thread else self._channel_of(errand),
            thread_ts=thread.ts if thread else None,
            reply_broadcast=True if thread and errand.is_for_all else None,
            text=message.text, blocks=message.blocks, parse="none",
            unfurl_links=False, unfurl_media=False,
        )  # fmt: skip
        posted = await _api(call)
        try:
            return Place(str(posted["channel"]), str(posted["ts"]))
        except KeyError:
            raise Unanswered(_NOT_SLACK) from None

    async def edit(self, place: Place, message: Message) -> None:
        """See `Notifier`; repeated, it changes nothing."""
        call = self._client.chat_update(
            channel=str(place.channel), ts=str(place.ts), text=message.text, blocks=message.blocks, parse="none"
        )
        try:
            await _api(call)
        except Refused as error:
            # Slack works on an upload for a while after taking it, and refuses to show it until then.
            if "slack_file" in str(error):
                raise NotReady(str(error)) from None
            raise

    async def upload(self, png: bytes, name: str, alt_text: str) -> str:
        """See `Notifier`: ask where to, bring it there, say that it is complete; shared with nobody yet."""
        asked = await _api(self._client.files_getUploadURLExternal(filename=name, length=len(png), alt_txt=alt_text))
        async with aiohttp.ClientSession() as session:
            status, text = await _answered(_send_bytes(session, str(asked["upload_url"]), png))
        _check(status, {}, text)
        await _api(
            self._client.files_completeUploadExternal(
                files=[{"id": str(asked["file_id"]), "title": name, "highlight_type": "png"}]
            )
        )
        return str(asked["file_id"])

    async def prove(self, message: Message, place: Place) -> Place:
        """See `Notifier`: one message of the ops channel is edited, which notifies nobody.

        Without a channel of its own for ops only the token is shown: traders' channel is for the market.
        """
        if self._ops_channel == self._channel:
            await _api(self._client.auth_test())
            return place
        if place.ts is not None:
            with suppress(Gone):
                await self.edit(place, message)
                return place
        return await self.post(Errand(message, "canary", for_ops=True))

    async def close(self) -> None:
        """Nothing stays open between calls."""

    async def _find(self, errand: Errand) -> Place | None:
        """The message, if an earlier try posted it. Raises Refused where we may not look."""
        if errand.thread is not None:
            return await self._find_answer(errand.thread, errand.mark)
        return await self._find_message(errand.mark, self._channel_of(errand))

    def _channel_of(self, errand: Errand) -> str:
        return self._ops_channel if errand.for_ops else self._channel

    async def _find_message(self, mark: str, name: str) -> Place | None:
        channel = await self._channel_id(name)
        history = await _api(self._client.conversations_history(channel=channel, limit=_LOOK_BACK))
        # Answers that are shown to all of the channel are in its history too.
        own = (one for one in history["messages"] if one.get("thread_ts") in {None, one["ts"]})
        found = next((message["ts"] for message in own if mark in str(message.get("blocks"))), None)
        return None if found is None else Place(channel, str(found))

    async def _find_answer(self, thread: Place, mark: str) -> Place | None:
        """Slack gives the oldest first, and on each page the message itself: what was lost is on the last page."""
        cursor = ""
        for _ in range(_MOST_PAGES):
            call = self._client.conversations_replies(
                channel=str(thread.channel), ts=str(thread.ts), limit=_LOOK_BACK, cursor=cursor or None
            )
            page = await _api(call)
            answers = (one for one in page["messages"] if one["ts"] != thread.ts)
            found = next((answer["ts"] for answer in answers if mark in str(answer.get("blocks"))), None)
            if found is not None:
                return Place(thread.channel, str(found))
            cursor = _next_cursor(page)
            if not cursor:
                return None
        raise Refused(f"a thread of more than {_MOST_PAGES * _LOOK_BACK} answers is not read to its end")

    async def _channel_id(self, name: str) -> str:
        """The channel's id; it may be set by name, and reading takes the id."""
        if _CHANNEL_ID.fullmatch(name):
            return name
        wanted, cursor = name.removeprefix("#"), ""
        for _ in range(_MOST_PAGES):
            call = self._client.conversations_list(
                limit=1_000, exclude_archived=True, types="public_channel,private_channel", cursor=cursor or None
            )
            page = await _api(call)
            for channel in page["channels"]:
                if channel["name"] == wanted:
                    return str(channel["id"])
            cursor = _next_cursor(page)
            if not cursor:
                break
        raise Refused(f"no channel {wanted} is listed")


def _next_cursor(page: Mapping[str, Any]) -> str:
    """Where the next page begins; empty on the last one."""
    return str((page.get("response_metadata") or {}).get("next_cursor") or "")


async def _send_bytes(session: aiohttp.ClientSession, url: str, content: bytes) -> tuple[int, str]:
    async with session.post(url, data=content) as answer:
        return answer.status, await answer.text()


class SlackWebhook(PostsOnly):
    """An incoming webhook gives no id back, so each state is a message of its own, tied by the id that it shows."""

    name = "slack-webhook"

    def __init__(self, client: AsyncWebhookClient) -> None:
        self._client = client
        self.pace = Pace()

    async def post(self, errand: Errand) -> Place:
        """See `Notifier`."""
        call = self._client.send(
            text=errand.unseen.text, blocks=errand.unseen.blocks, unfurl_links=False, unfurl_media=False
        )
        answer = await _answered(call)
        _check(answer.status_code, {k.lower(): v for k, v in answer.headers.items()}, answer.body)
        return Place()


async def _api(call: Awaitable[Any]) -> Mapping[str, Any]:
    try:
        answer = await _answered(call)
    except SlackApiError as error:
        response = error.response
        if not hasattr(response, "status_code"):
            raise Unanswered(str(error)[:300]) from None
        data = response.data if isinstance(response.data, dict) else {}
        if response.status_code < 300 and "error" not in data:
            raise Unanswered(_NOT_SLACK) from None
        fault = str(data.get("error", "no JSON"))
        headers = {name.lower(): value for name, value in response.headers.items()}
        if response.status_code < 300 and fault in _MANY:
            raise Later(_retry_after(headers)) from None
        if response.status_code < 300 and fault in _UNWELL:
            raise Unanswered(fault) from None
        _check(response.status_code, headers, fault)
        if fault in _GONE:
            raise Gone(fault) from None
        raise Refused(_explained(fault, data)) from None
    except (AttributeError, ValueError, RecursionError):
        # So slack-sdk ends on a text, a list, what is no text at all, and what is nested without end.
        raise Unanswered(_NOT_SLACK) from None
    data = answer.data
    if not isinstance(data, dict):
        raise Unanswered(_NOT_SLACK)
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
    "account_inactive": "the app of TAPEWATCH_SLACK__BOT_TOKEN was taken out of its workspace",
    "missing_scope": "give the app the scopes of deploy/slack/manifest.yaml and install it again",
    "no_service": "TAPEWATCH_SLACK__WEBHOOK_URL names a webhook that is no more",
}


def _explained(fault: str, data: Mapping[str, Any] | None = None) -> str:
    """The fault, what to do about it, and what Slack says about the message where it is at fault."""
    fault = fault.strip()[:200]
    details = [str(one) for one in ((data or {}).get("response_metadata") or {}).get("messages") or []]
    named = f"{fault} ({_REMEDIES[fault]})" if fault in _REMEDIES else fault
    return ": ".join([named, *details[:3]])[:1_000]
