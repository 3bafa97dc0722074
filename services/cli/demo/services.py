"""The processes of the demo and the settings that they are started with. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shared.events import CHANNELS
from shared.rights import Role

Offer = Collection[tuple[str, str, str]]
"""(exchange, channel, symbol) that the simulated exchanges offer."""

SIMULATED_BOT_TOKEN = "xoxb-simulated"  # noqa: S105  opens nothing but the simulated Slack
SINKS = ("redis", "postgres")
# No credential of a person may reach a process of the demo: its messages go to the simulated Slack. A port or a
# directory is one process's, and here are several.
_KEPT_OUT = (
    "CREDENTIALS_DIRECTORY",
    "TAPEWATCH_SLACK__",
    "TAPEWATCH_WEBHOOK__",
    "TAPEWATCH_WATCHDOG__",
    "TAPEWATCH_POSTGRES__",
    "TAPEWATCH_REDIS__URL",
    "TAPEWATCH_METRICS__",
    "TAPEWATCH_STATE__",
    "TAPEWATCH_LOG__FORMAT",
    "TAPEWATCH_LOG__BATCH_JOURNAL",
)


@dataclass(frozen=True)
class Service:
    """One process: its name for people, the arguments of `tapewatch`, and settings of its own.

    `inside` is a command that takes another as its arguments and runs it somewhere else.
    """

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    inside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Logins:
    """Files with the addresses of the stores, each with the name and the secret of a user of some rights.

    `kafka`: by role, the settings that tell a process how to log in to Kafka; nothing where it asks nobody.
    """

    postgres_dsn: Path
    redis_url: Path
    kafka: Mapping[Role, Mapping[str, str]] = field(default_factory=dict)

    def of(self, role: Role) -> Mapping[str, str]:
        """How a process of this role logs in to Kafka."""
        return self.kafka.get(role, {})


@dataclass(frozen=True)
class Subscriptions:
    """What the producers are to read of an offer."""

    selectors: Mapping[str, str]
    """By exchange, the value of its SYMBOLS setting."""
    trade_stream: str
    expected: int
    """How many (exchange, channel, symbol) there are to hear."""
    traded: Sequence[tuple[str, str]]
    """(exchange, symbol) that trade, busiest first."""


LIVE = Subscriptions(selectors={"upbit": "", "binance": ""}, trade_stream="", expected=0, traded=())
"""The exchanges and symbols that the settings name; what they will send is not known."""


def subscriptions(offer: Offer, *, recorded: bool) -> Subscriptions:
    """Everything of each exchange: a synthetic market by its quote currency, a recording code by code.

    Binance tells the same trades as `@trade` and as `@aggTrade`; the second is read only where a recording has
    nothing else.
    """
    names = {exchange for exchange, channel, _ in offer if channel == "trade"}
    aggregated = "binance_agg" in names and "binance" not in names
    heard = [key for key in offer if key[0] != ("binance" if aggregated and key[1] == "trade" else "binance_agg")]
    codes: dict[str, dict[str, None]] = {}
    for exchange, _, symbol in heard:
        codes.setdefault(exchange.removesuffix("_agg"), {})[symbol] = None
    quotes = {"upbit": "quote:KRW", "binance": "quote:USDT"}
    return Subscriptions(
        selectors={exchange: ",".join(found) if recorded else quotes[exchange] for exchange, found in codes.items()},
        trade_stream="aggTrade" if aggregated else "trade",
        expected=len(heard),
        traded=[(exchange, symbol) for exchange, channel, symbol in heard if channel == "trade"],
    )


def services(exchanges: Iterable[str], directory: Path, logins: Logins) -> list[Service]:
    """All processes, producers first."""
    return [
        *(
            Service(
                f"producer-{exchange}",
                ("producer", exchange),
                {**logins.of("producer"), "TAPEWATCH_STATE__DIRECTORY": str(directory / "state" / exchange)},
            )
            for exchange in sorted(exchanges, reverse=True)
        ),
        _consumer(
            "redis", directory, {"TAPEWATCH_REDIS__URL_FILE": str(logins.redis_url)}, logins.of("consumer-redis")
        ),
        _consumer(
            "postgres",
            directory,
            {"TAPEWATCH_POSTGRES__DSN_FILE": str(logins.postgres_dsn)},
            logins.of("consumer-postgres"),
        ),
        Service("alert-worker", ("alert-worker",), logins.of("alert-worker")),
    ]


def journal(directory: Path, sink: str) -> Path:
    """Where a sink's batch journal lies."""
    return directory / f"journal-{sink}.jsonl"


def _consumer(sink: str, directory: Path, store: Mapping[str, str], kafka: Mapping[str, str]) -> Service:
    told = {"TAPEWATCH_LOG__BATCH_JOURNAL": str(journal(directory, sink)), **store, **kafka}
    return Service(f"consumer-{sink}", ("consumer", sink), told)


def shared_environment(
    environ: Mapping[str, str], servers: Mapping[str, str], simulator: Mapping[str, str], wanted: Subscriptions
) -> dict[str, str]:
    """What all processes are told: this machine's servers, the simulated exchanges and Slack, what to read; nothing of
    exchanges when it is LIVE.

    `servers` without the stores: only the one process that writes a store is given a way in.
    """
    kept = {name: value for name, value in environ.items() if not name.startswith(_KEPT_OUT)}
    exchanges = {} if wanted is LIVE else _simulated_exchanges(simulator, wanted)
    return {
        **kept,
        **servers,
        **exchanges,
        "TAPEWATCH_SLACK__API_URL": simulator["slack_api_url"],
        "TAPEWATCH_SLACK__BOT_TOKEN": SIMULATED_BOT_TOKEN,
        "TAPEWATCH_SLACK__CHANNEL": "#tapewatch",
        # Its channel shows what the scenario brings, and nothing else.
        "TAPEWATCH_ALERTS__GREETING": "false",
        "TAPEWATCH_ALERTS__DAILY_DIGEST": "false",
        "TAPEWATCH_ALERTS__CANARY_EVERY_S": "0",
        "TAPEWATCH_LOG__FORMAT": "console",
        "TAPEWATCH_START__WAIT_S": environ.get("TAPEWATCH_START__WAIT_S", "60"),
        "PYTHONUNBUFFERED": "1",
    }


def _simulated_exchanges(simulator: Mapping[str, str], wanted: Subscriptions) -> dict[str, str]:
    read = {
        f"TAPEWATCH_{exchange.upper()}__{key}": value
        for exchange, symbols in wanted.selectors.items()
        for key, value in (("SYMBOLS", symbols), ("ORDERBOOK_SYMBOLS", symbols), ("CHANNELS", ",".join(CHANNELS)))
    }
    addresses = {
        f"TAPEWATCH_{exchange}__{kind}_URL": simulator[f"{exchange}_{kind}_url".lower()]
        for exchange in ("UPBIT", "BINANCE")
        for kind in ("WEBSOCKET", "REST")
    }
    return {**addresses, **read, "TAPEWATCH_BINANCE__TRADE_STREAM": wanted.trade_stream}
