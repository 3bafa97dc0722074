"""`tapewatch explain` over files: a table, JSON, and one line for what is not held."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.cli.main import app
from shared.errors import Unreachable, WrongUse

BEGAN = int(datetime(2024, 11, 22, 10, 0, tzinfo=UTC).timestamp())


def run(*words: str, **environment: str) -> str:
    done = CliRunner().invoke(app, ["explain", *words], env=environment, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def minutes(tmp_path: Path) -> str:
    """Four calm hours of minutes from 19:00 in Korea on, and a fall by four per cent at 22:27."""
    file = tmp_path / "upbit_KRW-BTC_1m.csv"
    lines, price = ["timestamp,open,high,low,close,volume"], 100_000_000
    for minute in range(240):
        close = 96_000_000 if minute >= 207 else 100_000_000 + 20_000 * (minute % 3)
        top, low = max(price, close), min(price, close)
        lines.append(f"{BEGAN + 60 * minute},{price},{top},{low},{close},3.5")
        price = close
    file.write_text("\n".join(lines), encoding="utf-8")
    return str(file)


def test_a_fall_is_explained_by_every_rule_and_its_threshold(minutes) -> None:
    said = run("KRW-BTC", "2024-11-22T22:27", "--from", minutes)
    for words in (
        "KRW-BTC on upbit, from 2024-11-22 22:25:00 to 22:30:00 KST", "upbit_KRW-BTC_1m.csv", "move_abs", "1.5 %, 8 σ",
        "fired at 22:27", "is suspected", "would be told", "→ it came to: open (danger)",
    ):  # fmt: skip
        assert words in said


def test_a_calm_minute_names_the_nearest_rule(minutes) -> None:
    said = run("KRW-BTC", "2024-11-22 21:00", "--from", minutes)
    assert "no rule fired: the nearest was " in said
    assert "% of its threshold" in said


def test_programs_read_json(minutes) -> None:
    found = json.loads(run("upbit:KRW-BTC", "2024-11-22T13:27Z", "--from", minutes, "--json"))
    assert (found["exchange"], found["symbol"], found["source"]) == ("upbit", "KRW-BTC", "upbit_KRW-BTC_1m.csv")
    assert [alert["state"] for alert in found["alerts"]] == ["open"]
    assert found["alerts"][0]["told"] == "would be told"
    move = next(one for one in found["rules"] if one["rule"] == "move_abs")
    assert move["measures"][0]["value"] == pytest.approx(4.0, abs=0.1)
    assert move["fired_at_us"] is not None


def test_a_rules_file_counts_with_its_mutes(minutes, tmp_path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('[[mutes]]\ntarget = "KRW-BTC"\nuntil = 2030-01-01T00:00:00Z\n', encoding="utf-8")
    assert "would not be told: muted by the rules file" in run(
        "KRW-BTC", "2024-11-22T22:27", "--from", minutes, TAPEWATCH_ALERTS__RULES_FILE=str(rules)
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("KRW-XRP", "2024-11-22T22:27"), "upbit_KRW-BTC_1m.csv: holds no trade of KRW-XRP: it holds upbit:KRW-BTC"),
        (
            ("KRW-BTC", "2024-11-23T22:27"),
            "holds KRW-BTC from 2024-11-22 19:00:00 to 22:59:59 KST, and not from 2024-11-23 22:25:00",
        ),
        (("KRW-BTC", "2024-11-21T22:27"), "and not from 2024-11-21 22:25:00 to 22:30:00 KST"),
        (("KRW-BTC", "soon"), "'soon' is no time"),
        (("KRW-BTC", "22:27", "--around", "2x"), "--around: '2x' is not like 30s, 2m or 4h"),
        (("KRW-BTC", "22:27", "--warm-up", "90h"), "--warm-up: '90h' is not like"),
    ],
)
def test_what_is_not_held_is_one_line_with_what_is(minutes, words, said) -> None:
    with pytest.raises(WrongUse) as caught:
        run(*words, "--from", minutes)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_kafka_and_postgres_it_says_what_did_not_answer() -> None:
    with pytest.raises(Unreachable, match="Kafka did not answer"):
        run(
            "KRW-BTC", "22:27", TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS="127.0.0.1:1", TAPEWATCH_START__WAIT_S="0",
            TAPEWATCH_POSTGRES__DSN="postgresql://x@127.0.0.1:1/x",
        )  # fmt: skip
