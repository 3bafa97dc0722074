"""What an exchange says anew of a market: told once, after a restart too; never what was so before."""

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from services.alert_worker.feeds import Feeds
from services.alert_worker.messages.alert_message import headline, render
from services.alert_worker.messages.message import Circumstances
from services.alert_worker.messages.wording import ENGLISH, KOREAN
from services.alert_worker.mutes import Mutes, check_target
from services.alert_worker.notices import Notices
from services.alert_worker.rules.ruleset import DEFAULTS, Notice, ruleset
from shared.events import Alert, Control, FeedEvent, Instrument

US = 1_700_000_000_000_000
BTC = Instrument(
    exchange="upbit", symbol="KRW-BTC", base="BTC", quote="KRW", status="trading", updated_at_us=US,
    korean_name="비트코인",
)  # fmt: skip
ETH = replace(BTC, symbol="KRW-ETH", base="ETH")


def hear(notices: Notices, records: Iterable[Instrument], first: int | None = None) -> list[Alert]:
    offset = notices.position if first is None else first
    found = [notices.hear(record, number, DEFAULTS) for number, record in enumerate(records, offset)]
    return [alert for alert in found if alert is not None]


def changed(**fields: object) -> Instrument:
    return replace(BTC, updated_at_us=US + 60_000_000, **fields)


@pytest.mark.parametrize(
    ("before", "after", "changes", "severity"),
    [
        ({}, {"warning": True}, ["raised:WARNING"], "warning"),
        ({"warning": True}, {}, ["lifted:WARNING"], "notice"),
        ({}, {"cautions": ["PRICE_FLUCTUATIONS"]}, ["raised:PRICE_FLUCTUATIONS"], "notice"),
        ({"cautions": ["A", "B"]}, {"cautions": ["C", "B"]}, ["raised:C", "lifted:A"], "notice"),
        ({}, {"status": "gone"}, ["gone"], "warning"),
        ({}, {"status": "halted"}, ["halted"], "warning"),
        ({"status": "halted"}, {}, ["resumed"], "notice"),
        ({"status": "gone"}, {"listed_at_us": US}, ["listed"], "notice"),
    ],
)
def test_a_change_is_told_once(before, after, changes, severity) -> None:
    notices = Notices()
    assert hear(notices, [replace(BTC, **before)]) == []
    [alert] = hear(notices, [changed(**after)])
    assert (alert.kind, alert.detectors, alert.direction) == ("notice", ["notice"], "none")
    assert (alert.changes, alert.severity, alert.event_at_us) == (changes, severity, US + 60_000_000)
    again = replace(changed(**after), updated_at_us=US + 120_000_000)  # the producer started anew
    assert hear(notices, [again]) == []


def test_what_was_there_when_the_topic_was_first_read_is_no_news() -> None:
    notices = Notices()
    assert notices.begin(0, 3) == 0
    assert hear(notices, [BTC, changed(warning=True), replace(ETH, listed_at_us=US)]) == []
    assert [alert.changes for alert in hear(notices, [changed(warning=False)])] == [["lifted:WARNING"]]


def test_a_market_that_we_never_heard_of_is_news_only_if_it_was_listed_lately() -> None:
    notices = Notices()
    new = replace(ETH, listed_at_us=US, cautions=["PRICE_FLUCTUATIONS"])
    assert hear(notices, [BTC, replace(ETH, symbol="KRW-OLD", listed_at_us=US - 10**13)]) == []
    assert hear(notices, [replace(ETH, symbol="KRW-GONE", listed_at_us=US, status="gone")]) == []
    assert [alert.changes for alert in hear(notices, [new])] == [["listed", "raised:PRICE_FLUCTUATIONS"]]


def test_the_same_market_under_the_name_of_its_aggregated_trades_is_told_once() -> None:
    notices = Notices()
    both = [replace(BTC, exchange="binance_agg"), replace(BTC, exchange="binance")]
    assert hear(notices, both) == []
    assert len(hear(notices, [replace(one, warning=True, updated_at_us=US + 1) for one in both])) == 1


def test_a_restart_goes_on_where_it_was_and_a_repeat_has_the_same_id() -> None:
    notices = Notices()
    records = [BTC, ETH, changed(warning=True), replace(ETH, status="gone", updated_at_us=US + 1)]
    hear(notices, records[:2])
    saved = notices.packed()
    told = hear(notices, records[2:])
    for resumed in (Notices(), Notices()):
        resumed.unpack(saved)
        assert resumed.begin(0, 4) == 2
        assert hear(resumed, records[2:]) == told
    assert len({alert.alert_id for alert in told}) == 2


def test_a_topic_made_anew_is_read_as_if_for_the_first_time() -> None:
    notices = Notices()
    hear(notices, [BTC, ETH, BTC])
    assert notices.begin(0, 2) == 0
    assert hear(notices, [changed(warning=True), ETH]) == []


def test_it_can_be_off_and_muted_by_market_and_by_rule() -> None:
    notices = Notices()
    off = ruleset(notice=Notice(enabled=False))
    hear(notices, [BTC])
    assert notices.hear(changed(warning=True), 1, off) is None
    [alert] = hear(notices, [changed()])
    for target in ("KRW-BTC", "coin:BTC", "rule:notice"):
        mutes = Mutes()
        mutes.hear(Control(action="mute", target=check_target(target), at_us=US))
        assert mutes.holds(alert, US)


def test_a_stalled_feed_takes_nothing_from_it() -> None:
    notices, feeds = Notices(), Feeds()
    hear(notices, [BTC])
    [alert] = hear(notices, [changed(warning=True)])
    feeds.hear(FeedEvent(kind="stalled", exchange="upbit", reason="x", at_us=US, channel="trade", connection="c"))
    assert feeds.mark(alert, US) == alert


@pytest.mark.parametrize(
    ("wording", "line", "head"),
    [
        (
            ENGLISH,
            "WARNING · Upbit KRW-BTC: now under investment warning, no longer under caution: price fluctuation",
            "🟠 WARNING · Upbit KRW-BTC: now under investment warning, no longer under caution: price fluctuation",
        ),
        (
            KOREAN,
            "경고 · 업비트 KRW-BTC: 유의 종목 지정, 주의: 가격 급등락 해제",
            "🟠 경고 · 업비트 KRW-BTC: 유의 종목 지정, 주의: 가격 급등락 해제",
        ),
    ],
)
def test_the_message_says_it_all_in_both_languages(wording, line, head) -> None:
    notices = Notices()
    hear(notices, [replace(BTC, cautions=["PRICE_FLUCTUATIONS"])])
    [alert] = hear(notices, [changed(warning=True)])
    message = render(alert, wording, Circumstances(US + 62_000_000))
    assert message.text == line
    assert headline(alert, wording) == head
    small = message.blocks[-1]["elements"]
    assert "2.0" in small[0]["text"]
    assert not any("explain" in one["text"] for one in small)
    assert any("alerts mute" in one["text"] for one in small)


def test_a_flag_that_nobody_knows_is_shown_by_its_name_and_harmless() -> None:
    notices = Notices()
    hear(notices, [BTC])
    [alert] = hear(notices, [changed(cautions=["<!channel>"])])
    assert "<!channel>" not in render(alert, ENGLISH, Circumstances(US)).text
