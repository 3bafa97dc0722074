"""Why people were told, or not: one line for every way that an alert may go."""

from datetime import UTC, datetime
from io import StringIO

import pytest
from rich.console import Console

from services.alert_worker.explanation import Explanation, Span
from services.alert_worker.mutes import Mutes
from services.alert_worker.quiet_hours import QuietHours, read_hours
from services.alert_worker.records import Market
from services.cli.explain.tables import Told, show
from services.cli.explain.verdicts import Records, Wishes, conclusion, verdict
from shared.events import Alert, Control, Notification

AT = int(datetime(2026, 11, 24, 13, 27, tzinfo=UTC).timestamp()) * 1_000_000  # 22:27 in Korea


def alert(**changes: object) -> Alert:
    fields: dict[str, object] = {
        "alert_id": "e1-1-open", "episode_id": "e1", "state": "open", "kind": "move", "detectors": ["move"],
        "scope": "symbol", "direction": "down", "severity": "notice", "started_at_us": AT, "decided_at_us": AT,
        "rule_version": "moves/1", "exchange": "upbit", "symbol": "KRW-BTC", "base": "BTC", "event_at_us": AT,
    } | changes  # fmt: skip
    return Alert(**fields)  # type: ignore[arg-type]


def receipt(name: str = "e1", stage: str = "sent", *told: str, **more: object) -> Notification:
    return Notification(
        episode_id=name, notifier="slack-bot", stage=stage, alert_id="e1-1-open", alert_ids=list(told), at_us=AT, **more
    )  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("recorded", "receipts", "said"),
    [
        ({}, [receipt("e1", "sent", "e1-1-open")], "told by slack-bot"),
        ({}, [receipt("storm-x", "sent", "e1-1-open", episodes=["e1"])], "told in the message of a storm"),
        ({}, [receipt("late-x", "sent", "e1-1-open", episodes=["e1"])], "told in the message of what was told late"),
        ({}, [receipt("morning-x", "sent", "e1-1-open", episodes=["e1"])], "quiet hours"),
        ({}, [receipt("e1", "refused", reason="channel_not_found")], "refused: channel_not_found"),
        ({}, [receipt("e1", "intent")], "waits to be told"),
        ({}, [receipt("e1", "sent", "e1-2-escalate")], "told with a later change"),
        ({}, [], "waits to be told"),
        ({"suppressed_by": "mute"}, [], "not told: muted"),
        ({"suppressed_by": "joined"}, [], "same coin on another exchange"),
        ({"suppressed_by": "stalled feed"}, [], "not told: stalled feed"),
        ({"data_quality": "stale"}, [], "more than ten minutes after"),
        ({"data_quality": "backfilled"}, [], "refilled"),
        ({"state": "resolve"}, [], "nobody was told of its beginning"),
    ],
)
def test_what_was_recorded_decides(recorded, receipts, said) -> None:
    found = alert(**recorded)
    records = Records({found.alert_id: found}, {one.episode_id: one for one in receipts})
    assert said in verdict(alert(), records, Wishes())


def test_what_was_not_recorded_says_so() -> None:
    assert "not recorded" in verdict(alert(), Records(), Wishes())


def test_of_what_postgres_alone_keeps_it_is_known_who_was_told_only_where_a_receipt_is_left() -> None:
    kept = {one.alert_id: one for one in (alert(), alert(alert_id="e1-1", state="escalate"))}
    records = Records(kept, {"e1": receipt("e1", "sent", "e1-1")}, only_stored=kept)
    assert verdict(kept["e1-1"], records, Wishes()) == "told by slack-bot"
    assert verdict(kept["e1-1-open"], records, Wishes()) == "recorded; whether people were told is not known here"
    assert "waits" not in verdict(kept["e1-1"], Records(kept, {}, only_stored=kept), Wishes())


def test_what_was_recorded_stands_in_the_conclusion_though_the_trades_are_gone() -> None:
    found = Explanation(Market("upbit", "KRW-BTC", "BTC", "KRW"), Span(AT, AT + 1), "moves/1")
    said = conclusion(found, [alert(state="escalate")], "the trades of that time could not be read: …")
    assert said == ["the trades of that time could not be read: …", "it came to: escalate (notice)"]


def test_without_records_it_says_what_would_have_been() -> None:
    assert verdict(alert(), None, Wishes()) == "would be told"
    mutes = Mutes()
    mutes.stand([Control(action="mute", target="coin:BTC", at_us=0, until_us=AT + 1)])
    assert "muted by the rules file" in verdict(alert(), None, Wishes(mutes))
    assert verdict(alert(event_at_us=AT + 1), None, Wishes(mutes)) == "would be told"
    quiet = QuietHours({"notice": read_hours("22:00-08:00")})
    assert "quiet hours" in verdict(alert(), None, Wishes(quiet=quiet))
    assert verdict(alert(severity="danger"), None, Wishes(quiet=quiet)) == "would be told"
    assert "another exchange" in verdict(alert(suppressed_by="joined"), None, Wishes())


def test_nothing_traded_is_no_calm() -> None:
    found = Explanation(Market("upbit", "KRW-BTC", "BTC", "KRW"), Span(0, 1), "moves/1")
    assert conclusion(found) == ["there was no trade in this time, so nothing was judged"]


def notice(**changes: object) -> Alert:
    fields: dict[str, object] = {
        "alert_id": "n1-notice", "episode_id": "n1", "kind": "notice", "detectors": ["notice"], "direction": "none",
        "changes": ["raised:WARNING"],
    }  # fmt: skip
    return alert(**(fields | changes))


def test_a_standstill_that_was_recorded_is_shown_though_no_trade_tells_of_it() -> None:
    halt = alert(alert_id="h1-open", episode_id="h1", kind="halt", detectors=["halt"], direction="none", window_s=720)
    market = Market("upbit", "KRW-BTC", "BTC", "KRW")
    said = conclusion(Explanation(market, Span(AT, AT + 1), "moves/1"), [halt])
    assert said[-1] == "recorded: no trades for 12 min while other markets go on"


def test_a_notice_is_shown_in_words_with_its_verdict() -> None:
    found = Explanation(Market("upbit", "KRW-BTC", "BTC", "KRW"), Span(AT, AT + 1), "moves/1")
    held_back = notice(suppressed_by="mute")
    records = Records({held_back.alert_id: held_back})
    console = Console(width=160, record=True, file=StringIO())
    show(
        console, found, "a file", [Told(notice(), verdict(notice(), records, Wishes()))], conclusion(found, [notice()])
    )
    shown = console.export_text()
    for words in ("now under investment warning", "not told: muted", "→ the exchange said: now under investment"):
        assert words in shown
