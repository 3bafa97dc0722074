"""Settings that are handed on to processes in another directory."""

from pathlib import Path

import pytest

from services.cli.demo.handing_on import handed_on
from services.cli.demo.services import LIVE, shared_environment
from shared.settings import load_settings

FILE = """
[alerts]
language = "ko"
greeting = false
rules_file = "rules.toml"
[upbit]
symbols = ["KRW-BTC", "KRW-ETH"]
[binance]
symbols = []
[watchdog]
probes = "one=http://127.0.0.1:1,two=http://127.0.0.1:2"
[dead_letters]
flood_until = 2026-01-02T03:04:05+09:00
[kafka]
sasl_password = "in the file"
flush_ms = 7
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "mine.toml").write_text(FILE, encoding="utf-8")
    (tmp_path / "password").write_text("in a file of its own", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_relative_paths_mean_the_same_in_another_directory(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    person = {
        "TAPEWATCH_CONFIG": "mine.toml",
        "TAPEWATCH_KAFKA__SSL_CAFILE": "ca.pem",
        "TAPEWATCH_KAFKA__SASL_PASSWORD_FILE": "password",
        "CREDENTIALS_DIRECTORY": "credentials",
    }
    told = handed_on(person)
    monkeypatch.chdir("elsewhere")
    in_force = load_settings(told)
    assert in_force.alerts.rules_file == here / "rules.toml"
    assert in_force.kafka.ssl_cafile == here / "ca.pem"
    assert in_force.kafka.sasl_password is not None
    assert in_force.kafka.sasl_password.get_secret_value() == "in a file of its own"
    assert told["CREDENTIALS_DIRECTORY"] == str(here / "credentials")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("also", [{}, {"TAPEWATCH_KAFKA__FLUSH_MS": "9", "TAPEWATCH_ALERTS__LANGUAGE": ""}])
def test_everything_in_the_file_is_in_force_as_before(also: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    person = {"TAPEWATCH_CONFIG": "mine.toml", "TAPEWATCH_ALERTS__RULES_FILE": "/etc/rules.toml", **also}
    before, told = load_settings(person), handed_on(person)
    monkeypatch.chdir("elsewhere")
    assert load_settings(told) == before


def test_what_is_kept_from_a_process_is_so_in_a_file_too(here: Path) -> None:
    real = '[slack]\nwebhook_url = "https://hooks.slack.example/real"\n'
    (here / "mine.toml").write_text(real, encoding="utf-8")
    told = shared_environment(
        handed_on({"TAPEWATCH_CONFIG": "mine.toml"}), {}, {"slack_api_url": "http://127.0.0.1:1/api/"}, LIVE
    )
    assert load_settings(told).slack.webhook_url is None
