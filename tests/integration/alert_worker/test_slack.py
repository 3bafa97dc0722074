"""The notifiers of Slack over HTTP, against the simulated Slack and what can go wrong there."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from services.alert_worker.actions import Action, Place, Together
from services.alert_worker.board import Board
from services.alert_worker.delivery import Delivery
from services.alert_worker.lease_keeper import Superseded
from services.alert_worker.messages.message import Message, Picture
from services.alert_worker.messages.wording import ENGLISH
from services.alert_worker.notifiers import slack as slack_notifier
from services.alert_worker.notifiers.base import Errand, Gone, Later, NotReady, Refused, Unanswered
from services.alert_worker.notifiers.slack import SlackBot, SlackWebhook
from services.alert_worker.scribe import Scribe
from services.simulator.slack.api import SCOPES, WEBHOOK_PATH
from shared.events import Alert

NOW_US = 1_700_000_007_000_000
PNG = b"\x89PNG and so on"
MANIFEST = Path(__file__).parents[3] / "deploy" / "slack" / "manifest.yaml"


@pytest.fixture
def bot(slack) -> SlackBot:
    client = AsyncWebClient(token="xoxb-simulated", base_url=slack.url, retry_handlers=[])
    return SlackBot(client, "#tapewatch")


@pytest.fixture
def webhook(slack) -> SlackWebhook:
    client = AsyncWebhookClient(slack.url.removesuffix("/api/") + WEBHOOK_PATH, retry_handlers=[])
    return SlackWebhook(client)


def delivering(notifier: SlackBot | SlackWebhook) -> Delivery:
    return Delivery(notifier, Scribe(ENGLISH, Board(), lambda: NOW_US), lambda: asyncio.sleep(0))


@pytest.fixture(params=["bot", "webhook"])
def delivery(request, bot, webhook) -> Delivery:
    return delivering({"bot": bot, "webhook": webhook}[request.param])


@pytest.fixture
def by_bot(bot) -> Delivery:
    return delivering(bot)


Act = Callable[..., Action]


def alert_in(state: str, **changes: object) -> Alert:
    fields: dict[str, object] = {
        "episode_id": "abcdef", "state": state, "kind": "move", "detectors": ["move"],
        "scope": "symbol", "direction": "down", "severity": "danger", "started_at_us": 1_700_000_000_000_000,
        "decided_at_us": 1_700_000_006_300_000, "rule_version": "moves/1", "exchange": "upbit", "symbol": "KRW-BTC",
        "base": "BTC", "quote": "KRW", "event_at_us": 1_700_000_006_000_000, "received_at_us": 1_700_000_006_012_000,
        "price_before": "136839000", "price_now": "129997000", "price_extreme": "129997000", "change_pct": "-5.00",
        "window_s": 6,
    } | changes  # fmt: skip
    fields.setdefault("alert_id", f"{fields['episode_id']}-{state}")
    return Alert(**fields)  # type: ignore[arg-type]


@pytest.fixture
def act() -> Act:
    """The action that tells one alert in the given state."""

    def make(state: str, parent: Place | None = None, may_repeat: bool = False) -> Action:
        return Action((alert_in(state),), parent, (), may_repeat)

    return make


@pytest.fixture
def storm() -> Callable[..., Together]:
    """Three hundred markets fall; the worst sixty are told next."""

    def make(parent: Place | None = None, may_repeat: bool = False) -> Together:
        alerts = [alert_in("open", episode_id=f"e{n:03}", symbol=f"KRW-C{n:03}") for n in range(300)]
        names = tuple(alert.episode_id for alert in alerts)
        return Together(
            "storm-e000", "storm", tuple(alerts), tuple(alerts[:60]), tuple(alerts[:60]), (), names, None, parent,
            may_repeat, True,
        )  # fmt: skip

    return make


async def test_a_bot_edits_its_message_and_answers_in_the_thread(by_bot, act, slack) -> None:
    place = await by_bot.deliver(act("open"))
    assert place.channel == slack.workspace.channels[0].channel_id
    assert await by_bot.deliver(act("escalate", place)) == place
    assert await by_bot.deliver(act("resolve", place)) == place
    parent, answer = slack.messages
    assert (parent.ts, parent.edits, answer.thread_ts) == (place.ts, 2, place.ts)
    assert "RESOLVED" in parent.text


async def test_the_gravest_answer_is_shown_in_the_channel_too_and_says_of_what(by_bot, act, slack) -> None:
    place = await by_bot.deliver(act("open"))
    await by_bot.deliver(replace(act("escalate", place), is_for_all=True))
    parent, answer = slack.messages
    assert (answer.thread_ts, answer.root) == (place.ts, parent)
    assert "KRW-BTC" in answer.text
    assert "KRW-BTC" in str(answer.blocks)
    assert {block["type"] for block in answer.blocks} <= {"section", "context"}, "a pointer holds no buttons"


async def test_an_answer_that_the_channel_shows_is_not_taken_for_the_message(by_bot, act, slack) -> None:
    place = await by_bot.deliver(act("open"))
    await by_bot.deliver(replace(act("escalate", place), is_for_all=True))
    slack.workspace.delete(slack.workspace.channels[0], place.ts)
    again = await by_bot.deliver(act("resolve", place, may_repeat=True))
    assert again.ts == slack.messages[-1].ts
    assert slack.messages[-1].thread_ts is None


async def test_a_worker_that_is_not_in_charge_any_more_calls_nobody(bot, act, slack) -> None:
    async def is_lost() -> None:
        raise Superseded("another one tells")

    delivery = Delivery(bot, Scribe(ENGLISH, Board(), lambda: NOW_US), is_lost)
    with pytest.raises(Superseded):
        await delivery.deliver(act("open"))
    assert slack.messages == []


async def test_a_webhook_posts_each_state(webhook, act, slack) -> None:
    for state in ("open", "escalate", "resolve"):
        await delivering(webhook).deliver(act(state, Place()))
    assert len(slack.messages) == 3
    assert all("abcdef" in str(message.blocks) for message in slack.messages)


async def test_a_webhook_says_the_same_as_a_bot_s_first_message(webhook, by_bot, act, slack) -> None:
    await by_bot.deliver(act("open"))
    await delivering(webhook).deliver(act("open"))
    first, second = slack.messages
    assert (first.text, first.blocks) == (second.text, second.blocks)


async def test_a_storm_is_one_message_with_its_details_in_the_thread(by_bot, storm, slack) -> None:
    place = await by_bot.deliver(storm())
    await by_bot.deliver(storm(place))
    parent, answer = slack.messages
    assert "300 markets fall" in parent.text
    assert answer.thread_ts == parent.ts
    assert all(f"KRW-C{n:03}" in str(answer.blocks) for n in range(60))


async def test_who_was_told_alone_before_a_storm_sees_its_message_change_and_nobody_is_called(
    by_bot, act, storm, slack
) -> None:
    alone = await by_bot.deliver(act("open"))
    place = await by_bot.deliver(storm())
    details = replace(storm(place), own=(act("resolve", alone), act("resolve", Place(alone.channel, "1.000000"))))
    await by_bot.deliver(details)
    assert [message.thread_ts for message in slack.messages] == [None, None, place.ts]
    assert "RESOLVED" in slack.messages[0].text


async def test_a_storm_by_webhook_holds_its_details(webhook, storm, slack) -> None:
    await delivering(webhook).deliver(storm())
    assert all(f"KRW-C{n:03}" in str(slack.messages[0].blocks) for n in range(60))


async def test_a_lost_answer_is_looked_up_before_posting_again(by_bot, act, storm, slack) -> None:
    slack.fail("cut")
    with pytest.raises(Unanswered):
        await by_bot.deliver(act("open"))
    place = await by_bot.deliver(act("open", may_repeat=True))
    assert [message.ts for message in slack.messages] == [place.ts]
    await by_bot.deliver(act("escalate", place))
    await by_bot.deliver(act("escalate", place, may_repeat=True))
    assert len(slack.messages) == 2
    for _ in range(2):
        place = await by_bot.deliver(storm(may_repeat=True))
        await by_bot.deliver(storm(place, may_repeat=True))
    assert len(slack.messages) == 4


@pytest.mark.parametrize("pages", [1, 2])
async def test_a_lost_answer_is_found_at_the_end_of_a_long_thread(by_bot, act, slack, monkeypatch, pages) -> None:
    """Slack gives a thread's oldest answers first. Where the end is not read, the message says that it may repeat."""
    monkeypatch.setattr(slack_notifier, "_LOOK_BACK", 2)
    monkeypatch.setattr(slack_notifier, "_MOST_PAGES", pages)
    slack.api._limits = type(slack.api._limits)(posts_burst=100.0)
    place = await by_bot.deliver(act("open"))
    for n in range(3):
        await by_bot.notifier.post(Errand(Message(f"earlier {n}", []), f"earlier {n}", place))
    await by_bot.deliver(act("escalate", place))
    await by_bot.deliver(act("escalate", place, may_repeat=True))
    repeats = [message for message in slack.messages[5:] if "(may repeat)" in str(message.blocks)]
    assert (len(slack.messages), len(repeats)) == ((5, 0) if pages == 2 else (6, 1))


