"""A market that stands still: told from a quiet one, from a hole for everybody, and from a feed that is down."""

import random

import msgspec
import pytest

from services.alert_worker.feeds import LATE_US, Feeds
from services.alert_worker.messages.alert_message import headline, one_line, render
from services.alert_worker.messages.message import Circumstances
from services.alert_worker.messages.wording import ENGLISH, KOREAN
from shared.events import FeedEvent

COINS = [f"C{number}" for number in range(7)]
WARM_S = 130 * 60
START_US = 1_700_000_000_000_000


@pytest.fixture
def minutes(make_market):
    """Coins of one exchange that trade every twenty seconds for `seconds`, except when they are silent."""

    def make(silent, seconds=WARM_S + 1_500, every=20, coins=7):
        trades = []
        for place, coin in enumerate(COINS[:coins]):
            market = make_market(f"KRW-{coin}")
            times = (at for at in range(0, seconds, every) if not silent(place, at))
            trades += [market.trade(n, at + place / 10, 1_000_000) for n, at in enumerate(times)]
        return sorted(trades, key=lambda trade: trade.received_at_us)

    return make


def first_stands(place, at):
    return place == 0 and WARM_S <= at < WARM_S + 900


def test_a_market_that_stands_still_while_others_go_on_is_told_and_resolved(minutes, play) -> None:
    opened, over = play(minutes(first_stands), is_live=True)
    assert (opened.kind, opened.state, opened.symbol) == ("halt", "open", "KRW-C0")
    assert (opened.direction, opened.severity, opened.price_now) == ("none", "warning", "1000000")
    assert 300 <= (opened.window_s or 0) <= 480
    assert opened.started_at_us == START_US + (WARM_S - 20) * 1_000_000
    assert (over.state, over.episode_id) == ("resolve", opened.episode_id)
    assert 900 <= (over.window_s or 0) <= 1_000


@pytest.mark.parametrize(("coins", "told"), [(3, []), (4, ["open", "resolve"])])
def test_three_that_go_on_are_enough_to_tell_of_a_fourth(minutes, play, coins, told) -> None:
    assert [alert.state for alert in play(minutes(first_stands, coins=coins), is_live=True)] == told


def test_two_of_four_that_stand_still_may_be_the_exchange(minutes, play) -> None:
    def two_stand(place, at):
        return place < 2 and WARM_S <= at < WARM_S + 900

    assert play(minutes(two_stand, coins=4), is_live=True) == []


def test_a_hole_for_everybody_is_no_halt_and_neither_is_who_comes_back_last(minutes, play) -> None:
    assert play(minutes(lambda place, at: WARM_S <= at < WARM_S + 600 + 40 * place), is_live=True) == []


