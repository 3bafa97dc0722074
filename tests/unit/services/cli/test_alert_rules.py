"""`tapewatch alerts rules`: the rules in force as a table, and one line for a broken file."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.alert_worker.rules_example import example
from services.cli.main import app
from shared.errors import WrongUse


def run(*words: str, **environment: str) -> str:
    done = CliRunner().invoke(app, ["alerts", "rules", *words], env=environment, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "rules.toml"
    file.write_text(
        '[rules.move_abs]\npercent = {thin = 10}\n[quiet_hours]\nnotice = "22:30-08:00"\n'
        '[[mutes]]\ntarget = "KRW-DOGE"\nuntil = 2020-01-01T00:00:00Z\n',
        encoding="utf-8",
    )
    return file


def test_every_number_is_shown_beside_the_built_in_one(file) -> None:
    said = run(str(file))
    row = "rules.move_abs.percent\t{ busy = 2, middle = 2, thin = 10, new = 2 }\t2\tleast move within five minutes\n"
    assert row in said
    assert "quiet for notice: 22:30-08:00 Korean time\n" in said
    assert "muted: KRW-DOGE until 2020-01-01 09:00 KST (over), rules file\n" in said


def test_the_file_of_the_settings_is_looked_at_when_none_is_named(file) -> None:
    assert run(TAPEWATCH_ALERTS__RULES_FILE=str(file)) == run(str(file))
    assert run() != run(str(file))


def test_the_example_can_be_begun_with(tmp_path) -> None:
    assert run("--example") == example()
    copy = tmp_path / "copy.toml"
    copy.write_text(run("--example"), encoding="utf-8")
    assert run(str(copy)) == run()


def test_programs_read_json(file) -> None:
    found = json.loads(run(str(file), "--json"))
    assert found["version"].startswith("moves/")
    assert {
        "table": "storms",
        "key": "least_coins",
        "value": "4",
        "default": "4",
        "says": "coins of one direction",
    } in (found["rules"])
    assert [mute["target"] for mute in found["mutes"]] == ["KRW-DOGE"]


def test_a_broken_file_is_wrong_use(tmp_path) -> None:
    with pytest.raises(WrongUse, match=r"no\.toml: cannot be read: No such file or directory"):
        run(str(tmp_path / "no.toml"))
