"""Every setting, its default and its bounds. Environment beats file beats default; secrets come from files first.

Keys are ``TAPEWATCH_<SECTION>__<KEY>`` in the environment, where an empty value counts as not set, and
``[section] key`` in the TOML file that ``TAPEWATCH_CONFIG`` names. A secret is read from
``$CREDENTIALS_DIRECTORY/<section>_<key>``, from the file that ``TAPEWATCH_<SECTION>__<KEY>_FILE`` names, or from the
environment, in this order; an empty file counts as not set, too.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
)

from shared import addresses, redaction, settings_sources
from shared.errors import WrongUse
from shared.events import CHANNELS, Channel


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


Codes = Annotated[tuple[str, ...], BeforeValidator(_split)]
Channels = Annotated[tuple[Channel, ...], BeforeValidator(_split)]


def _split_pairs(value: object) -> object:
    if not isinstance(value, str):
        return value
    pairs = [part.partition("=") for part in value.split(",") if part.strip()]
    if bad := [name for name, equals, address in pairs if not (name.strip() and equals and address.strip())]:
        raise ValueError(f"{bad[0]!r} has no address: write name=http://host:port, joined by commas")
    return tuple((name.strip(), address.strip().rstrip("/")) for name, _, address in pairs)


Probes = Annotated[tuple[tuple[str, str], ...], BeforeValidator(_split_pairs)]


def _checked_secret(secret: SecretStr | None) -> SecretStr | None:
    if secret is not None:
        addresses.http_url(secret.get_secret_value())
    return secret


HttpUrl = Annotated[str, AfterValidator(addresses.http_url)]
SecretHttpUrl = Annotated[SecretStr | None, AfterValidator(_checked_secret)]  # outermost, or it hides that it is secret
WebSocketUrl = Annotated[str, AfterValidator(addresses.websocket_url)]
Servers = Annotated[str, AfterValidator(addresses.server_list)]


_HOUR = "([01]?[0-9]|2[0-3]):[0-5][0-9]"
HoursText = Annotated[str, Field(pattern=f"^{_HOUR}-{_HOUR}$")]


class Section(BaseModel):
    """A group of settings; a key that it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class KafkaSettings(Section):
    """How to reach Kafka or Redpanda."""

    bootstrap_servers: Servers = "127.0.0.1:9092"
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


class ExchangeSettings(Section):
    """An exchange's addresses and what to read there."""

    websocket_url: WebSocketUrl
    rest_url: HttpUrl
    symbols: Codes
    channels: Channels = CHANNELS
    orderbook_symbols: Codes
    list_every_s: int = Field(default=180, ge=1, le=86400, description="how often its list of markets is asked for")


class UpbitSettings(ExchangeSettings):
    """Upbit's addresses and what to read there."""

    websocket_url: WebSocketUrl = "wss://api.upbit.com/websocket/v1"
    rest_url: HttpUrl = "https://api.upbit.com/v1"
    symbols: Codes = ("quote:KRW",)
    orderbook_symbols: Codes = ("top:20:KRW",)


class BinanceSettings(ExchangeSettings):
    """Binance's addresses and what to read there."""

    websocket_url: WebSocketUrl = "wss://stream.binance.com:9443"
    rest_url: HttpUrl = "https://api.binance.com"
    symbols: Codes = ("top:50:USDT", "paired:USDT")
    orderbook_symbols: Codes = ("top:20:USDT",)
    trade_stream: Literal["trade", "aggTrade"] = "trade"


class OrderbookSettings(Section):
    """How deep order books are read."""

    levels: int = Field(default=5, ge=1, le=30)


class SlackSettings(Section):
    """Where messages go: a bot token with a channel, or an incoming webhook. Neither: alerts are stored and logged."""

    bot_token: SecretStr | None = None
    channel: str = "#tapewatch"
    ops_channel: str | None = Field(default=None, description="where tapewatch tells of itself; absent: the same")
    webhook_url: SecretHttpUrl = None
    api_url: HttpUrl = "https://slack.com/api/"


class WebhookSettings(Section):
    """A webhook of one's own instead of Slack: every message as JSON, signed with the secret."""

    url: SecretHttpUrl = None
    secret: SecretStr | None = None


class AlertsSettings(Section):
    """The language of messages, and when people want to hear what. Quiet hours are Korean time, as 22:30-08:00."""

    language: Literal["en", "ko"] = "en"
    rules_file: Path | None = Field(default=None, description="thresholds, mutes, quiet hours; none: the built-in")
    greeting: bool = Field(default=True, description="a first message after the installation, once")
    daily_digest: bool = Field(default=True, description="a message at 09:10 Korean time")
    canary_every_s: int = Field(default=600, ge=0, le=86400, description="a test alert goes round; 0: never")
    quiet_notice: HoursText | None = None
    quiet_warning: HoursText | None = None
    quiet_danger: HoursText | None = None


