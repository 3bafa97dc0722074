"""`tapewatch alerts …`: samples that arrive, mutes that are kept, and a list of what was told."""

import asyncio
import json

import pytest
from typer.testing import CliRunner

from services.cli.alert_samples import send
from services.cli.main import app
from shared.clock import now_us
from shared.errors import WrongUse
from shared.events import Alert, Instrument, Notification
from shared.settings import load_settings
from shared.topics import ALERTS, NOTIFICATIONS
from shared.wire import HEADERS_OF_EVENT, encode


@pytest.fixture
def environment(slack) -> dict[str, str]:
    return {
        "TAPEWATCH_SLACK__BOT_TOKEN": "xoxb-simulated",
        "TAPEWATCH_SLACK__API_URL": slack.url,
    }


@pytest.mark.parametrize(("language", "word"), [("en", "SAMPLE"), ("ko", "예시")])
async def test_both_samples_arrive_with_a_chart_and_say_that_they_are_samples(
    slack, environment, language, word
) -> None:
    lines, ok = await send(load_settings(environment | {"TAPEWATCH_ALERTS__LANGUAGE": language}))
    assert ok
    assert [line.partition(":")[0] for line in lines] == ["market sample", "its chart", "ops sample"]
    market, ops = slack.messages
    assert market.text.startswith(word)
    assert word in str(ops.blocks[0])
    assert "slack_file" in str(market.blocks)
    assert slack.workspace.counts["rejected"] == 0


async def test_samples_that_do_not_arrive_say_why(slack, environment) -> None:
    slack.fail("refuse", 2, error="channel_not_found")
    lines, ok = await send(load_settings(environment))
    assert not ok
    assert "TAPEWATCH_SLACK__CHANNEL" in lines[0]


async def test_nobody_to_tell_is_a_wrong_setting() -> None:
    with pytest.raises(WrongUse, match="TAPEWATCH_SLACK__BOT_TOKEN"):
        await send(load_settings({}))


def run(kafka: str, *words: str) -> str:
    result = CliRunner().invoke(app, ["alerts", *words], env={"TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS": kafka})
    assert result.exit_code == 0, result.output
    return result.stdout


def test_mutes_are_kept_shown_and_taken_back(kafka_address) -> None:
    said = run(kafka_address, "mute", "KRW-BTC", "--for", "2h")
    assert "KRW-BTC is muted for 2h, until 20" in said
    assert "whether there is such a market is not known" in said
    run(kafka_address, "mute", "rule:move", "--reason", "too loud")
    run(kafka_address, "mute", "coin:ETH")
    run(kafka_address, "unmute", "coin:ETH")
    mutes = json.loads(run(kafka_address, "list", "--json"))["mutes"]
    assert [(mute["target"], mute["reason"]) for mute in mutes] == [("rule:move", "too loud"), ("KRW-BTC", None)]
    assert "muted\tKRW-BTC\t120 min left" in run(kafka_address, "list")


async def test_a_mute_is_of_a_market_that_there_is_and_an_unmute_says_what_still_holds(
    publish_instruments, fresh_topics, tmp_path
) -> None:
    for exchange, symbol, quote in (("upbit", "KRW-BTC", "KRW"), ("binance", "BTCUSDT", "USDT")):
        await publish_instruments(
            Instrument(exchange=exchange, symbol=symbol, base="BTC", quote=quote, status="trading", updated_at_us=1)
        )
    rules = tmp_path / "rules.toml"
    rules.write_text('[[mutes]]\ntarget = "coin:btc"\nuntil = 2100-01-01T00:00:00\n', encoding="utf-8")
    kafka = {"TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS": fresh_topics.bootstrap_servers}
    done = await asyncio.to_thread(CliRunner().invoke, app, ["alerts", "mute", "btc"], env=kafka)
    assert isinstance(done.exception, WrongUse)
    assert str(done.exception) == "there is no market BTC: did you mean coin:BTC, KRW-BTC or BTCUSDT?"

    async def say(*words: str, **more: str) -> str:
        return (await asyncio.to_thread(CliRunner().invoke, app, ["alerts", *words], env=kafka | more)).stdout.strip()

    assert (await say("mute", "krw-btc")).startswith("KRW-BTC is muted for 1h, until 20")
    await say("mute", "rule:move")
    said = await say("unmute", "KRW-BTC", TAPEWATCH_ALERTS__RULES_FILE=str(rules))
    assert said.startswith("KRW-BTC is no longer muted by the command line; what still holds: rule:move until 20")
    assert said.endswith(" KST, coin:BTC until 2100-01-01 00:00 KST by the rules file")
    await say("unmute", "rule:move")
    await say("mute", "KRW-BTC")
    assert [await say("unmute", "krw-btc") for _ in range(2)] == ["KRW-BTC is told again", "KRW-BTC was not muted"]


async def test_the_list_says_what_was_told(fresh_topics, producer) -> None:
    now = now_us()
    for number, suppressed in enumerate((None, "mute", None)):
        alert = Alert(
            alert_id=f"e{number}-open", episode_id=f"e{number}", state="open", kind="move", detectors=["move"],
            scope="symbol", direction="down", severity="danger", started_at_us=now + number, decided_at_us=now,
            rule_version="x", exchange="upbit", symbol="KRW-BTC", change_pct="-5.00", suppressed_by=suppressed,
        )  # fmt: skip
        await producer.send_and_wait(ALERTS.name, encode(alert), b"x", headers=HEADERS_OF_EVENT[Alert])
    note = Notification(
        episode_id="storm-e0", notifier="x", stage="sent", alert_id="e0-open", alert_ids=["e0-open"], at_us=now,
        episodes=["e0"],
    )  # fmt: skip
    await producer.send_and_wait(NOTIFICATIONS.name, encode(note), b"x", headers=HEADERS_OF_EVENT[Notification])
    listed = json.loads(await asyncio.to_thread(run, fresh_topics.bootstrap_servers, "list", "--json"))["episodes"]
    assert [(one["episode_id"], one["told"]) for one in listed] == [("e2", "waiting"), ("e1", "muted"), ("e0", "yes")]


@pytest.fixture
def kafka_address(fresh_topics) -> str:
    return fresh_topics.bootstrap_servers


@pytest.mark.parametrize(
    "words",
    [
        ("mute", "KRW-BTC", "--for", "0h"), ("mute", "KRW-BTC", "--for", "soon"), ("mute", "rule:nope"),
        ("mute", "a b"), ("mute", "coin:"), ("list", "--since", "yesterday-ish"),
    ],
)  # fmt: skip
def test_wrong_words_are_a_wrong_use(words) -> None:
    result = CliRunner().invoke(app, ["alerts", *words])
    assert isinstance(result.exception, WrongUse)
