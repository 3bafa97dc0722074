"""`tapewatch settings`: everything that is in force, where it came from, and no secret."""

import json
import subprocess
import sys
from pathlib import Path

from services.cli.settings import setting_rows
from shared.settings import Settings, load_with_origins


def test_every_setting_has_a_row_with_its_origin(tmp_path: Path) -> None:
    file = tmp_path / "tapewatch.toml"
    file.write_text("[redis]\nstream_cap = 50\n", encoding="utf-8")
    environ = {"TAPEWATCH_CONFIG": str(file), "TAPEWATCH_UPBIT__SYMBOLS": "KRW-BTC,KRW-ETH"}
    rows = {key: (value, origin) for key, value, origin in setting_rows(load_with_origins(environ))}
    assert len(rows) == sum(len(type(values).model_fields) for _, values in Settings())
    assert rows["TAPEWATCH_REDIS__STREAM_CAP"] == (50, f"file {file}")
    assert rows["TAPEWATCH_UPBIT__SYMBOLS"] == ("KRW-BTC,KRW-ETH", "environment")
    assert rows["TAPEWATCH_SLACK__BOT_TOKEN"] == (None, "default")


def test_no_secret_is_shown() -> None:
    secret = {
        "TAPEWATCH_SLACK__BOT_TOKEN": "xoxb-very-secret",
        "TAPEWATCH_POSTGRES__DSN": "postgresql://me:very-secret@127.0.0.1/x",
        "TAPEWATCH_KAFKA__SASL_PASSWORD": "very-secret",
    }
    shown = setting_rows(load_with_origins(secret))
    assert "very-secret" not in repr(shown)
    assert {key for key, value, _ in shown if value == "***"} >= set(secret)


def test_programs_read_json() -> None:
    command = [sys.executable, "-m", "services.cli", "settings", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"TAPEWATCH_METRICS__PORT": "9"})
    assert json.loads(done.stdout)["TAPEWATCH_METRICS__PORT"] == {"value": 9, "origin": "environment"}
