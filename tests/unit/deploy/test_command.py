"""The command that the installer makes: with the machine's settings and secrets, and the caller's before them."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.settings import secret_keys
from shared.settings_sources import env_name

SYSTEMD = Path(__file__).parents[3] / "deploy/systemd"
SCRIPT = (SYSTEMD / "tapewatch.sh").read_text(encoding="utf-8")
ENVIRONMENT = """\
# a comment
#TAPEWATCH_ALERTS__LANGUAGE=ko
TAPEWATCH_SLACK__CHANNEL=#tapewatch
TAPEWATCH_UPBIT__SYMBOLS=KRW-BTC, KRW-ETH; touch ran
TAPEWATCH_BINANCE__SYMBOLS="BTC'USDT"
TAPEWATCH_SLACK__CHANNEL=#the-last
"""

Run = Callable[..., dict[str, str]]


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    etc = tmp_path / "etc"
    for name in ("reader/dsn", "owner/dsn", "postgres/dsn", "slack/bot_token"):
        (etc / "credentials" / name).parent.mkdir(parents=True)
        (etc / "credentials" / name).write_text(name, encoding="utf-8")
    (etc / "tapewatch.env").write_text(ENVIRONMENT.removesuffix("\n"), encoding="utf-8")
    return etc


@pytest.fixture
def run(etc: Path, tmp_path: Path) -> Run:
    script = tmp_path / "tapewatch.sh"
    program = "/usr/bin/env -0"
    script.write_text(
        SCRIPT.replace("/etc/tapewatch\n", f"{etc}\n").replace("/opt/tapewatch/bin/tapewatch", program),
        encoding="utf-8",
    )

    def environment_of_the_program(**given: str) -> dict[str, str]:
        shown = subprocess.run(
            ["/bin/sh", script], env={"PATH": os.environ["PATH"], **given}, check=True, capture_output=True, text=True,
            cwd=tmp_path,
        ).stdout  # fmt: skip
        pairs = (one.partition("=")[::2] for one in shown.split("\0") if one)
        return {name: value for name, value in pairs if name.startswith("TAPEWATCH_")}

    return environment_of_the_program


def test_settings_are_read_as_systemd_reads_them_and_nothing_of_them_is_run(run: Run, tmp_path: Path) -> None:
    seen = run()
    assert {name: value for name, value in seen.items() if not name.endswith("_FILE")} == {
        "TAPEWATCH_SLACK__CHANNEL": "#the-last",
        "TAPEWATCH_UPBIT__SYMBOLS": "KRW-BTC, KRW-ETH; touch ran",
        "TAPEWATCH_BINANCE__SYMBOLS": "BTC'USDT",
    }
    assert not (tmp_path / "ran").exists()


def test_the_stores_are_given_the_login_that_only_reads(run: Run, etc: Path) -> None:
    seen = run()
    assert {name: value for name, value in seen.items() if name.endswith("_FILE")} == {
        "TAPEWATCH_POSTGRES__DSN_FILE": f"{etc}/credentials/reader/dsn",
        "TAPEWATCH_SLACK__BOT_TOKEN_FILE": f"{etc}/credentials/slack/bot_token",
    }


@pytest.mark.parametrize(
    "name", ["TAPEWATCH_POSTGRES__DSN", "TAPEWATCH_POSTGRES__DSN_FILE", "TAPEWATCH_SLACK__CHANNEL"]
)
def test_what_the_caller_set_goes_first(run: Run, name: str) -> None:
    value = 'it\'s "mine"\n$(touch ran)'
    seen = run(**{name: value})
    assert seen[name] == value
    assert sum(key.startswith("TAPEWATCH_POSTGRES__DSN") for key in seen) == 1


def test_a_machine_without_settings_has_the_command_all_the_same(run: Run, etc: Path) -> None:
    (etc / "tapewatch.env").unlink()
    assert "TAPEWATCH_SLACK__CHANNEL" not in run()


def test_every_secret_is_known_to_it_and_has_its_directory() -> None:
    known = re.findall(r"^secret (\w+) (\w+)/(\w+)$", SCRIPT, re.MULTILINE)
    assert sorted(f"TAPEWATCH_{name}" for name, _, _ in known) == sorted(env_name(*one) for one in secret_keys())
    directories = (SYSTEMD / "tapewatch.tmpfiles").read_text(encoding="utf-8")
    assert all(f"/etc/tapewatch/credentials/{directory} 0700 " in directories for _, directory, _ in known)
