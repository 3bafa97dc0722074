"""The Slack notifiers over HTTP, against the simulated Slack and what can go wrong there."""

from collections.abc import Callable

import pytest
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from services.alert_worker.notifiers.base import Later, Notifier, Refused, Unanswered
from services.alert_worker.notifiers.slack import SlackBot, SlackWebhook
from services.alert_worker.notifiers.wording import ENGLISH
from services.alert_worker.outbox import Action, Place
from services.simulator.slack.api import WEBHOOK_PATH
from shared.events import Alert

NOW_US = 1_700_000_007_000_000


@pytest.fixture
def bot(slack) -> SlackBot:
    client = AsyncWebClient(token="xoxb-simulated", base_url=slack.url, retry_handlers=[])
    return SlackBot(client, "#tapewatch", ENGLISH, lambda: NOW_US)


@pytest.fixture
def webhook(slack) -> SlackWebhook:
    client = AsyncWebhookClient(slack.url.removesuffix("/api/") + WEBHOOK_PATH, retry_handlers=[])
    return SlackWebhook(client, ENGLISH, lambda: NOW_US)


@pytest.fixture(params=["bot", "webhook"])
def notifier(request, bot, webhook) -> Notifier:
    return {"bot": bot, "webhook": webhook}[request.param]


Act = Callable[..., Action]


@pytest.fixture
def act() -> Act:
    """The action that tells one alert in the given state."""

    def make(state: str, parent: Place | None = None, may_repeat: bool = False) -> Action:
        alert = Alert(
            alert_id=f"abcdef-{state}", episode_id="abcdef", state=state, kind="move", detectors=["move"],
            scope="symbol", direction="down", severity="danger", started_at_us=1_700_000_000_000_000,
            decided_at_us=1_700_000_006_300_000, rule_version="moves/1", exchange="upbit", symbol="KRW-BTC",
            base="BTC", quote="KRW", event_at_us=1_700_000_006_000_000, received_at_us=1_700_000_006_012_000,
            price_before="136839000", price_now="129997000", price_extreme="129997000", change_pct="-5.00", window_s=6,
        )  # type: ignore[arg-type]  # fmt: skip
        return Action((alert,), parent, (), may_repeat)

    return make


async def test_a_bot_edits_its_message_and_answers_in_the_thread(bot, act, slack) -> None:
    place = await bot.tell(act("open"), may_repeat=False)
    assert place.channel == slack.workspace.channels[0].channel_id
    assert await bot.tell(act("escalate", place), may_repeat=False) == place
    assert await bot.tell(act("resolve", place), may_repeat=False) == place
    parent, answer = slack.messages
    assert (parent.ts, parent.edits, answer.thread_ts) == (place.ts, 2, place.ts)
    assert "RESOLVED" in parent.text


async def test_a_webhook_posts_each_state(webhook, act, slack) -> None:
    for state in ("open", "escalate", "resolve"):
        await webhook.tell(act(state, Place()), may_repeat=False)
    assert len(slack.messages) == 3
    assert all("abcdef" in str(message.blocks) for message in slack.messages)


async def test_a_lost_answer_is_looked_up_before_posting_again(bot, act, slack) -> None:
    slack.fail("cut")
    with pytest.raises(Unanswered):
        await bot.tell(act("open"), may_repeat=False)
    place = await bot.tell(act("open"), may_repeat=True)
    assert [message.ts for message in slack.messages] == [place.ts]
    await bot.tell(act("escalate", place), may_repeat=False)
    await bot.tell(act("escalate", place), may_repeat=True)
    assert len(slack.messages) == 2


async def test_where_the_bot_may_not_look_the_message_says_that_it_may_repeat(bot, act, slack) -> None:
    slack.fail("refuse", error="missing_scope")
    await bot.tell(act("open"), may_repeat=True)
    assert "(may repeat)" in slack.messages[0].text


async def test_a_limit_is_honoured_to_the_second(notifier, act, slack) -> None:
    slack.api._limits = type(slack.api._limits)(posts_per_s=0.01, posts_burst=1)
    await notifier.tell(act("open"), may_repeat=False)
    with pytest.raises(Later) as later:
        await notifier.tell(act("open"), may_repeat=False)
    assert 95 <= later.value.seconds <= 100


async def test_an_unwell_slack_is_tried_again(notifier, act, slack) -> None:
    slack.fail("error", status=503)
    with pytest.raises(Unanswered, match="503"):
        await notifier.tell(act("open"), may_repeat=False)


async def test_a_slack_that_is_not_there_is_tried_again(act) -> None:
    client = AsyncWebClient(token="xoxb-simulated", base_url="http://127.0.0.1:9/api/", retry_handlers=[])
    with pytest.raises(Unanswered):
        await SlackBot(client, "#tapewatch", ENGLISH, lambda: NOW_US).tell(act("open"), may_repeat=False)


@pytest.mark.parametrize("fault", ["invalid_auth", "not_in_channel", "channel_not_found"])
async def test_wrong_settings_are_refused_with_the_remedy(bot, act, slack, fault) -> None:
    slack.fail("refuse", error=fault)
    with pytest.raises(Refused, match=f"{fault} .*TAPEWATCH_SLACK__"):
        await bot.tell(act("open"), may_repeat=False)


async def test_a_webhook_that_is_no_more_is_refused_with_the_remedy(slack, act) -> None:
    client = AsyncWebhookClient(slack.url.removesuffix("/api/") + "/services/T0/B0/gone", retry_handlers=[])
    with pytest.raises(Refused, match="TAPEWATCH_SLACK__WEBHOOK_URL"):
        await SlackWebhook(client, ENGLISH, lambda: NOW_US).tell(act("open"), may_repeat=False)
