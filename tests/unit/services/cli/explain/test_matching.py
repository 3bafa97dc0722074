"""The words that were recorded stand for what a replay makes of the same trades, by when and which way."""

from datetime import UTC, datetime

from services.alert_worker.explanation import Span
from services.alert_worker.records import Market
from services.cli.explain.matching import NEAR_US, recorded_of, remarks, shown
from shared.events import Alert

AT = int(datetime(2026, 11, 24, 13, 27, tzinfo=UTC).timestamp()) * 1_000_000
S = 1_000_000
BITCOIN = Market("upbit", "KRW-BTC", "BTC", "KRW")
AROUND = Span(AT - 120 * S, AT + 180 * S)


def alert(alert_id: str, **changes: object) -> Alert:
    fields: dict[str, object] = {
        "alert_id": alert_id, "episode_id": "e1", "state": "open", "kind": "move", "detectors": ["move"],
        "scope": "symbol", "direction": "down", "severity": "notice", "started_at_us": AT, "decided_at_us": AT,
        "rule_version": "moves/1", "exchange": "upbit", "symbol": "KRW-BTC", "base": "BTC", "event_at_us": AT,
    } | changes  # fmt: skip
    return Alert(**fields)  # type: ignore[arg-type]


def test_further_steps_of_an_old_episode_are_shown_and_not_the_opening_that_a_replay_takes_them_for() -> None:
    steps = [alert("old-1", state="escalate"), alert("old-2", state="escalate", event_at_us=AT + 30 * S)]
    assert shown([alert("new-open", event_at_us=AT + 2 * S)], steps, BITCOIN, AROUND) == steps


def test_what_the_replay_alone_makes_of_it_stays_beside_what_was_recorded() -> None:
    fell = alert("fell", state="escalate")
    elsewhen, up = alert("later", event_at_us=AT + NEAR_US + 1), alert("up", direction="up")
    over = alert("over", state="resolve", event_at_us=AT + S)
    found = shown([elsewhen, up, over], [fell], BITCOIN, AROUND)
    assert [one.alert_id for one in found] == ["fell", "up", "over", "later"]


def test_a_recorded_word_just_outside_is_shown_when_the_replay_says_it_inside() -> None:
    word = alert("word", event_at_us=AROUND.to_us + 5 * S)
    assert shown([alert("replayed", event_at_us=AROUND.to_us - 5 * S)], [word], BITCOIN, AROUND) == [word]
    assert shown([], [word], BITCOIN, AROUND) == []


def test_an_id_is_known_again_whenever_it_was_decided() -> None:
    recorded = alert("e1-open", event_at_us=AT + 3 * NEAR_US // 2)
    assert shown([alert("e1-open")], [recorded], BITCOIN, AROUND) == [recorded]


def test_the_word_about_all_markets_is_about_each_of_them() -> None:
    storm = alert("s", scope="market", kind="storm", exchange=None, symbol=None, members=["upbit:KRW-BTC"])
    assert recorded_of([storm], BITCOIN, AROUND) == [storm]
    assert recorded_of([storm], Market("upbit", "KRW-ETH", "ETH", "KRW"), AROUND) == []
    fell = alert("replayed")
    assert shown([fell], [storm], BITCOIN, AROUND) == [storm, fell], "which is no word about the market's own fall"


def test_notices_of_the_market_and_the_time_are_found_under_every_name_of_its_exchange() -> None:
    said = {"kind": "notice", "detectors": ["notice"], "direction": "none", "changes": ["raised:WARNING"]}
    tether = Market("binance", "BTCUSDT", "BTC", "USDT")
    recorded = [
        alert("n1", exchange="binance_agg", symbol="BTCUSDT", **said),
        alert("n2", exchange="binance", symbol="BTCUSDT", event_at_us=AT - 1, **said),
        alert("n3", exchange="binance", symbol="ETHUSDT", **said),
        alert("n4", exchange="upbit", symbol="BTCUSDT", **said),
        alert("n5", exchange="binance", symbol="BTCUSDT", event_at_us=AT + 2, **said),
        alert("m1", exchange="binance", symbol="BTCUSDT", event_at_us=AT + 1),
    ]
    found = recorded_of(recorded, tether, Span(AT - 1, AT + 1))
    assert [one.alert_id for one in found] == ["n2", "n1", "m1"]
    assert [one.alert_id for one in remarks(found)] == ["n2", "n1"]
