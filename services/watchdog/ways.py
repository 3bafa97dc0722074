"""The ways to people: Slack by a bot's token or an incoming webhook, and any other webhook. One call, one message."""

import math
from collections.abc import Mapping
from typing import Any, Protocol

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from services.watchdog.message import Message
from shared.slack_errors import OF_MESSAGE, OF_THREAD

CALL_WITHIN_S = 15.0
_TOO_LARGE, _LONGEST_WORD_BYTES = 413, 100


class NotTold(Exception):
    """It did not get through; to be tried again after `again_in_s`, or as the caller sees fit when that is None."""

    def __init__(self, reason: str, again_in_s: float | None = None) -> None:
        super().__init__(reason)
        self.again_in_s = again_in_s


class ThreadGone(Exception):
    """What is to be answered is not there any more, or takes no answers: on top the message is taken."""


class Refused(Exception):
    """This message is never taken as it is; others are."""


class Way(Protocol):
    """One way to people."""

    name: str
    channel: str
    """Where threads are, if there are any."""

    async def tell(self, message: Message, thread: str | None) -> str | None:
        """Send it, into a thread if there is one; returns its id where there is one. Raises NotTold, ThreadGone and
        Refused.
        """
        ...


class SlackBot:
    """Posts to a channel. The message that began an incident is marked as over when it is."""

    name = "slack"

    def __init__(self, token: str, channel: str, api_url: str) -> None:
        # Our own limit and our own tries: the library's would hide what is going on.
        self._client = AsyncWebClient(token=token, base_url=api_url, timeout=int(CALL_WITHIN_S), retry_handlers=[])
        self.channel, self._api_url = channel, api_url

    async def tell(self, message: Message, thread: str | None) -> str | None:
        """See `Way`."""
        try:
            answer = await self._client.chat_postMessage(
                channel=self.channel, text=message.text, blocks=message.blocks or None, thread_ts=thread,
                reply_broadcast=True if thread is not None and message.is_loud else None,
                unfurl_links=False, unfurl_media=False,
            )  # fmt: skip
            ts = answer["ts"]
        except SlackApiError as error:
            raise self._why(error, thread) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NotTold(f"{type(error).__name__}: {error}"[:300]) from None
        except (AttributeError, ValueError, RecursionError):
            # So slack-sdk ends on a text, a list, what is no text at all, and what is nested without end.
            raise self._not_slack() from None
        if not isinstance(ts, str):
            raise self._not_slack()
        return ts

    def _why(self, error: SlackApiError, thread: str | None) -> NotTold | ThreadGone | Refused:
        response = error.response
        # Of JSON that cannot be read slack-sdk hands on aiohttp's own answer.
        is_read = hasattr(response, "status_code")
        status = response.status_code if is_read else response.status
        data = response.data if is_read and isinstance(response.data, dict) else {}
        if status == 200 and "error" not in data:
            return self._not_slack()
        reason = str(data.get("error", f"status {status}"))
        if reason in OF_THREAD and thread is not None:
            return ThreadGone(reason)
        return Refused(reason) if reason in OF_MESSAGE else NotTold(reason, _seconds(response.headers))

    def _not_slack(self) -> NotTold:
        return NotTold(f"what answers at {self._api_url} is not Slack: look at SLACK__API_URL and at proxies")


class Webhook:
    """Posts JSON to an address: Slack's incoming webhook takes it, and so does whoever reads ``text``."""

    channel = ""

    def __init__(self, name: str, url: str) -> None:
        self.name, self._url = name, url

    async def tell(self, message: Message, _thread: str | None) -> str | None:
        """See `Way`; gives no id."""
        body = {"text": message.text} | ({"blocks": message.blocks} if message.blocks else {})
        timeout = aiohttp.ClientTimeout(total=CALL_WITHIN_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as http,
                http.post(self._url, json=body) as answer,
            ):
                if answer.status >= 300:
                    word = (await answer.content.read(_LONGEST_WORD_BYTES)).decode(errors="replace").strip()
                    if answer.status == _TOO_LARGE or word in OF_MESSAGE:
                        raise Refused(f"status {answer.status}")
                    raise NotTold(f"status {answer.status}", _seconds(answer.headers))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NotTold(type(error).__name__) from None  # the text of the error may hold the address, a secret
        return None


def _seconds(headers: Mapping[str, Any]) -> float | None:
    value = {str(name).lower(): value for name, value in headers.items()}.get("retry-after")
    text = str(value[0] if isinstance(value, (list, tuple)) and value else value)
    return float(math.ceil(float(text))) if text.replace(".", "", 1).isdigit() else None
