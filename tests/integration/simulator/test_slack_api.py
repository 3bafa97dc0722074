"""Slack as its own client library meets it, and as a browser does."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from services.simulator.slack.api import SlackLimits

PNG = bytes.fromhex("89504e470d0a1a0a0000000d4948445200000001000000010806000000") + b"rest"
BLOCKS = [{"type": "section", "text": {"type": "mrkdwn", "text": "*KRW-BTC* 비트코인 <https://example.org|chart>"}}]


def client(running: Any, token: str = "xoxb-simulated") -> AsyncWebClient:
    return AsyncWebClient(token=token, base_url=running.url["slack_api_url"], retry_handlers=[])


async def messages(running: Any, channel: str = "tapewatch") -> list[dict[str, Any]]:
    held = await running.get(running.url["control_url"] + "/slack")
    found: list[dict[str, Any]] = held["channels"][channel]
    return found


async def refusal(call: Any) -> str:
    with pytest.raises(SlackApiError) as refused:
        await call
    error: str = refused.value.response["error"]
    return error


async def test_a_message_is_posted_changed_and_answered_in_its_thread(simulate: Any) -> None:
    running = await simulate()
    slack = client(running)
    assert (await slack.auth_test())["ok"]
    posted = await slack.chat_postMessage(channel="#tapewatch", text="open", blocks=BLOCKS)
    await slack.chat_postMessage(channel=posted["channel"], thread_ts=posted["ts"], text="more")
    await slack.chat_update(channel=posted["channel"], ts=posted["ts"], text="resolved")
    parent, reply = await messages(running)
    assert (parent["text"], parent["edits"], parent["blocks"]) == ("resolved", 1, [])
    assert (reply["text"], reply["thread_ts"]) == ("more", parent["ts"])
    status = await running.get(running.url["control_url"] + "/status")
    assert (status["slack"]["messages"], status["slack"]["updates"], status["slack"]["rejected"]) == (2, 1, 0)


async def test_an_answer_may_be_shown_in_the_channel_as_well(simulate: Any) -> None:
    running = await simulate()
    slack = client(running)
    posted = await slack.chat_postMessage(channel="#tapewatch", text="open")
    place = {"channel": posted["channel"], "thread_ts": posted["ts"]}
    await slack.chat_postMessage(**place, text="only below")
    shown = (await slack.chat_postMessage(**place, text="worse", reply_broadcast=True))["message"]
    assert (shown["subtype"], shown["root"]["text"]) == ("thread_broadcast", "open")
    history = (await slack.conversations_history(channel=posted["channel"]))["messages"]
    assert [(one["text"], one.get("thread_ts")) for one in history] == [("worse", posted["ts"]), ("open", None)]
    answers = (await slack.conversations_replies(channel=posted["channel"], ts=posted["ts"]))["messages"]
    assert [one["text"] for one in answers] == ["open", "only below", "worse"]
    alone = await slack.chat_postMessage(channel="#tapewatch", text="no thread", reply_broadcast=True)
    assert "root" not in alone["message"]
    async with running.http.get(
        running.url["slack_api_url"].removesuffix("/api/") + "/slack/tapewatch/messages"
    ) as got:
        page = (await got.json())["html"]
    assert page.count("replied to a thread: open") == 1
    assert page.count("worse") == 2


async def test_a_thread_is_given_page_by_page_oldest_first_and_a_channel_newest_first(simulate: Any) -> None:
    running = await simulate(slack_limits=SlackLimits(posts_burst=100.0))
    slack = client(running)
    posted = await slack.chat_postMessage(channel="#tapewatch", text="open")
    place = {"channel": posted["channel"], "thread_ts": posted["ts"]}
    for n in range(5):
        await slack.chat_postMessage(**place, text=str(n), reply_broadcast=n == 4)
    pages, cursor = [], ""
    while not pages or cursor:
        page = await slack.conversations_replies(channel=posted["channel"], ts=posted["ts"], limit=2, cursor=cursor)
        pages.append([one["text"] for one in page["messages"]])
        cursor = page.get("response_metadata", {}).get("next_cursor", "")
        assert page["has_more"] == bool(cursor)
    assert pages == [["open", "0", "1"], ["open", "2", "3"], ["open", "4"]]
    newest = await slack.conversations_history(channel=posted["channel"], limit=1)
    assert ([one["text"] for one in newest["messages"]], newest["has_more"]) == (["4"], True)
    for wrong in ({"cursor": "x"}, {"limit": "x"}):
        with pytest.raises(SlackApiError):
            await slack.conversations_replies(channel=posted["channel"], ts=posted["ts"], **wrong)


async def test_what_slack_refuses(simulate: Any) -> None:
    running = await simulate()
    slack = client(running)
    header = [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}]
    assert await refusal(client(running, "wrong").auth_test()) == "invalid_auth"
    assert await refusal(slack.chat_postMessage(channel="#nope", text="x")) == "channel_not_found"
    assert await refusal(slack.chat_postMessage(channel="#tapewatch", text="x", blocks=header)) == "invalid_blocks"
    assert await refusal(slack.chat_postMessage(channel="#tapewatch", text="x" * 40_001)) == "msg_too_long"
    assert await refusal(slack.chat_update(channel="tapewatch", ts="1.0", text="x")) == "channel_not_found"
    assert await refusal(slack.api_call("chat.nope")) == "unknown_method"
    async with running.http.post(running.url["slack_api_url"] + "auth.test") as answer:
        assert (await answer.json())["error"] == "not_authed"
    assert await messages(running) == []


async def test_posting_is_limited_a_channel_and_says_when_to_come_back(simulate: Any) -> None:
    running = await simulate(slack_limits=SlackLimits(posts_burst=2.0))
    slack = client(running)
    for _ in range(2):
        await slack.chat_postMessage(channel="#tapewatch", text="x")
    with pytest.raises(SlackApiError) as refused:
        await slack.chat_postMessage(channel="tapewatch", text="x")
    assert refused.value.response.status_code == 429
    assert refused.value.response.headers["Retry-After"] == "1"
    await slack.chat_postMessage(channel="#tapewatch-ops", text="another channel has its own")
    assert len(await messages(running)) == 2


async def test_a_picture_is_uploaded_and_shown_in_the_thread(simulate: Any) -> None:
    running = await simulate()
    slack = client(running)
    posted = await slack.chat_postMessage(channel="#tapewatch", text="open")
    await slack.files_upload_v2(
        channel=posted["channel"], thread_ts=posted["ts"], content=PNG, filename="chart.png", title="One hour"
    )
    [file_id] = (await messages(running))[-1]["files"]
    async with running.http.get(f"{running.url['slack_page_url']}/files/{file_id}") as answer:
        assert (answer.content_type, await answer.read()) == ("image/png", PNG)
    page = await (await running.http.get(running.url["slack_page_url"])).text()
    assert f'src="/slack/files/{file_id}"' in page


async def test_an_incoming_webhook(simulate: Any) -> None:
    running = await simulate()
    address = running.url["slack_webhook_url"]
    async with running.http.post(address, json={"text": "한국어", "blocks": BLOCKS}) as answer:
        assert (answer.status, await answer.text()) == (200, "ok")
    for body, status, text in ((b"{", 400, "invalid_payload"), (b'{"text":""}', 400, "no_text")):
        async with running.http.post(address, data=body) as answer:
            assert (answer.status, await answer.text()) == (status, text)
    async with running.http.post(address + "x", json={"text": "x"}) as answer:
        assert answer.status == 404
    [message] = await messages(running)
    assert (message["text"], message["via"]) == ("한국어", "webhook")


async def test_the_page_shows_messages_and_nothing_else_becomes_markup(simulate: Any) -> None:
    running = await simulate()
    slack = client(running)
    await slack.chat_postMessage(channel="#tapewatch", text="<script>alert(1)</script> *bold* 비트코인")
    page = await (await running.http.get(running.url["slack_page_url"])).text()
    assert "<strong>bold</strong> 비트코인" in page
    assert "<script>alert" not in page
    version = int(page.partition('let version = "')[2].partition('"')[0])
    address = running.url["slack_page_url"] + "/tapewatch/messages"
    async with running.http.get(address, params={"version": version}) as answer:
        assert answer.status == 204
    await slack.chat_postMessage(channel="#tapewatch", text="second")
    fresh = await running.get(address, version=version)
    assert "second" in fresh["html"]
    async with running.http.get(running.url["slack_page_url"] + "/nope") as answer:
        assert answer.status == 404


async def test_failures_on_command(simulate: Any) -> None:
    running = await simulate()
    slack = client(running)
    await running.control("fault", fault="slack", kind="error", status=503, count=1)
    with pytest.raises((SlackApiError, aiohttp.ClientError)):
        await slack.chat_postMessage(channel="#tapewatch", text="lost")
    await running.control("fault", fault="slack", kind="refuse", error="account_inactive")
    assert await refusal(slack.chat_postMessage(channel="#tapewatch", text="lost")) == "account_inactive"
    assert await messages(running) == []
    await running.control("fault", fault="slack", kind="cut")
    with pytest.raises(aiohttp.ClientError):
        await slack.chat_postMessage(channel="#tapewatch", text="arrived, and nobody was told")
    assert len(await messages(running)) == 1
    await running.control("fault", fault="slack", kind="hang", seconds=30)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(slack.chat_postMessage(channel="#tapewatch", text="late"), 0.2)
    assert (await slack.chat_postMessage(channel="#tapewatch", text="well again"))["ok"]
    assert json.dumps(await messages(running)).count("well again") == 1
