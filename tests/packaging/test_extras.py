"""The wheel installed elsewhere, with one extra at a time: its command starts, and what it misses is named."""

import json
import re
import subprocess
import tomllib
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.packaging.conftest import EXTRAS

Start = Callable[..., "subprocess.Popen[str]"]
Run = Callable[..., tuple[int, str, str]]

REPOSITORY = Path(__file__).parents[2]
pytestmark = [pytest.mark.long, pytest.mark.timeout(180)]


@pytest.mark.parametrize(
    ("extra", "command", "address"),
    [
        ("", "topics create", "127.0.0.1:1"),
        ("producer", "producer binance", "127.0.0.1:1"),
        ("consumer", "consumer redis", "127.0.0.1:1"),
        ("consumer", "consumer postgres", "127.0.0.1:1"),
        ("migrate", "db migrate", "127.0.0.1:1"),
        ("alert-worker", "alert-worker", "127.0.0.1:1"),
        ("reconcile", "reconcile --truth truth.jsonl", "127.0.0.1:1"),
    ],
)
def test_one_extra_is_enough_for_its_command(
    tapewatch: Run, tmp_path: Path, extra: str, command: str, address: str
) -> None:
    (tmp_path / "truth.jsonl").touch()
    assert tapewatch(extra, *command.split(), "--help")[0] == 0
    code, _, stderr = tapewatch(extra, *command.split())
    assert code == 3, stderr
    last = stderr.strip().splitlines()[-1]
    assert last.startswith("tapewatch")
    assert address in last
    assert "Traceback" not in stderr
    assert "hidden" not in stderr


def test_the_watchdog_runs_with_its_extra_alone(tapewatch: Run, tmp_path: Path) -> None:
    """Far from systemd it can see nothing; that it tells, and by then it has found its way to Slack."""
    assert tapewatch("watchdog", "watchdog", "--help")[0] == 0
    code, _, stderr = tapewatch("watchdog", "watchdog", PATH=str(tmp_path), TAPEWATCH_SLACK__BOT_TOKEN="xoxb-hidden")
    assert code == 3, stderr
    assert stderr.strip().splitlines()[-1].startswith("tapewatch watchdog: there is no systemctl here")
    assert "Traceback" not in stderr
    assert "hidden" not in stderr


def test_who_misses_other_hosts_runs_with_the_watchdogs_extra(tapewatch: Run) -> None:
    code, _, stderr = tapewatch("watchdog", "deadman", "--listen", "192.0.2.1")  # of nobody's machine (RFC 5737)
    assert code == 2, stderr
    assert "cannot listen on 192.0.2.1" in stderr.strip().splitlines()[-1]
    assert "Traceback" not in stderr


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_brings_its_own_packages_and_none_of_another(
    environments: "dict[str, Future[Path]]", extra: str
) -> None:
    """The alert worker's host has no way to speak to PostgreSQL or Redis, the watchdog's none to an exchange."""
    of_extras = {
        name: {re.split(r"[\[<>=]", one)[0] for one in needs}
        for name, needs in tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"][
            "optional-dependencies"
        ].items()
        if name in EXTRAS
    }
    own = of_extras.get(extra, set())
    foreign = set().union(*of_extras.values()) - own
    there = installed(environments[extra].result())
    assert own <= there
    assert foreign & there == set()


def installed(environment: Path) -> set[str]:
    """The names of all packages in an environment, as `pyproject.toml` spells them."""
    names = "from importlib.metadata import distributions as d; print(*(one.metadata['Name'] for one in d()))"
    python = environment / "bin" / "python"
    said = subprocess.run([python, "-I", "-c", names], check=True, capture_output=True, text=True).stdout
    return {name.lower().replace("_", "-") for name in said.split()}


def test_simulator_runs_with_its_extra_alone(start: Start, tmp_path: Path) -> None:
    truth = tmp_path / "truth.jsonl"
    simulator = start("simulator", "simulator", "--expect", "0", "--truth", str(truth))
    addresses = json.loads(simulator.stdout.readline())
    with urlopen(f"{addresses['control_url']}/status") as status:
        assert status.status == 200
    simulator.terminate()
    _, stderr = simulator.communicate(timeout=30)
    assert simulator.returncode == 0, stderr
    assert truth.exists()


def test_servers_that_no_package_brings_may_be_set_instead(tapewatch: Run) -> None:
    code, _, stderr = tapewatch("", "stack", "up", TAPEWATCH_REDIS__URL="")
    assert code == 3, stderr
    assert "set TAPEWATCH_REDIS__URL" in stderr
    assert "Traceback" not in stderr


def test_servers_can_be_asked_for_with_their_extra_alone(tapewatch: Run) -> None:
    code, _, stderr = tapewatch("devstack", "stack", "status")
    assert code == 3, stderr
    assert "Traceback" not in stderr


@pytest.mark.parametrize(
    ("extra", "command", "wanted"),
    [
        ("", "producer upbit", "producer"),
        ("", "consumer redis", "consumer"),
        ("", "db migrate", "migrate"),
        ("", "alert-worker", "alert-worker"),
        ("", "watchdog", "watchdog"),
        ("consumer", "deadman", "watchdog"),
        ("", "simulator", "simulator"),
        ("", "reconcile --truth truth.jsonl", "reconcile"),
        ("", "demo", "demo"),
        ("consumer", "producer upbit", "producer"),
        ("simulator", "alert-worker", "alert-worker"),
        ("producer", "consumer postgres", "consumer"),
    ],
)
def test_the_extra_that_is_missing_is_named(
    tapewatch: Run, tmp_path: Path, extra: str, command: str, wanted: str
) -> None:
    (tmp_path / "truth.jsonl").touch()
    code, _, stderr = tapewatch(extra, *command.split())
    assert code == 2, stderr
    line = stderr.strip().splitlines()[-1]
    install = rf"\S+python\S* -m pip install 'tapewatch\[{wanted}\] @ file:\S+[.]whl'"
    assert re.fullmatch(rf"tapewatch: this needs the package \w+: {install}", line)
    assert "Traceback" not in stderr


def test_settings_are_shown_without_any_extra(tapewatch: Run) -> None:
    code, stdout, stderr = tapewatch("", "settings")
    assert code == 0, stderr
    assert "hidden" not in stdout
    assert "***" in stdout
