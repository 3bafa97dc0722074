"""The file that a person names in another shell says what an environment would."""

from pathlib import Path

from services.cli.demo.looking import write_settings
from shared.settings import load_settings


def test_what_is_written_is_read_as_settings(tmp_path: Path) -> None:
    password, config = tmp_path / "password", tmp_path / "look.toml"
    password.write_text('a "quoted" 비밀 𝄞\n', encoding="utf-8")
    users = {"TAPEWATCH_KAFKA__SASL_PASSWORD_FILE": str(password), "TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS": "here:1"}
    shared = {
        "TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS": "there:1",
        "TAPEWATCH_START__WAIT_S": "60",
        "PATH": "/bin",
        "TAPEWATCH_WATCHDOG__HEARTBEAT_URL": "https://a/secret",
    }
    write_settings(config, shared, users)
    assert "secret" not in config.read_text(encoding="utf-8")
    assert config.stat().st_mode & 0o777 == 0o600
    settings = load_settings({"TAPEWATCH_CONFIG": str(config)})
    assert settings.kafka.bootstrap_servers == "here:1"
    assert settings.kafka.sasl_password is not None
    assert settings.kafka.sasl_password.get_secret_value() == 'a "quoted" 비밀 𝄞'
    assert settings.start.wait_s == 60
