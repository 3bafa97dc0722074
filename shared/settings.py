"""Every setting, its default and its bounds. Environment beats file beats default; secrets come from files first.

Keys are ``TAPEWATCH_<SECTION>__<KEY>`` in the environment and ``[section] key`` in the TOML file that
``TAPEWATCH_CONFIG`` names. A secret is read from ``$CREDENTIALS_DIRECTORY/<section>_<key>``, from the file that
``TAPEWATCH_<SECTION>__<KEY>_FILE`` names, or from the environment, in this order.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from shared.errors import WrongUse
from shared.events import CHANNELS, Channel

PREFIX = "TAPEWATCH_"
CONFIG_KEY = "TAPEWATCH_CONFIG"
CREDENTIALS_KEY = "CREDENTIALS_DIRECTORY"


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


Codes = Annotated[tuple[str, ...], BeforeValidator(_split), NoDecode]
Channels = Annotated[tuple[Channel, ...], BeforeValidator(_split), NoDecode]


class Section(BaseModel):
    """A group of settings; a key that it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class KafkaSettings(Section):
    """How to reach Kafka or Redpanda."""

    bootstrap_servers: str = "127.0.0.1:9092"
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    ssl_cafile: Path | None = None
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None
    replication_factor: int = Field(default=1, ge=1, le=9)
    flush_ms: int = Field(default=5, ge=1, le=1000, description="how long the producer gathers a batch")


class PostgresSettings(Section):
    """How to reach PostgreSQL."""

    dsn: SecretStr = SecretStr("postgresql://tapewatch@127.0.0.1:5432/tapewatch")
    retention_days: int = Field(default=90, ge=1, le=36500)


class RedisSettings(Section):
    """How to reach Redis or Valkey, and how much it holds."""

    url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    stream_cap: int = Field(default=2000, ge=10, le=1_000_000, description="trades kept a symbol")
    refill: int = Field(default=900, ge=0, le=86400, description="seconds to refill after Redis lost everything")


class UpbitSettings(Section):
    """Upbit's addresses and what to read there."""

    websocket_url: str = "wss://api.upbit.com/websocket/v1"
    rest_url: str = "https://api.upbit.com/v1"
    symbols: Codes = ("quote:KRW",)
    channels: Channels = CHANNELS
    orderbook_symbols: Codes = ("top:20:KRW",)


class BinanceSettings(Section):
    """Binance's addresses and what to read there."""

    websocket_url: str = "wss://stream.binance.com:9443"
    rest_url: str = "https://api.binance.com"
    symbols: Codes = ("top:50:USDT", "paired:USDT")
    channels: Channels = CHANNELS
    orderbook_symbols: Codes = ("top:20:USDT",)
    trade_stream: Literal["trade", "aggTrade"] = "trade"


class OrderbookSettings(Section):
    """How deep order books are read."""

    levels: int = Field(default=5, ge=1, le=30)


class SlackSettings(Section):
    """Where messages go: a bot token with a channel, or an incoming webhook. Neither: alerts are stored and logged."""

    bot_token: SecretStr | None = None
    channel: str = "#tapewatch"
    ops_channel: str | None = None
    webhook_url: SecretStr | None = None
    api_url: str = "https://slack.com/api/"


class AlertsSettings(Section):
    """The rules file and the language of messages."""

    rules_file: Path | None = None
    language: Literal["en", "ko"] = "en"


class MetricsSettings(Section):
    """The Prometheus endpoint of a service, on loopback; no port, no endpoint."""

    port: int | None = Field(default=None, ge=0, le=65535)


class LogSettings(Section):
    """What is logged and how; the batch journal is one JSON line a written batch, for measuring."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"
    batch_journal: Path | None = None


class StateSettings(Section):
    """Where a service keeps what it must find again after a restart, such as the last good symbol list."""

    directory: Path | None = None


class StartSettings(Section):
    """How long a service waits at its start for what it needs, before it ends with exit code 3."""

    wait_s: int = Field(default=600, ge=0, le=86400)


class _FileSource(PydanticBaseSettingsSource):
    """Values read beforehand: the TOML file, or secrets from files."""

    def __init__(self, settings_cls: type[BaseSettings], values: Mapping[str, Any]) -> None:
        super().__init__(settings_cls)
        self._values = dict(values)

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        return self._values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return self._values


class Settings(BaseSettings):
    """All settings that are in force. Build it with `load_settings`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, case_sensitive=False
    )

    kafka: KafkaSettings = KafkaSettings()
    postgres: PostgresSettings = PostgresSettings()
    redis: RedisSettings = RedisSettings()
    upbit: UpbitSettings = UpbitSettings()
    binance: BinanceSettings = BinanceSettings()
    orderbook: OrderbookSettings = OrderbookSettings()
    slack: SlackSettings = SlackSettings()
    alerts: AlertsSettings = AlertsSettings()
    metrics: MetricsSettings = MetricsSettings()
    log: LogSettings = LogSettings()
    state: StateSettings = StateSettings()
    start: StartSettings = StartSettings()


