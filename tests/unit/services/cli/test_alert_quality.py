"""The histories that the document names are those that are there: a name without a file would drop out unseen."""

import os
from pathlib import Path

import pytest

from services.alert_worker.backtest.labels import Event
from services.alert_worker.backtest.report import Result
from services.alert_worker.backtest.scoring import OURS, Month, Score
from services.cli.alert_quality import CHOSEN_ON, PICTURES, Found, document
from services.cli.made_quality import Made

HISTORIES = Path(os.environ.get("TAPEWATCH_RECORDINGS") or Path(__file__).parents[5] / "shared/recordings") / "history"
FALL = Event(-1, 0, 1, 2, 3, -0.05)


@pytest.mark.needs_recordings
def test_every_history_that_is_named_is_there() -> None:
    if not HISTORIES.is_dir():
        pytest.skip("needs_recordings")
    there = {file.name.split(".")[0] for file in HISTORIES.iterdir()}
    assert {*CHOSEN_ON, *PICTURES} <= there


def history(name: str, missed: int = 0, later: int = 0, episodes: int = 0, calm: int = 0) -> dict[str, Found]:
    """Ten wild days of two moves and ten calm ones."""
    score = Score(OURS, events=2, missed=missed, delays_s=[40.0] * (2 - missed), later_than_fixed=later, days=20.0)
    score.plain_events, score.plain_missed, score.plain_later = 3, missed + 1, later
    score.since_start_s = [90.0] * (2 - missed)
    score.episodes = score.told = episodes + calm
    months = [Month("2021-05", 10.0, 2, episodes), Month("2021-06", 10.0, 0, calm)]
    result = Result(name, 1, 100, 20.0, 0, 1, [("X", FALL)] * 2, {OURS: score}, months)
    return {name: Found(result, None, [])}


def row(text: str, begins: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith(f"| {begins}"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_what_misses_a_target_is_shown_wherever_it_was_measured() -> None:
    chosen = history(CHOSEN_ON[0], episodes=3, calm=1)
    coins = history("binance_ETHUSDT_1m_2022-06", missed=1, later=1, episodes=2) | history(
        "binance_XRPUSDT_1m_2022-06", episodes=11, calm=2
    )
    text = document(chosen | history("binance_BTCUSDT_1m_2022-06") | coins, None)
    assert row(text, "every move") == [
        "every move of 3 % within 10 minutes told", "2 of 2; of every 3 % **2 of 3**",
        "2 of 2; of every 3 % **2 of 3**", "**3 of 4**; of every 3 % **3 of 6**",
    ]  # fmt: skip
    assert row(text, "never later")[1:] == [
        "0 later; of every 3 % 0 later", "0 later; of every 3 % 0 later", "**1 later**; of every 3 % **1 later**"
    ]  # fmt: skip
    assert row(text, "median delay")[1:] == ["40 s", "40 s", "40 s"]
    assert row(text, "at most 1 episode")[1:] == [
        "3 in 10.0 days, 0.30", "0 in 10.0 days, 0.00",
        "13 in 20.0 days, 0.65; **binance_XRPUSDT_1m_2022-06: 11 in 10.0 days, 1.10**",
    ]  # fmt: skip
    assert row(text, "at most 0.1 in a calm")[1:] == [
        "1 in 10.0 days, 0.10", "0 in 10.0 days, 0.00",
        "2 in 20.0 days, 0.10; **binance_XRPUSDT_1m_2022-06: 2 in 10.0 days, 0.20**",
    ]  # fmt: skip


def test_every_history_says_whether_it_was_chosen_on() -> None:
    text = document(history(CHOSEN_ON[0], episodes=3) | history("binance_ETHUSDT_1m_2022-06", missed=1), None)
    assert row(text, CHOSEN_ON[0])[1:8] == ["chosen on", "20.0", "2 of 2", "2 of 3", "40 s", "90 s", "0"]
    assert row(text, "binance_ETHUSDT_1m_2022-06")[1:4] == ["held out", "20.0", "1 of 2"]
    assert "Shocks of known size" not in text


def test_a_kind_of_made_histories_is_one_row_of_all_of_them() -> None:
    results = [one.result for one in (history("a", missed=1, episodes=3, calm=1) | history("b", later=1)).values()]
    text = document(history(CHOSEN_ON[0]), None, [Made("thinner", results)])
    assert row(text, "thinner")[1:] == [
        "3 of 4", "3 of 6", "40 s", "1", "3 in 20.0 days, 0.15", "1 in 20.0 days, 0.05"
    ]  # fmt: skip


def test_who_was_told_once_in_a_few_hours_is_said_to_be_no_more_than_that() -> None:
    found = history("upbit_allKRW_ticks_2026-05-12")
    (result,) = (one.result for one in found.values())
    result.months = [Month("2026-05", 0.25, 1, 1)] * 3 + [Month("2026-05", 0.25, 0, 0)]
    assert "each of the 3 markets with a labelled move had one episode" in document(found, None)
    assert "some 6 hours, in which one message is 4 a day" in document(found, None)
    result.months += [Month("2026-05", 0.25, 1, 2)]
    assert "had one episode" not in document(found, None)
