from pathlib import Path

import pytest

from shared.errors import WrongUse
from shared.redaction import without_secrets
from shared.settings import Settings, load_settings, load_with_origins

SECRET = "xoxb-12345-do-not-show"
TOKEN = "TAPEWATCH_SLACK__BOT_TOKEN"


@pytest.fixture
def four_sources(tmp_path: Path) -> dict[str, str]:
    """The Slack token set in each of the four places."""
    (tmp_path / "tapewatch.toml").write_text('[slack]\nbot_token = "of file"\nchannel = "#of-file"\n')
    (tmp_path / "token").write_text("of secret file\n")
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "slack_bot_token").write_text("of credentials\n")
    return {
        "CREDENTIALS_DIRECTORY": str(tmp_path / "credentials"),
        f"{TOKEN}_FILE": str(tmp_path / "token"),
        TOKEN: "of environment",
        "TAPEWATCH_CONFIG": str(tmp_path / "tapewatch.toml"),
    }


def test_credentials_beat_secret_files_beat_environment_beats_file(four_sources: dict[str, str]) -> None:
    found = []
    for key in list(four_sources):
        token = load_settings(four_sources).slack.bot_token
        assert token is not None
        found.append(token.get_secret_value())
        del four_sources[key]
    assert found == ["of credentials", "of secret file", "of environment", "of file"]
    assert load_settings({}).slack.bot_token is None


def test_origin_of_each_value_is_told(four_sources: dict[str, str]) -> None:
    loaded = load_with_origins(four_sources | {"TAPEWATCH_KAFKA__FLUSH_MS": "7"})
    assert loaded.origins == {
        "slack.bot_token": "credentials",
        "slack.channel": f"file {four_sources['TAPEWATCH_CONFIG']}",
        "kafka.flush_ms": "environment",
    }
    assert loaded.settings.kafka.flush_ms == 7
    assert loaded.settings.slack.channel == "#of-file"


def test_environment_changes_one_key_of_a_section_and_leaves_the_others(tmp_path: Path) -> None:
    (tmp_path / "t.toml").write_text('[upbit]\nsymbols = ["KRW-BTC", "KRW-ETH"]\nchannels = "trade"\n')
    upbit = load_settings(
        {"TAPEWATCH_CONFIG": f"{tmp_path}/t.toml", "TAPEWATCH_UPBIT__CHANNELS": "ticker, trade"}
    ).upbit
    assert upbit.symbols == ("KRW-BTC", "KRW-ETH")
    assert upbit.channels == ("ticker", "trade")
    assert upbit.rest_url == Settings().upbit.rest_url


def test_an_empty_secret_file_counts_as_not_set(four_sources: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "token").write_text("\n")
    (tmp_path / "credentials" / "slack_bot_token").write_text("")
    loaded = load_with_origins(four_sources)
    assert loaded.origins["slack.bot_token"] == "environment"


def test_an_empty_value_counts_as_not_set() -> None:
    empty = {"TAPEWATCH_METRICS__PORT": "", TOKEN: "", "TAPEWATCH_CONFIG": "", "CREDENTIALS_DIRECTORY": ""}
    assert load_settings(empty) == Settings()