async def test_where_the_bot_may_not_look_the_message_says_that_it_may_repeat(by_bot, act, slack) -> None:
    slack.fail("refuse", error="missing_scope")
    await by_bot.deliver(act("open", may_repeat=True))
    assert "(may repeat)" in slack.messages[0].text


async def test_a_limit_is_honoured_to_the_second(delivery, act, slack) -> None:
    slack.api._limits = type(slack.api._limits)(posts_per_s=0.01, posts_burst=1)
    await delivery.deliver(act("open"))
    with pytest.raises(Later) as later:
        await delivery.deliver(act("open"))
    assert 95 <= later.value.seconds <= 100


async def test_an_unwell_slack_is_tried_again(delivery, act, slack) -> None:
    slack.fail("error", status=503)
    with pytest.raises(Unanswered, match="503"):
        await delivery.deliver(act("open"))


async def test_a_slack_that_is_not_there_is_tried_again(act) -> None:
    client = AsyncWebClient(token="xoxb-simulated", base_url="http://127.0.0.1:9/api/", retry_handlers=[])
    with pytest.raises(Unanswered):
        await delivering(SlackBot(client, "#tapewatch")).deliver(act("open"))


@pytest.mark.parametrize("fault", ["invalid_auth", "token_revoked", "not_in_channel", "channel_not_found"])
async def test_wrong_settings_are_refused_with_the_remedy(by_bot, act, slack, fault) -> None:
    slack.fail("refuse", error=fault)
    with pytest.raises(Refused, match=f"{fault} .*TAPEWATCH_SLACK__"):
        await by_bot.deliver(act("open"))


