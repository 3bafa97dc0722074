"""`tapewatch backtest`: files in; tables, JSON, a chart and the power curve out."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from services.cli.main import app
from shared.errors import WrongUse

START_S = 1_700_006_400
"""Where a stretch of four hours begins."""

QUIET = [100.0, 100.02] * 345
FALL = [99.0, 98.0, 97.0, 96.0, 95.0]
CLOSES = [*QUIET, *FALL, *[95.0, 95.02] * 12]
"""Half a day of minutes, the last half hour with a fall of 5 % that stays."""


def run(*words: str | Path) -> str:
    done = CliRunner().invoke(app, ["backtest", *map(str, words)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def as_json(*words: str | Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*words, "--json"))
    return found


@pytest.fixture
def make_file(tmp_path: Path) -> Callable[[str, Sequence[float]], Path]:
    """A file of minutes, each opening where the one before closed."""

    def make(name: str, closes: Sequence[float] = CLOSES) -> Path:
        lines = ["timestamp,open,high,low,close,volume"]
        for number, (opened, close) in enumerate(zip([closes[0], *closes], closes, strict=False)):
            prices = (opened, max(opened, close), min(opened, close), close)
            lines.append(",".join(map(str, (START_S + number * 60, *(f"{price:.2f}" for price in prices), 40_000))))
        file = tmp_path / name
        file.write_text("\n".join(lines), encoding="utf-8")
        return file

    return make


@pytest.fixture
def fall(make_file) -> Path:
    return make_file("binance_BTCUSDT_1m_made.csv")


def test_a_fall_is_told_before_the_fixed_rule_and_programs_can_read_it(fall) -> None:
    found = as_json(fall)
    (history,) = found["histories"]
    assert (history["name"], history["symbols"]) == ("binance_BTCUSDT_1m_made", 1)
    assert history["trades"] == len(CLOSES) * 12
    assert [(event["symbol"], event["change_pct"]) for event in history["events"]] == [("BTCUSDT", -5.02)]
    ours, fixed = history["rules"]["tapewatch"], history["rules"]["fixed 2 %"]
    assert (ours["told"], ours["later_than_fixed"], fixed["told"]) == (1, 0, 1)
    assert 0 <= ours["delay_s_p50"] <= fixed["delay_s_p50"] < ours["delay_s_p50"] + 180
    assert ours["delay_s_p50"] < ours["since_start_s_p50"]
    assert found["alerts"][0]["state"] == "open"
    assert found["alerts"][0]["direction"] == "down"
    assert found["power"] == []


def test_people_get_a_table_with_the_naive_rules_and_on_request_every_episode(fall) -> None:
    said = run(fall)
    assert "binance_BTCUSDT_1m_made: 8,628 trades, 1 symbol, 0.5 symbol-days" in said
    assert {"tapewatch", "fixed 2 %", "mean of 5", "CUSUM"} <= {line.strip()[:9].strip() for line in said.splitlines()}
    assert "binance BTCUSDT" not in said
    assert "binance BTCUSDT" in run(fall, "--episodes")


def test_an_episode_is_drawn_by_the_beginning_of_its_name(fall, tmp_path) -> None:
    name = as_json(fall)["alerts"][0]["episode_id"]
    picture = tmp_path / "fall.png"
    run(fall, "--chart", name[:8], "--out", picture)
    assert picture.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(WrongUse, match="no episode's name begins with 'nothing'; --episodes lists them"):
        run(fall, "--chart", "nothing", "--out", tmp_path / "none.png")
    with pytest.raises(WrongUse, match="--out: cannot write"):
        run(fall, "--chart", name[:8], "--out", tmp_path / "no" / "fall.png")


def test_a_fall_of_many_is_listed_as_of_all_and_drawn_by_the_one_that_fell_most(make_file, tmp_path) -> None:
    closes = [*QUIET[:40], *FALL, 94.0]
    files = [make_file(f"binance_{coin}USDT_1m_made.csv", closes) for coin in ("AAA", "BBB", "CCC", "DDD")]
    storm = next(one for one in as_json(*files, "--together")["alerts"] if one["kind"] == "storm")
    said = run(*files, "--together", "--episodes")
    assert "market-wide, 4 markets" in said
    assert "None" not in said
    picture = tmp_path / "storm.png"
    run(*files, "--together", "--chart", storm["episode_id"], "--out", picture)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_shocks_in_quiet_hours_are_told_the_sooner_the_larger_they_are(fall) -> None:
    shocks = {(one["size"], one["over_s"]): one for one in as_json(fall, "--power")["power"]}
    assert {one["tried"] for one in shocks.values()} == {1}
    assert shocks[0.01, 60]["delays_s"] == []
    (large,), (larger,) = shocks[0.03, 60]["delays_s"], shocks[0.08, 60]["delays_s"]
    assert 0 < larger < large <= 60
    assert "8.0%" in run(fall, "--power")


def test_files_are_played_one_by_one_or_as_one_market(fall, make_file) -> None:
    other = make_file("binance_ETHUSDT_1m_made.csv", QUIET)
    assert [one["symbols"] for one in as_json(fall, other)["histories"]] == [1, 1]
    assert "all of them" in run(fall, other)
    (merged,) = as_json(fall, other, "--together")["histories"]
    assert merged["name"] == "binance_BTCUSDT_1m_made + binance_ETHUSDT_1m_made"
    assert (merged["symbols"], merged["trades"]) == (2, 12 * (len(CLOSES) + len(QUIET)))
    assert [event["symbol"] for event in merged["events"]] == ["BTCUSDT"]


def test_other_rules_tell_other_things(fall, tmp_path) -> None:
    rules = tmp_path / "rules.toml"
    off = "".join(f"[rules.{name}]\nenabled = false\n" for name in ("move", "move_abs", "jump", "drift"))
    rules.write_text(off, encoding="utf-8")
    found = as_json(fall, "--rules", rules)
    assert found["alerts"] == []
    assert found["histories"][0]["rules"]["tapewatch"]["told"] == 0


def test_a_file_whose_name_says_nothing_needs_the_market_beside_it(make_file) -> None:
    unnamed = make_file("prices.csv", QUIET)
    with pytest.raises(WrongUse, match="say --market binance:BTCUSDT, or rename it"):
        run(unnamed)
    assert as_json(unnamed, "--market", "upbit:KRW-BTC")["histories"][0]["trades"] == 12 * len(QUIET)


def test_nothing_to_play_is_wrong_use(tmp_path) -> None:
    with pytest.raises(WrongUse, match="nothing to play"):
        run()
    with pytest.raises(WrongUse, match="no such file"):
        run(tmp_path / "binance_BTCUSDT_none.csv")