def test_settings_of_the_test_suite_are_no_misspelt_ones() -> None:
    assert load_settings({"TAPEWATCH_RECORDINGS": "/somewhere", "PATH": "/bin"}) == Settings()


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("TAPEWATCH_KAFKA__BOOTSTRAP_SERVER", "a:1", "TAPEWATCH_KAFKA__BOOTSTRAP_SERVER is not a setting"),
        ("TAPEWATCH_KAFKA", "{}", "TAPEWATCH_KAFKA is not a setting"),
        ("TAPEWATCH_KAFKA_FLUSH_MS", "5", "TAPEWATCH_KAFKA_FLUSH_MS is not a setting"),
        ("TAPEWATCH_KAFKA__FLUSH_MS_FILE", "/x", "TAPEWATCH_KAFKA__FLUSH_MS_FILE is not a setting"),
        ("TAPEWATCH_KAFKA__FLUSH_MS", "soon", "TAPEWATCH_KAFKA__FLUSH_MS: Input should be a valid integer"),
        ("TAPEWATCH_KAFKA__FLUSH_MS", "0", "TAPEWATCH_KAFKA__FLUSH_MS: Input should be greater than or equal to 1"),
        ("TAPEWATCH_UPBIT__CHANNELS", "trade,candle", "TAPEWATCH_UPBIT__CHANNELS: Input should be 'trade', 'ticker'"),
        ("TAPEWATCH_LOG__LEVEL", "loud", "TAPEWATCH_LOG__LEVEL: Input should be 'debug'"),
        ("TAPEWATCH_SLACK__BOT_TOKEN_FILE", "/nowhere/token", "TAPEWATCH_SLACK__BOT_TOKEN_FILE: cannot read /nowhere"),
        ("TAPEWATCH_CONFIG", "/nowhere/t.toml", "TAPEWATCH_CONFIG: cannot read /nowhere/t.toml: No such file"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(name: str, value: str, fault: str) -> None:
    with pytest.raises(WrongUse) as error:
        load_settings({name: value})
    assert str(error.value).startswith(fault)
    assert "\n" not in str(error.value)
    assert error.value.exit_code == 2


ADDRESSES = {
    "KAFKA__BOOTSTRAP_SERVERS": (
        "localhost:abc",
        ":99999",
        "localhost:99999",
        "a:1,,b:2",
        "kafka://a:1",
        "me@a:1",
        "::z",
    ),
    "UPBIT__WEBSOCKET_URL": ("nonsense", "ws://h:abc/", "https://api.upbit.com", "wss://", "wss://h/#x", "wss://h h"),
    "BINANCE__WEBSOCKET_URL": ("nonsense", "ws://[h"),
    "UPBIT__REST_URL": ("nonsense", "wss://api.upbit.com", "http://h:0"),
    "BINANCE__REST_URL": ("https://:x", "http://:80"),
    "SLACK__API_URL": ("slack.com/api", "https://slack.com:x/api"),
    "SLACK__WEBHOOK_URL": ("127.0.0.1/zebrafink", "http://[zebrafink"),
    "WEBHOOK__URL": ("http://127.0.0.1:zebrafink/hook",),
    "WATCHDOG__WEBHOOK_URL": ("http//zebrafink",),
    "WATCHDOG__HEARTBEAT_URL": ("zebrafink",),
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in ADDRESSES.items() for value in values])
def test_an_address_that_leads_nowhere_is_told_at_once_and_not_shown(key: str, value: str) -> None:
    with pytest.raises(WrongUse, match=rf"^TAPEWATCH_{key}: .*is not an address: write [^\n]*$") as error:
        load_settings({f"TAPEWATCH_{key}": value})
    assert "zebrafink" not in str(error.value)
    assert error.value.exit_code == 2


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("KAFKA__BOOTSTRAP_SERVERS", "a, b:9092,127.0.0.1:1 ,[::1]:9092,::1"),
        ("UPBIT__WEBSOCKET_URL", "ws://[::1]:80/websocket/v1"),
        ("BINANCE__REST_URL", "http://127.0.0.1:8080/"),
        ("WATCHDOG__HEARTBEAT_URL", "https://user:password@host/path?key=value"),
    ],
)
def test_any_form_of_an_address_is_taken(key: str, value: str) -> None:
    assert load_with_origins({f"TAPEWATCH_{key}": value}).origins


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[kafka]\nflush = 5\n", "[kafka] flush in "),
        ("[kafak]\nflush_ms = 5\n", "[kafak] in "),
        ("kafka = 5\n", "[kafka] in "),
        ("[kafka\n", "is not TOML"),
        ("[kafka]\nflush_ms = 5000\n", "TAPEWATCH_KAFKA__FLUSH_MS (from file "),
    ],
)
def test_a_fault_in_the_file_is_named(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "t.toml").write_text(text)
    with pytest.raises(WrongUse) as error:
        load_settings({"TAPEWATCH_CONFIG": str(tmp_path / "t.toml")})
    assert fault in str(error.value)
    assert str(tmp_path / "t.toml") in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"\xff\xfe")
    with pytest.raises(WrongUse, match=r"BOT_TOKEN_FILE: .*token is not UTF-8 text"):
        load_settings({f"{TOKEN}_FILE": str(tmp_path / "token")})


def test_no_secret_is_ever_shown(tmp_path: Path) -> None:
    environ = {
        TOKEN: SECRET,
        "TAPEWATCH_KAFKA__SASL_PASSWORD": SECRET,
        "TAPEWATCH_POSTGRES__DSN": f"postgresql://me:{SECRET}@h/d",
        "TAPEWATCH_REDIS__URL": f"redis://:{SECRET}@h",
        "TAPEWATCH_SLACK__WEBHOOK_URL": f"https://h/services/{SECRET}",
    }
    loaded = load_with_origins(environ)
    for shown in (repr(loaded), str(loaded.settings), loaded.settings.model_dump_json()):
        assert SECRET not in shown
    with pytest.raises(WrongUse) as error:
        load_settings(environ | {"TAPEWATCH_SLACK__TOKEN": SECRET})
    assert SECRET not in str(error.value)
    (tmp_path / "t.toml").write_text(f"[slack]\nbot_token = [{SECRET!r}]\n")
    with pytest.raises(WrongUse) as error:
        load_settings({"TAPEWATCH_CONFIG": str(tmp_path / "t.toml")})
    assert SECRET not in str(error.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://:secret@h:6379/0 refused", "redis://***@h:6379/0 refused"),
        ("postgresql://u:se@cr@et@h/d and http://h/a@b", "postgresql://***@h/d and http://h/a@b"),
        ("host=h password=secret user=u", "host=h password=*** user=u"),
        ("token xoxb-1-2-secret refused", "token xox*-*** refused"),
        ("https://hooks.slack.com/services/T0/B0/secret", "https://hooks.slack.com/services/***"),
        ("nothing to hide: mail@example", "nothing to hide: mail@example"),
    ],
)
def test_secrets_inside_a_text_are_hidden(text: str, shown: str) -> None:
    assert without_secrets(text) == shown


def test_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings({}).kafka.flush_ms = 1