@dataclass(frozen=True)
class Loaded:
    """Settings together with where each value came from, by ``section.key``; what is absent is a default."""

    settings: Settings
    origins: Mapping[str, str]


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings in force. Raises WrongUse with one line that names the key and its fault."""
    return load_with_origins(environ).settings


def load_with_origins(environ: Mapping[str, str] | None = None) -> Loaded:
    """Like `load_settings`, and where each value came from."""
    environ = os.environ if environ is None else environ
    sources = {
        "credentials": _credentials(environ),
        "secret file": _secret_files(environ),
        "environment": _environment(environ),
        f"file {environ.get(CONFIG_KEY, '')}": _config_file(environ),
    }
    merged: dict[str, dict[str, Any]] = {}
    origins: dict[str, str] = {}
    for origin, values in reversed(sources.items()):
        for section, keys in values.items():
            merged.setdefault(section, {}).update(keys)
            origins |= {f"{section}.{key}": origin for key in keys}
    return Loaded(_validated(merged), origins)


def _validated(values: dict[str, dict[str, Any]]) -> Settings:
    class FromValues(Settings):
        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *_: PydanticBaseSettingsSource, **__: PydanticBaseSettingsSource
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return (_FileSource(settings_cls, values),)

    try:
        return FromValues()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = "__".join(str(part) for part in first["loc"][:2]).upper()
        raise WrongUse(f"{PREFIX}{key}: {first['msg']}") from None


@cache
def _sections() -> dict[str, type[BaseModel]]:
    return {name: type(field.default) for name, field in Settings.model_fields.items()}


def _secrets() -> list[tuple[str, str]]:
    return [
        (section, key)
        for section, model in _sections().items()
        for key, field in model.model_fields.items()
        if "SecretStr" in str(field.annotation)
    ]


def _environment(environ: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    sections = _sections()
    found: dict[str, dict[str, Any]] = {}
    for name, value in environ.items():
        if not name.startswith(PREFIX) or name == CONFIG_KEY or name in _OTHER_KEYS:
            continue
        section, _, key = name.removeprefix(PREFIX).lower().partition("__")
        model = sections.get(section)
        if model is not None and key.endswith("_file") and (section, key.removesuffix("_file")) in _secrets():
            continue
        if model is None or key not in model.model_fields:
            raise WrongUse(f"{name} is not a setting of tapewatch: see `tapewatch settings` for those that are")
        found.setdefault(section, {})[key] = value
    return found


_OTHER_KEYS = frozenset({"TAPEWATCH_RECORDINGS", "TAPEWATCH_TEST_SERVERS"})


def _secret_files(environ: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for section, key in _secrets():
        name = f"{PREFIX}{section}__{key}_FILE".upper()
        if name in environ:
            found.setdefault(section, {})[key] = _read(Path(environ[name]), name)
    return found


def _credentials(environ: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    directory = environ.get(CREDENTIALS_KEY)
    found: dict[str, dict[str, Any]] = {}
    for section, key in _secrets() if directory else []:
        path = Path(directory or "") / f"{section}_{key}"
        if path.exists():
            found.setdefault(section, {})[key] = _read(path, CREDENTIALS_KEY)
    return found


def _read(path: Path, key: str) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUse(f"{key}: cannot read {path}: {getattr(error, 'strerror', 'not UTF-8 text')}") from None


def _config_file(environ: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    if CONFIG_KEY not in environ:
        return {}
    text = _read(Path(environ[CONFIG_KEY]), CONFIG_KEY)
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise WrongUse(f"{CONFIG_KEY}: {environ[CONFIG_KEY]} is not TOML: {error}") from None
    for section, keys in values.items():
        known = _sections().get(section)
        unknown = [key for key in keys if known and key not in known.model_fields] if isinstance(keys, dict) else []
        if known is None or not isinstance(keys, dict) or unknown:
            name = f"[{section}]" + (f" {unknown[0]}" if unknown else "")
            raise WrongUse(f"{CONFIG_KEY}: {name} in {environ[CONFIG_KEY]} is not a setting of tapewatch")
    return values


def without_secrets(text: str) -> str:
    """Strip user and password from addresses inside a text that is to be shown."""
    return re.sub(r"://[^@/\s]+@", "://***@", text)
