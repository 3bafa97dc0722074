"""Alerts on the topic, a worker that may die anywhere, a Slack that may be away: what people are told in the end."""

from collections.abc import Awaitable, Callable, Iterable

import pytest

from services.simulator.slack.api import SlackLimits
from shared.clock import now_us
from shared.events import Alert, Instrument
from shared.topics import ALERTS, INSTRUMENTS
from shared.wire import HEADERS_OF_EVENT, encode

Tell = Callable[[Iterable[Alert]], Awaitable[None]]


def episode(name: str, *states: str, **changes: object) -> list[Alert]:
    now = now_us()
    fields: dict[str, object] = {
        "episode_id": name, "kind": "move", "detectors": ["move"], "scope": "symbol", "direction": "down",
        "severity": "warning", "started_at_us": now - 6_000_000, "decided_at_us": now, "rule_version": "moves/1",
        "exchange": "upbit", "symbol": f"KRW-{name.upper()}", "base": name.upper(), "quote": "KRW",
        "event_at_us": now - 300_000, "received_at_us": now - 290_000, "price_before": "1000", "price_now": "950",
        "price_extreme": "950", "change_pct": "-5.00", "window_s": 6,
    } | changes  # fmt: skip
    return [Alert(state=state, alert_id=f"{name}-{state}", **fields) for state in states]  # type: ignore[arg-type]


@pytest.fixture
def decide(producer) -> Tell:
    async def publish(alerts: Iterable[Alert]) -> None:
        for alert in alerts:
            await producer.send(
                ALERTS.name, encode(alert), alert.episode_id.encode(), headers=HEADERS_OF_EVENT[Alert]
            )  # fmt: skip
        await producer.flush()

    return publish


@pytest.fixture
def all_settled(notifications) -> Callable[[int], Callable[[], Awaitable[bool]]]:
    """Whether everything before an offset of the alerts' topic needs nothing more."""

    def until(offset: int) -> Callable[[], Awaitable[bool]]:
        async def settled() -> bool:
            return max((note.settled_offset for note in await notifications()), default=0) >= offset

        return settled

    return until


MAY_LOOK = frozenset({"chat:write", "files:write", "channels:read", "channels:history"})
MAY_NOT_LOOK = frozenset({"chat:write", "files:write"})


@pytest.mark.parametrize("moment", ["alert-intended", "alert-told", "alert-receipt-kept"])
@pytest.mark.parametrize(("scopes", "most"), [(MAY_LOOK, 1), (MAY_NOT_LOOK, 2)], ids=["looks", "cannot-look"])
@pytest.mark.parametrize("many", [pytest.param(1, id="single"), pytest.param(30, id="storm", marks=pytest.mark.long)])
async def test_killed_at_the_worst_moment_it_tells_at_least_once_and_repeats_only_a_lost_receipt(
    worker, slack, decide, eventually, all_settled, moment, scopes, most, many
) -> None:
    slack.api.granted = scopes
    alerts = [alert for n in range(many) for alert in episode(f"e{n}", "open")]
    await decide(alerts)
    worker.environment["FAILPOINT"] = moment
    await worker.start()
    await worker.ended_by_kill()
    del worker.environment["FAILPOINT"]
    await worker.start()
    await worker.watching()
    await eventually(all_settled(many))
    assert await worker.stop() == 0
    lost = moment == "alert-told" and most == 2
    assert len(slack.parents) == (2 if lost else 1)
    if many == 1:  # a storm's message is edited once its details are told, and is certain by then
        assert ("(may repeat)" in slack.parents[-1].text) == (most == 2 and moment != "alert-receipt-kept")
    assert "KRW-E0" in str([message.blocks for message in slack.messages])