def test_a_market_that_often_is_silent_is_no_halt(minutes, play) -> None:
    def seldom(place, at):
        return place == 0 and (at // 60 % 3 > 0 or WARM_S <= at < WARM_S + 900)

    assert play(minutes(seldom), is_live=True) == []


@pytest.mark.parametrize("at", [200, 420, 800, 1_100])
def test_a_restart_around_a_halt_gives_the_same_alerts(minutes, play, at) -> None:
    trades = minutes(first_stands)
    place = sum(trade.traded_at_us <= START_US + (WARM_S + at) * 1_000_000 for trade in trades)
    whole = [alert.alert_id for alert in play(trades, is_live=True)]
    assert [alert.alert_id for alert in play(trades, restart_at=place, is_live=True)] == whole != []


def test_a_halt_is_the_same_in_any_order_and_at_any_price(minutes, play) -> None:
    trades = minutes(first_stands)
    thousandfold = [msgspec.structs.replace(trade, price=f"{trade.price}000") for trade in trades]
    told = [[alert.alert_id for alert in play(one, is_live=True)] for one in (trades, thousandfold)]
    told.append([alert.alert_id for alert in play(trades, shuffle=random.Random(4), is_live=True)])
    assert told[0] == told[1] == told[2] != []


def feed(kind, at_us, symbols=("KRW-BTC",), exchange="upbit", connection="upbit-0", channel="trade", **more):
    return FeedEvent(
        kind=kind, exchange=exchange, reason="", at_us=at_us, channel=channel, connection=connection,
        symbols=None if symbols is None else list(symbols), **more,
    )  # fmt: skip


@pytest.fixture
def halt(make_alert):
    """KRW-BTC is silent since six minutes."""
    return make_alert(
        "open", kind="halt", detectors=["halt"], direction="none", window_s=360, received_at_us=None,
        severity="warning", price_before=None, change_pct=None,
    )  # fmt: skip


NOW_US = START_US + 360_000_000
BEFORE_US = NOW_US - 100_000_000


@pytest.mark.parametrize(
    ("events", "suppressed_by"),
    [
        ([], None),
        ([feed("connected", BEFORE_US)], None),
        ([feed("stalled", BEFORE_US)], "feed"),
        ([feed("disconnected", BEFORE_US)], "feed"),
        ([feed("disconnected", BEFORE_US, symbols=None)], "feed"),
        ([feed("stalled", BEFORE_US, symbols=["KRW-ETH"])], None),
        ([feed("stalled", BEFORE_US, exchange="binance")], None),
        ([feed("stalled", BEFORE_US), feed("connected", NOW_US - 50_000_000)], "feed"),
        ([feed("stalled", NOW_US - 900_000_000), feed("connected", NOW_US - 800_000_000)], None),
        ([feed("stalled", BEFORE_US, symbols=["KRW-ETH"]), feed("stalled", NOW_US - 50_000_000)], "feed"),
        ([feed("stalled", BEFORE_US, symbols=["KRW-ETH"]), feed("disconnected", NOW_US - 50_000_000)], "feed"),
        ([feed("stalled", BEFORE_US, symbols=["KRW-ETH"]), feed("stalled", BEFORE_US, symbols=None)], "feed"),
        ([feed("stalled", BEFORE_US, symbols=None), feed("stalled", BEFORE_US, symbols=["KRW-ETH"])], "feed"),
        ([feed("stalled", BEFORE_US, symbols=["KRW-ETH"]), feed("stalled", BEFORE_US, symbols=["KRW-XRP"])], None),
        ([feed("disconnected", BEFORE_US), feed("connected", NOW_US - 50_000_000)], "feed"),
        (
            [
                feed("stalled", BEFORE_US, symbols=["KRW-ETH"]),
                feed("disconnected", BEFORE_US + 9),
                feed("connected", BEFORE_US + 999),
            ],
            None,
        ),
        ([feed("gap", BEFORE_US, from_us=BEFORE_US - 9_000_000, to_us=BEFORE_US)], "feed"),
    ],
)
def test_a_silence_that_is_ours_is_no_halt(halt, events, suppressed_by) -> None:
    feeds = Feeds()
    for event in events:
        feeds.hear(event)
    assert feeds.mark(halt, NOW_US).suppressed_by == suppressed_by


@pytest.mark.parametrize("kind", ["stalled", "disconnected"])
def test_a_market_that_came_back_on_another_connection_is_heard_again_and_those_that_did_not_are_not(
    halt, make_alert, kind
) -> None:
    feeds, other = Feeds(), msgspec.structs.replace(halt, symbol="KRW-ETH")
    feeds.hear(feed(kind, BEFORE_US, symbols=["KRW-BTC", "KRW-ETH"], connection="upbit-0-trades-2"))
    feeds.hear(feed("connected", BEFORE_US + 9_000_000, symbols=["KRW-BTC"], connection="upbit-0-trades-1"))
    assert feeds.mark(halt, NOW_US).suppressed_by == "feed"  # of its window, a part is missing
    later_us = NOW_US + 86_400_000_000
    assert feeds.mark(halt, later_us).suppressed_by is None
    assert feeds.mark(make_alert("open"), later_us).suppressed_by is None
    assert feeds.mark(other, later_us).suppressed_by == "feed"
    feeds.hear(feed("connected", later_us - 3_000_000_000, symbols=["KRW-ETH"], connection="upbit-0-trades-1"))
    assert feeds.mark(other, later_us).suppressed_by is None


def hour_of(*symbols, first_us=NOW_US - 3_600_000_000):
    """A connection that stands, and says so each five minutes, as heard in an hour."""
    times = range(first_us, NOW_US, 300_000_000)
    return [feed("connected", at_us, symbols=symbols, to_us=at_us) for at_us in times]


UNREAD = [
    (hour_of("KRW-ETH"), "a market that is read no more, as far back as is known"),
    ([*hour_of("KRW-BTC"), feed("connected", NOW_US - 350_000_000, symbols=["KRW-ETH"])], "taken off the settings"),
    ([*hour_of("KRW-BTC"), feed("gone", NOW_US - 350_000_000, channel=None)], "gone from the exchange's list"),
]
READ = [
    (hour_of("KRW-BTC", "KRW-ETH"), "it stands"),
    (hour_of("KRW-ETH", first_us=NOW_US - 900_000_000), "its connection may not have spoken yet"),
    (
        [*hour_of("KRW-BTC"), feed("connected", NOW_US - 400_000_000, symbols=["KRW-ETH"]),
         feed("connected", NOW_US - 399_000_000, connection="upbit-0-trades-2")],
        "moved to another connection",
    ),
    (
        [*hour_of("KRW-BTC", "KRW-ETH"), feed("connected", NOW_US - 1, symbols=["KRW-ETH"], to_us=NOW_US - 1)],
        "left out once, while it was stalled",
    ),
    ([*hour_of("KRW-BTC"), feed("gone", BEFORE_US, channel=None), feed("listed", BEFORE_US, channel=None)], "back"),
    (hour_of("ETHUSDT"), "of another exchange"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("events", "suppressed_by"),
    [pytest.param(events, by, id=why) for of, by in ((UNREAD, "feed"), (READ, None)) for events, why in of],
)
def test_a_market_that_nobody_reads_any_more_does_not_stand_still(halt, events, suppressed_by) -> None:
    feeds = Feeds()
    for event in events:
        feeds.hear(msgspec.structs.replace(event, exchange="binance") if event.symbols == ["ETHUSDT"] else event)
    assert feeds.mark(halt, NOW_US).suppressed_by == suppressed_by


def test_other_exchanges_connections_bring_nothing_back(halt) -> None:
    feeds = Feeds()
    feeds.hear(feed("disconnected", BEFORE_US, connection="upbit-0-trades-2"))
    feeds.hear(feed("connected", BEFORE_US, exchange="binance", connection="binance-0-trades-1"))
    assert feeds.mark(halt, NOW_US + 86_400_000_000).suppressed_by == "feed"


def test_a_move_over_a_gap_is_told_and_marked(make_alert) -> None:
    move, feeds = make_alert("open"), Feeds()
    ended_us = (move.received_at_us or 0) - 3_000_000
    assert feeds.mark(move, NOW_US) is move
    feeds.hear(feed("gap", ended_us, from_us=START_US - 10**15, to_us=ended_us + LATE_US))
    marked = feeds.mark(move, NOW_US)
    assert (marked.data_quality, marked.suppressed_by) == ("gapped", None)
    assert feeds.mark(make_alert("resolve"), NOW_US).data_quality == "ok"
    older = Feeds()
    older.hear(feed("gap", ended_us, from_us=0, to_us=START_US - 60_000_000))
    assert older.mark(move, NOW_US).data_quality == "ok"


def test_a_stalled_feed_tells_no_moves_and_a_lost_one_still_does(make_alert) -> None:
    for kind, suppressed_by in (("stalled", "feed"), ("disconnected", None)):
        feeds = Feeds()
        feeds.hear(feed(kind, START_US))
        assert feeds.mark(make_alert("open"), NOW_US).suppressed_by == suppressed_by


def test_a_halt_in_words(halt) -> None:
    over = msgspec.structs.replace(halt, state="resolve", window_s=900)
    assert one_line(halt, ENGLISH) == "WARNING · Upbit KRW-BTC: no trades for 6 min while other markets go on"
    assert one_line(over, ENGLISH) == "RESOLVED · Upbit KRW-BTC: trades again after 15 min"
    assert one_line(halt, KOREAN) == "경고 · 업비트 KRW-BTC: 6분 동안 체결 없음, 다른 종목은 거래 중"
    assert headline(over, KOREAN) == "✅ 해제 · 업비트 KRW-BTC: 15분 만에 거래 재개"
    text = str(render(halt, ENGLISH, Circumstances(NOW_US)).blocks)
    assert "?" not in text.replace("code?", "").replace("exchange?", "")
