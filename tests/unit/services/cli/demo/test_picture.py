"""What the screen shows: rates, episodes, prices, latency from samples."""

from io import StringIO

import msgspec
import pytest
from rich.console import Console

from services.cli.demo.picture import Picture, PriceRow, Rate, ServiceRow
from services.cli.demo.sampling import LatencySampler
from services.cli.demo.view import draw, sparkline
from services.reconcile.latency import JournalLine
from shared.events import Alert, Notification

PLACE = ("tape.trades.v1", 3)
OPEN = Alert(
    alert_id="e-open",
    episode_id="e",
    state="open",
    kind="move",
    detectors=["move"],
    scope="symbol",
    direction="down",
    severity="warning",
    started_at_us=0,
    decided_at_us=1_700_000_000_000_000,
    rule_version="1",
    exchange="upbit",
    symbol="KRW-BTC",
    quote="KRW",
    price_now="88900000",
    change_pct="-3.81",
)


def test_a_rate_is_that_of_the_last_seconds() -> None:
    rate = Rate()
    for second in range(10):
        rate.add(second, 100 * second if second < 5 else 400 + 10 * (second - 4))
    assert rate.count == 450
    assert rate.per_s == pytest.approx(10)


def test_an_episode_goes_through_its_states_and_a_repeat_is_no_news() -> None:
    picture = Picture()
    worse = msgspec.structs.replace(OPEN, alert_id="e-2", state="escalate", severity="danger", change_pct="-4.98")
    better = msgspec.structs.replace(OPEN, alert_id="e-3", state="resolve", severity="notice", change_pct="-0.2")
    assert picture.add_alerts([OPEN, OPEN, worse]) == [OPEN, worse]
    assert not picture.is_told
    fields = {"episode_id": "e", "notifier": "slack", "alert_id": "e-open", "alert_ids": ["e-open"], "at_us": 5}
    picture.add_receipts([msgspec.convert(fields | {"stage": "sent", "settled_offset": 0}, Notification)])
    assert picture.is_told
    picture.add_alerts([better])
    [row] = picture.alerts.values()
    assert (row.is_over, row.severity, row.worst_pct) == (True, "danger", -4.98)


def test_one_message_tells_of_every_episode_that_it_names() -> None:
    picture = Picture()
    falls = [msgspec.structs.replace(OPEN, alert_id=f"{name}-open", episode_id=name) for name in "abc"]
    picture.add_alerts(falls)
    sent = {"notifier": "slack", "stage": "sent", "alert_id": "c-open", "alert_ids": [], "at_us": 5}
    picture.add_receipts([msgspec.convert({**sent, "episode_id": "storm-1", "episodes": ["a", "b"]}, Notification)])
    assert not picture.is_told
    picture.add_receipts([msgspec.convert({**sent, "episode_id": "c"}, Notification)])
    assert picture.is_told


@pytest.mark.parametrize("why", [{"suppressed_by": "joined"}, {"data_quality": "stale"}])
def test_nobody_waits_for_a_message_of_what_is_a_record_alone(why: dict[str, str]) -> None:
    picture = Picture()
    picture.add_alerts([msgspec.structs.replace(OPEN, **why)])
    assert picture.is_told
    out = StringIO()
    Console(file=out, width=124).print(draw(picture, 124))
    assert "no message of its own" in out.getvalue()


def test_at_worst_is_as_far_as_the_price_went_and_not_where_it_was_when_it_was_told() -> None:
    picture = Picture()
    picture.add_alerts(
        [msgspec.structs.replace(OPEN, price_before="100", price_extreme="95", price_now="96.19", change_pct="-3.81")]
    )
    [row] = picture.alerts.values()
    assert row.worst_pct == pytest.approx(-5)


@pytest.mark.parametrize("width", [80, 124])
def test_the_screen_says_what_is_going_on(width: int) -> None:
    picture = Picture(title="flash-crash", phase="market open", slack_page="http://127.0.0.1:1/slack")
    picture.services = [ServiceRow("consumer-redis", "running", 42, restarts=3, memory_mb=61.2)]
    picture.prices = [PriceRow("upbit", "KRW-BTC"), PriceRow("upbit", "KRW-[ETH]")]
    for second in range(30):
        picture.prices[0].add(second, "93421000")
    picture.add_alerts([OPEN])
    picture.flows["trade"].behind = {"redis": 20_000}
    out = StringIO()
    Console(file=out, width=width).print(draw(picture, width))
    for text in (
        "flash-crash",
        "http://127.0.0.1:1/slack",
        "KRW-BTC on Upbit -3.81 %",
        "93,421,000",
    ):
        assert text in out.getvalue()
    for text in ("consumer-redis", "20,000 behind", "KRW-[ETH]", "being told", "61 MB"):
        assert text in out.getvalue()
    assert max(map(len, out.getvalue().splitlines())) <= width


def test_noise_is_drawn_flat_and_a_fall_is_not() -> None:
    assert len(set(sparkline([100.0, 100.01, 99.99]))) <= 2
    assert sparkline([100.0, 95.0]) == "█▁"
    assert sparkline([]) == ""


def test_a_sample_waits_until_every_store_had_its_time() -> None:
    sampler = LatencySampler()
    sampler.add_trade(PLACE, 7, received_at_us=1_000_000)
    sampler.add_trade(PLACE, 7, received_at_us=1_000_000)
    sampler.add_batches([JournalLine("redis", 1_004_000, [(*PLACE, 0, 10)])])
    assert sampler.figures(now_us=2_000_000) == {}
    sampler.add_batches([JournalLine("postgres", 2_000_000, [(*PLACE, 0, 10)])])
    figures = sampler.figures(now_us=3_000_000)
    assert figures["redis"].max == 4.0
    assert figures["postgres"].max == 1_000.0
