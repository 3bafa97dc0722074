"""What is shown of a deployment: rates between two looks, how far back Redis reaches, and how it is said."""

import re
from dataclasses import replace

import pytest
from rich.console import Console

from services.cli.status.screen import draw, line, lines, span
from services.cli.status.state import Delay, Flow, NewestTrade, Reach, State, Stream, Success, TopicLag, rates, reaches

S = 1_000_000
STATE = State(
    at_us=1_790_000_000 * S,
    flows=[Flow("tape.trades.v1", 1200, 40.0), Flow("tape.tickers.v1", 10, None)],
    lags=[
        TopicLag("redis", "tape.trades.v1", 1190, 10, 0.0),
        TopicLag("postgres", "tape.trades.v1", 200, 1000, 0.6),
    ],
    newest=[NewestTrade("redis", "upbit", 0.2), NewestTrade("postgres", "upbit", 400.0)],
    delays=[Delay("redis", 3.4), Delay("postgres", None)],
    reach=[Reach("upbit", "KRW-BTC", 2000, 720.0)],
    success=[Success.of("redis", 10, 0), Success.of("postgres", 999_999, 1)],
)


def test_a_rate_is_what_came_between_two_looks() -> None:
    assert rates(None, {"tape.trades.v1": 5}, 0) == [Flow("tape.trades.v1", 5, None)]
    found = rates(STATE, {"tape.trades.v1": 1260, "tape.orderbooks.v1": 7}, STATE.at_us + 2 * S)
    assert found == [Flow("tape.trades.v1", 1260, 30.0), Flow("tape.orderbooks.v1", 7, None)]


def test_two_looks_at_the_same_moment_have_no_rate() -> None:
    assert rates(STATE, {"tape.trades.v1": 1260}, STATE.at_us) == [Flow("tape.trades.v1", 1260, None)]


def test_redis_reaches_back_as_far_as_its_shortest_full_stream() -> None:
    streams = [
        Stream("upbit", "KRW-A", 3, 10 * S, 90 * S),  # holds all that ever came
        Stream("upbit", "KRW-BTC", 100, 70 * S, 99 * S),
        Stream("upbit", "KRW-ETH", 120, 40 * S, 99 * S),
        Stream("binance", "BTCUSDT", 9, 50 * S, 99 * S),
        Stream("binance", "ETHUSDT", 2, 30 * S, 99 * S),
    ]
    expected = [Reach("binance", "ETHUSDT", 2, 70.0), Reach("upbit", "KRW-BTC", 100, 30.0)]
    assert reaches(streams, 100, 100 * S) == expected
    assert reaches(streams[::-1], 100, 100 * S) == expected


def test_who_is_away_is_a_line_and_the_others_are_shown() -> None:
    part = replace(STATE, flows=[], lags=[], delays=[], away={"kafka": "Kafka does not answer"})
    assert "kafka\taway\tKafka does not answer" in lines(part)
    assert line(part).endswith("; kafka is away: Kafka does not answer")
    assert "redis - behind, -, newest upbit 0.2 s" in line(part)
    console = Console(width=100)
    with console.capture() as captured:
        console.print(draw(part))
    assert "kafka is away: Kafka does not answer" in captured.get()


def test_success_is_never_rounded_up() -> None:
    assert Success.of("redis", 999_999, 1).percent == 99.999
    assert Success.of("redis", 99_999_999, 1).percent == 99.999
    assert Success.of("redis", 0, 0).percent is None


def test_lines_hold_every_figure() -> None:
    text = lines(STATE)
    assert "kafka\ttape.trades.v1\tat 1200\t40/s" in text
    assert "kafka\ttape.tickers.v1\tat 10\t-" in text
    assert "postgres\ttape.trades.v1\tat 200\t1000 behind\t60.0% of retention" in text
    assert "redis\thas what Kafka holds after 3.4 ms" in text
    assert "redis\tupbit\treaches back 12 min\tKRW-BTC has 2000 trades" in text
    assert "postgres\t1000000 batches\t99.999 % acknowledged at the first try" in text


def test_one_line_says_it_all() -> None:
    assert line(STATE) == (
        "14:13:20 trades 40/s, tickers -; redis 10 behind (0.0% of retention), 3.4 ms, newest upbit 0.2 s; "
        "postgres 1000 behind (60.0% of retention), more than a second, newest upbit 400.0 s; "
        "redis reaches back 12 min of upbit"
    )


def test_the_screen_warns_by_colour() -> None:
    console = Console(force_terminal=True, color_system="truecolor", width=100)
    with console.capture() as captured:
        console.print(draw(STATE))
    shown = captured.get()
    assert re.search(r"\x1b\[31m *60\.0%", shown)
    assert re.search(r"\x1b\[33m *more than a second", shown)
    assert re.search(r"\x1b\[31m *7 min", shown), "without a trade"


def test_a_deployment_without_a_trade_can_be_shown() -> None:
    empty = replace(STATE, newest=[], reach=[], delays=[])
    assert "newest none" in line(empty)
    with (console := Console(width=100)).capture() as shown:
        console.print(draw(empty))
    assert "caught up" in shown.get()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (119, "119 s"), (120, "2 min"), (7_200, "2.0 h"), (400_000, "4.6 d")]
)
def test_spans_are_short(seconds: float, text: str) -> None:
    assert span(seconds) == text