@pytest.mark.long
@pytest.mark.timeout(150)
async def test_a_storm_while_slack_is_away_is_told_after_most_severe_first_merged_and_counted(
    worker, slack, decide, eventually, all_settled, notifications
) -> None:
    """As after ten minutes without Slack: what was decided then still waits."""
    then = {"decided_at_us": now_us() - 600_000_000}
    grave = [a for n in range(10) for a in episode(f"d{n}", "open", severity="danger", change_pct="-12.00", **then)]
    mild = [a for n in range(60) for a in episode(f"w{n}", "open", **then)]
    over = [a for n in range(80) for a in episode(f"o{n}", "open", "resolve", severity="notice", **then)]
    slack.fail("error", 4, status=503)
    await worker.start()
    await decide(over + mild + grave)
    await eventually(all_settled(len(over + mild + grave)))
    assert await worker.stop() == 0
    late = next(message for message in slack.parents if "Told late" in message.text)
    assert late.text.startswith("DANGER · Told late: 1")
    assert len(slack.parents) <= 4  # the first, whose answers were lost, and all others together
    said = [str(message.blocks) for message in slack.messages]
    for alert in over + mild + grave:
        assert any(f"{alert.symbol}*" in one or f"{alert.symbol} " in one for one in said), alert.symbol
    answers = [message for message in slack.messages if message.thread_ts == late.ts]
    assert "KRW-D" in str(answers[0].blocks)
    assert "stands for" in str([answer.blocks for answer in answers])
    assert {note.stage for note in await notifications()} == {"intent", "sent"}


@pytest.mark.parametrize("fault", ["token_revoked", "channel_not_found", "invalid_blocks"])
async def test_what_slack_refuses_is_a_dead_letter_each_and_never_blocks(
    worker, slack, decide, eventually, all_settled, dead_letters, fault
) -> None:
    slack.fail("refuse", 2, error=fault)
    await worker.start()
    await decide(alert for n in range(3) for alert in episode(f"e{n}", "open"))
    await worker.watching()
    await eventually(all_settled(3))
    assert await worker.stop() == 0
    assert len(slack.parents) == 1
    letters = await dead_letters()
    assert len(letters) == 2
    assert all(fault in letter.reason and letter.reader == "notifier-slack-bot" for letter in letters)


async def test_the_chart_follows_the_text_and_stays_until_the_end(worker, slack, publish, crash, eventually) -> None:
    await worker.start()
    await publish(crash(now_us() - 12_000_000))
    await eventually(
        lambda: (
            bool(slack.parents) and "slack_file" in str(slack.parents[0].blocks) and "RESOLVED" in slack.parents[0].text
        )
    )
    (parent,) = slack.parents
    (image,) = (block for block in parent.blocks if block["type"] == "image")
    file = slack.workspace.files[image["slack_file"]["id"]]
    assert file.content.startswith(b"\x89PNG")
    assert "KRW-BTC" in image["alt_text"]
    assert slack.workspace.counts["rejected"] == 0


@pytest.mark.long
@pytest.mark.timeout(150)
async def test_no_call_comes_before_the_time_that_slack_named(
    worker, slack, publish, decide, crash, eventually
) -> None:
    """Messages, edits, and each step of a chart's upload: all are limited, and each for itself."""
    slack.api._limits = SlackLimits(posts_per_s=0.5, posts_burst=1, updates_per_s=0.5, updates_burst=1)
    await decide(alert for n in range(2) for alert in episode(f"e{n}", "open"))
    await worker.start()
    await publish(crash(now_us() - 12_000_000))
    await eventually(lambda: any("slack_file" in str(one.blocks) and "RESOLVED" in one.text for one in slack.parents))
    counts = slack.workspace.counts
    assert counts["rate_limited"] >= 2
    assert counts["too_early"] == 0


async def test_the_first_message_says_what_is_watched_once(worker, slack, producer, eventually, notifications) -> None:
    for exchange, symbol in (("upbit", "KRW-BTC"), ("upbit", "KRW-ETH"), ("binance", "BTCUSDT")):
        listing = Instrument(exchange=exchange, symbol=symbol, base="x", quote="x", status="trading", updated_at_us=1)
        key = f"{exchange}:{symbol}".encode()
        await producer.send(INSTRUMENTS.name, encode(listing), key, headers=HEADERS_OF_EVENT[Instrument])
    await producer.flush()
    worker.environment["TAPEWATCH_ALERTS__GREETING"] = "true"
    for _ in range(2):
        await worker.start()
        await worker.watching()
        await eventually(lambda: len(slack.parents) == 1)
        assert await worker.stop() == 0
    assert slack.parents[0].text == "tapewatch is watching Binance 1, Upbit 2"
    assert [note.stage for note in await notifications()] == ["intent", "sent"]
