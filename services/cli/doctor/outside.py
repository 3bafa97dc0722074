"""Asks those outside: each exchange for its clock, Slack for who the bot is there."""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from services.cli.doctor.facts import ExchangeFacts, SlackFacts
from shared.errors import TapewatchError
from shared.settings import Settings

if TYPE_CHECKING:
    from slack_sdk.web.async_client import AsyncWebClient

_HTTP_S = 5.0


async def exchange_facts(exchange: str, url: str) -> ExchangeFacts:
    """What an exchange answers to a request at `url`. Raises TapewatchError where nothing does that speaks HTTP."""
    return await asyncio.to_thread(_date_of, exchange, url)


def _date_of(exchange: str, url: str) -> ExchangeFacts:
    """Any answer will do: every one has its date, in whole seconds."""
    asked_at = time.time()
    try:
        with urlopen(Request(url, method="HEAD"), timeout=_HTTP_S) as answer:  # noqa: S310 - the settings' own address
            date = answer.headers.get("Date")
    except HTTPError as error:
        date = error.headers.get("Date")
    except OSError as error:
        raise TapewatchError(f"{url} does not answer: {error}") from None
    except (HTTPException, ValueError) as error:  # whose text may hold a password of the address
        raise TapewatchError(f"{url} does not answer as an exchange does: {type(error).__name__}") from None
    answered_at = time.time()
    theirs_s = _seconds(date)
    if theirs_s is None:
        return ExchangeFacts(exchange, None, 0.0)
    offset_s = theirs_s + 0.5 - (asked_at + answered_at) / 2
    return ExchangeFacts(exchange, offset_s, 0.5 + (answered_at - asked_at) / 2)


def _seconds(date: str | None) -> float | None:
    """Since 1970; None where there is no date that can be read."""
    try:
        return None if date is None else parsedate_to_datetime(date).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


async def slack_facts(settings: Settings) -> SlackFacts:
    """Whom the token belongs to, or which other way is set. Raises TapewatchError where Slack does not answer."""
    slack, own = settings.slack, settings.webhook
    if slack.bot_token is None:
        way = "webhook" if slack.webhook_url is not None else "other" if own.url is not None else "none"
        return SlackFacts(way)
    from slack_sdk.web.async_client import AsyncWebClient

    token = slack.bot_token.get_secret_value()
    client = AsyncWebClient(token=token, base_url=slack.api_url, timeout=int(_HTTP_S), retry_handlers=[])
    channels = (slack.channel, slack.ops_channel or slack.channel)
    answer = await _who_am_i(client)
    if "error" in answer:
        return SlackFacts("token", channels, refused=str(answer["error"]))
    return SlackFacts("token", channels, who=f"{answer.get('user', '?')} in workspace {answer.get('team', '?')}")


async def _who_am_i(client: "AsyncWebClient") -> Mapping[str, Any]:
    import aiohttp
    from slack_sdk.errors import SlackApiError

    try:
        answer: object = (await client.auth_test()).data
    except SlackApiError as error:
        answer = getattr(error.response, "data", None)  # there is none beside JSON that cannot be read
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise TapewatchError(f"{client.base_url} does not answer: {error or type(error).__name__}") from None
    except (AttributeError, ValueError):  # what Slack's library ends with at an answer that is no mapping, or no text
        answer = None
    if not isinstance(answer, dict) or not ("error" in answer or answer.get("ok")):
        raise TapewatchError(f"what answers at {client.base_url} is not Slack, or Slack is down: is a proxy before it?")
    return answer