class MetricsSettings(Section):
    """Where a service shows its metrics and whether it lives, on loopback; no port or 0: no endpoint."""

    host: str = "127.0.0.1"
    port: int | None = Field(default=None, ge=0, le=65535)


class LivenessSettings(Section):
    """How long a service may go without progress before it starts over."""

    within_s: int = Field(default=30, ge=8, le=3600)
    """At least 8: a consumer with nothing to do proves that once in six seconds where Kafka is slow to answer."""


class WatchdogSettings(Section):
    """What the watchdog looks at: systemd's units, or the health pages of parts in containers; and how else it tells.

    `probes` as ``consumer-redis=http://consumer-redis:9464,…``.
    """

    units: str = "tapewatch-*.service"
    target: str = "tapewatch.target"
    probes: Probes = ()
    host: str | None = Field(default=None, description="what people call this machine; absent: its own name")
    webhook_url: SecretHttpUrl = Field(default=None, description="a second way to people, any that takes JSON")
    heartbeat_url: SecretHttpUrl = Field(default=None, description="called all the time; its silence is an alarm")
    heartbeat_every_s: int = Field(default=20, ge=1, le=3600)


class DeadLettersSettings(Section):
    """What a consumer does with records that it cannot read; a few are kept as dead letters, at a flood it stops."""

    flood_until: AwareDatetime | None = Field(
        default=None, description="unreadable records that Kafka took before this time are kept, however many"
    )

    @property
    def flood_until_ms(self) -> int:
        """The same in milliseconds, as Kafka stamps records; 0 without one."""
        return 0 if self.flood_until is None else int(self.flood_until.timestamp() * 1000)


class LogSettings(Section):
    """What is logged and how; the batch journal is one JSON line a written batch, for measuring."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"
    batch_journal: Path | None = None


class StateSettings(Section):
    """Where a service keeps what it must find again after a restart: the last good symbol list, how long not to ask."""

    directory: Path | None = None


class StartSettings(Section):
    """How long a service waits at its start for what it needs, before it ends with exit code 3."""

    wait_s: int = Field(default=900, ge=0, le=86400)


class Settings(Section):
    """All settings that are in force. Build it with `load_settings`."""

    kafka: KafkaSettings = KafkaSettings()
    postgres: PostgresSettings = PostgresSettings()
    redis: RedisSettings = RedisSettings()
    upbit: UpbitSettings = UpbitSettings()
    binance: BinanceSettings = BinanceSettings()
    orderbook: OrderbookSettings = OrderbookSettings()
    slack: SlackSettings = SlackSettings()
    webhook: WebhookSettings = WebhookSettings()
    alerts: AlertsSettings = AlertsSettings()
    metrics: MetricsSettings = MetricsSettings()
    liveness: LivenessSettings = LivenessSettings()
    watchdog: WatchdogSettings = WatchdogSettings()
    dead_letters: DeadLettersSettings = DeadLettersSettings()
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
    """Like `load_settings`, and where each value came from. No secret among them is shown by this process any more."""
    given = {key: value for key, value in (os.environ if environ is None else environ).items() if value}
    sections = _sections()
    merged: dict[str, dict[str, Any]] = {}
    origins: dict[str, str] = {}
    for origin, values in settings_sources.weakest_first(given, sections):
        for section, keys in values.items():
            merged.setdefault(section, {}).update(keys)
            origins |= {f"{section}.{key}": origin for key in keys}
    for section, key in secret_keys():
        redaction.hide(str(merged.get(section, {}).get(key, "")))
    return Loaded(_validated(merged, origins), origins)


def secret_keys() -> list[tuple[str, str]]:
    """Section and key of every setting that is a secret."""
    return settings_sources.secrets(_sections())


def _sections() -> dict[str, type[Section]]:
    return {name: type(field.default) for name, field in Settings.model_fields.items()}


def _validated(values: dict[str, dict[str, Any]], origins: Mapping[str, str]) -> Settings:
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        section, key = map(str, first["loc"][:2])
        origin = origins[f"{section}.{key}"]
        fault = first["msg"].removeprefix("Value error, ")
        where = "" if origin == "environment" else f" (from {origin})"
        raise WrongUse(f"{settings_sources.env_name(section, key)}{where}: {fault}") from None
