"""The command: quick to start, every group there, one line for what people can mend."""

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from services.cli.main import app

COMMANDS = [
    ["demo"],
    ["stack", "up"],
    ["stack", "down"],
    ["stack", "status"],
    ["stack", "env"],
    ["simulator"],
    ["topics", "create"],
    ["db", "migrate"],
    ["redis", "acl"],
    ["producer"],
    ["consumer"],
    ["alert-worker"],
    ["alerts", "list"],
    ["alerts", "mute"],
    ["alerts", "unmute"],
    ["alerts", "test"],
    ["alerts", "rules"],
    ["backtest"],
    ["explain"],
    ["status"],
    ["doctor"],
    ["tail"],
    ["dead-letters", "list"],
    ["dead-letters", "show"],
    ["dead-letters", "replay"],
    ["reconcile"],
    ["settings"],
]
HEAVY = ("aiokafka", "asyncpg", "redis", "websockets", "aiohttp", "slack_sdk", "sqlalchemy", "supervisor", "jgo")


def tapewatch(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TAPEWATCH_")}
    command = [sys.executable, "-m", "services.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=kept | environment, check=False)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_by_an_example(command: list[str]) -> None:
    told = CliRunner().invoke(app, [*command, "--help"])
    assert told.exit_code == 0
    assert "Usage" in told.output
    assert "Example: " in told.output


def test_the_command_imports_no_service_until_one_is_wanted() -> None:
    code = (
        "import sys, services.cli.main\n"
        f"print([name for name in sys.modules if name.partition('.')[0] in {HEAVY!r}\n"
        "       or name.startswith('services.') and not name.startswith('services.cli')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_setting_is_named_in_one_line() -> None:
    done = tapewatch("settings", TAPEWATCH_KAFKA__BOOTSTRAP_SERVER="x")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "TAPEWATCH_KAFKA__BOOTSTRAP_SERVER is not a setting" in done.stderr


def test_wrong_use_ends_with_2() -> None:
    for arguments in (["nope"], ["consumer", "nope"], ["demo", "--seconds", "0"], ["tail", "candles"]):
        assert CliRunner().invoke(app, arguments).exit_code == 2, arguments


def test_a_demo_that_cannot_be_is_refused_before_anything_starts() -> None:
    done = tapewatch("demo", "--scenario", "nope")
    assert done.returncode == 2
    assert done.stderr.startswith("tapewatch demo: --scenario nope: choose one of flash-crash")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--scenario", "Calm"], "--scenario Calm: choose one of"),
        (["--recordings", "/nowhere/upbit/2021"], "--recordings /nowhere/upbit/2021: no file begins like this"),
        (["--recordings", "/nowhere/binance_usdm/2021"], "futures cannot be played"),
        (["--speed", "2"], "--speed: only recordings can be played faster"),
        (["--live", "--recordings", "/x/upbit/2021"], "--live: the real exchanges and --recordings cannot"),
        (["--report", "/nowhere/report.json"], "--report: cannot write /nowhere/report.json"),
    ],
)
def test_the_demo_says_what_is_wrong_before_it_starts_anything(
    arguments: list[str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("TAPEWATCH_")]:
        monkeypatch.delenv(name)
    done = CliRunner().invoke(app, ["demo", *arguments])
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert says in done.stderr


def test_what_nobody_foresaw_ends_it_with_a_traceback_that_shows_no_secret() -> None:
    unforeseen = (
        "import sys\n"
        "from services.cli.main import app, main\n"
        "from shared.redaction import hide\n"
        "@app.command('unforeseen')\n"
        "def unforeseen():\n"
        "    raise KeyError('of ' + 'open' + 'sesame')\n"
        "hide('open' + 'sesame')\n"
        "sys.argv = ['tapewatch', 'unforeseen']\n"
        "main()\n"
    )
    ended = subprocess.run([sys.executable, "-c", unforeseen], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("Traceback")
    assert ended.stderr.rstrip().endswith("KeyError: 'of ***'")
