"""Many episodes in one message: counted, the worst first, within Slack's limits however many there are."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from services.alert_worker.actions import Place, Together
from services.alert_worker.messages.message import Circumstances
from services.alert_worker.messages.storm_message import render, render_details
from services.alert_worker.messages.wording import ENGLISH, KOREAN, WORDINGS
from services.alert_worker.outbox import MOST_DETAILS
from services.simulator.slack.validate import check_message
from shared.events import Alert

MINUS = "−"
NOW = Circumstances(now_us=1_700_000_009_512_000)


@pytest.fixture
def storm(make_alert: Callable[..., Alert]) -> Callable[..., Together]:
    def make(count: int, state: str = "open", lead: Alert | None = None, **changes: object) -> Together:
        reason = changes.pop("reason", "storm")
        alerts = tuple(
            make_alert(
                state, **{"episode_id": f"e{n:04}", "symbol": f"KRW-C{n}", "change_pct": f"-{9 - n % 7}", **changes}
            )
            for n in range(count)
        )
        fresh = alerts[:MOST_DETAILS]
        names = tuple(alert.episode_id for alert in alerts)
        return Together(
            f"{reason}-e0000", reason, alerts, fresh, fresh, (), names, lead, Place("C1", "1.0"), False, True
        )  # type: ignore[arg-type]

    return make


def shown(message) -> str:
    return str(message.blocks)


def test_the_headline_counts_and_the_line_names_the_top_movers(storm) -> None:
    message = render(storm(37), ENGLISH, NOW, with_details=False)
    assert message.blocks[0]["text"]["text"] == "🔴 DANGER · 37 markets fall"
    assert message.text == (
        f"DANGER · 37 markets fall within 6 s: KRW-C0 {MINUS}9.0 %, KRW-C1 {MINUS}8.0 %, KRW-C2 {MINUS}7.0 %, "
        "and 34 more"
    )
    assert "37 going on, 0 over · DANGER 37" in shown(message)
    assert "and 27 more" in shown(message)
    assert "details in the thread" in shown(message)


SMALL = "move+move_abs (moves/1) · 3.5 s from trade to message · 2023-11-15 07:13:20 KST"
SMALL_KOREAN = "move+move_abs (moves/1) · 체결부터 메시지까지 3.5초 · 2023-11-15 07:13:20 KST"


@pytest.mark.parametrize(("wording", "small"), [(ENGLISH, SMALL), (KOREAN, SMALL_KOREAN)])
def test_the_small_print_says_by_which_rules_how_late_and_what_to_do(storm, make_alert, wording, small) -> None:
    lead = make_alert("open", scope="market", members=["upbit:KRW-C0"], symbol=None, base=None)
    for group, target in ((storm(37), "coin:BTC"), (storm(37, lead=lead), "rule:storm")):
        said = shown(render(group, wording, NOW, with_details=False))
        assert small in said
        assert f"`tapewatch alerts mute {target} --for 1h`" in said
        assert "`tapewatch explain KRW-C0 2023-11-15T07:13`" in said
        assert wording.disclaimer in said


def test_of_what_exchanges_say_nothing_is_explained(storm) -> None:
    news = storm(4, kind="notice", detectors=["notice"], direction="none")
    said = shown(render(news, ENGLISH, NOW, with_details=False))
    assert "notice (moves/1) · 3.5 s from the exchange's list to message" in said
    assert "`tapewatch alerts mute rule:notice --for 1h`" in said
    assert "explain" not in said


def test_coins_are_called_as_in_korea_in_the_message_and_its_thread(storm) -> None:
    names = {"BTC": "비트코인"}
    for message in (
        render(storm(4), ENGLISH, NOW, names, with_details=False),
        render_details(storm(4), ENGLISH, names),
    ):
        assert "*Upbit KRW-C0 비트코인*" in shown(message)


def test_korean_says_it_too(storm) -> None:
    message = render(storm(37, direction="up", change_pct="5.0"), KOREAN, NOW, with_details=False)
    assert message.blocks[0]["text"]["text"] == "🔴 위험 · 37개 종목 상승"
    assert "KRW-C0 +5.0 %" in message.text


def test_when_all_is_over_it_says_so(storm) -> None:
    message = render(storm(5, "resolve"), ENGLISH, NOW, with_details=False)
    assert message.blocks[0]["text"]["text"] == "✅ RESOLVED · 5 markets fall"
    assert message.text.startswith("RESOLVED · 5 markets fall, all over after 6 s")


@pytest.mark.parametrize(("reason", "said"), [("morning", "While it was quiet: 5"), ("late", "Told late: 5")])
def test_why_it_is_told_together(storm, reason, said) -> None:
    assert said in render(storm(5, reason=reason), ENGLISH, NOW, with_details=False).text


def test_markets_that_only_the_detectors_alert_names_are_counted(storm, make_alert) -> None:
    lead = make_alert("open", scope="market", members=["KRW-C0", "upbit:KRW-C1", "KRW-X", "KRW-Y"], symbol=None)
    assert "4 markets fall" in render(storm(2, lead=lead), ENGLISH, NOW, with_details=False).text


def test_the_details_name_every_market_with_its_prices(storm) -> None:
    message = render_details(storm(60), ENGLISH)
    for n in range(60):
        assert f"*Upbit KRW-C{n}*" in shown(message)
    assert f"🔴 *Upbit KRW-C0* {MINUS}9.0 % · 136,839,000 → 129,997,000 KRW" in shown(message)


def test_the_detectors_alert_alone_names_its_markets(storm, make_alert) -> None:
    lead = make_alert(
        "open", scope="market", members=[f"upbit:KRW-C{n}" for n in range(5)], symbol=None, exchange=None,
        price_before=None, price_now=None,
    )  # fmt: skip
    group = replace(storm(1), members=(), fresh=(lead,), covered=(lead,), lead=lead)
    message = render(group, ENGLISH, NOW, with_details=False)
    assert "5 markets fall within 6 s: upbit:KRW-C0, upbit:KRW-C1, upbit:KRW-C2, and 2 more" in message.text
    assert "*5 markets fall*" in shown(render_details(group, ENGLISH))
    check_message(message.text, message.blocks, [])


@pytest.mark.parametrize("wording", WORDINGS.values())
@pytest.mark.parametrize("count", [1, 60, 1_000])
def test_slack_takes_it_whatever_the_markets_are_called(storm, wording, count) -> None:
    evil = "<!channel> <https://evil.example|x> *b*"
    group = storm(count, symbol=evil, exchange="binance", quote="USDT")
    for message in (
        render(group, wording, Circumstances(1, may_repeat=True), with_details=False),
        render(group, wording, Circumstances(1, may_repeat=True), with_details=True),
        render_details(group, wording, may_repeat=True),
    ):
        check_message(message.text, message.blocks, [])
        assert len(message.text) <= 4_000
        assert "<" not in message.text + shown(message)