async def test_a_webhook_that_is_no_more_is_refused_with_the_remedy(slack, act) -> None:
    client = AsyncWebhookClient(slack.url.removesuffix("/api/") + "/services/T0/B0/gone", retry_handlers=[])
    with pytest.raises(Refused, match="TAPEWATCH_SLACK__WEBHOOK_URL"):
        await delivering(SlackWebhook(client)).deliver(act("open"))


@pytest.mark.parametrize("state", ["escalate", "resolve"])
async def test_a_message_that_somebody_deleted_is_posted_anew(by_bot, act, slack, state) -> None:
    place = await by_bot.deliver(act("open"))
    slack.workspace.delete(slack.workspace.channels[0], place.ts)
    again = await by_bot.deliver(act(state, place))
    assert [message.ts for message in slack.parents] == [again.ts] != [place.ts]


async def test_a_picture_is_uploaded_in_two_steps_and_shown_once_slack_is_ready(bot, by_bot, act, slack) -> None:
    place = await by_bot.deliver(act("open"))
    picture = Picture(await bot.upload(PNG, "KRW-BTC.png", "a chart"), "a chart")
    file = slack.workspace.files[picture.file_id]
    assert (file.content, file.alt_text, file.title) == (PNG, "a chart", "KRW-BTC.png")
    with pytest.raises(NotReady, match="slack_file"):
        await by_bot.show(act("open", place), picture)
    file.completed_us -= 1_000_000
    await by_bot.show(act("open", place), picture)
    assert picture.file_id in str(slack.parents[0].blocks)


async def test_a_picture_that_is_not_ready_does_not_hold_up_what_is_told(bot, by_bot, act, slack) -> None:
    place = await by_bot.deliver(act("open"))
    picture = Picture(await bot.upload(PNG, "KRW-BTC.png", "a chart"), "a chart")
    escalation = act("escalate", place)
    await by_bot.deliver(Action(escalation.alerts, place, (), False, picture))
    parent, answer = slack.messages
    assert (parent.edits, answer.thread_ts, "slack_file" in str(parent.blocks)) == (1, parent.ts, False)


async def test_an_edit_says_when_its_message_is_gone(bot) -> None:
    with pytest.raises(Gone):
        await bot.edit(Place("C0TAPE0001", "1.000000"), Message("x", []))


async def test_an_answer_says_when_its_thread_takes_none(bot, by_bot, act, slack) -> None:
    place = await by_bot.deliver(act("open"))
    slack.fail("refuse", 1, error="restricted_action_thread_locked")
    with pytest.raises(Gone):
        await bot.post(Errand(Message("x", []), "x", place))


async def test_the_manifest_s_scopes_are_those_that_are_needed(bot, by_bot, act, slack) -> None:
    """Every call that the bot makes works with the scopes of the manifest, and none of them is for nothing."""
    granted = re.findall(r"^ +- ([a-z]+:[a-z.]+)$", MANIFEST.read_text(encoding="utf-8"), re.MULTILINE)
    slack.api.granted = frozenset(granted)
    place = await by_bot.deliver(act("open", may_repeat=True))
    await by_bot.deliver(act("escalate", place, may_repeat=True))
    picture = Picture(await bot.upload(PNG, "KRW-BTC.png", "a chart"), "a chart")
    slack.workspace.files[picture.file_id].completed_us -= 1_000_000
    await by_bot.show(act("open", place), picture)
    await bot.post(Errand(Message("found again", []), "abcdef-escalate", place, Message("found again", [])))
    assert [message.text for message in slack.messages if message.text == "found again"] == []
    needed = {scope for method in slack.api.called for scope in SCOPES.get(method, ())}
    assert set(granted) <= needed
