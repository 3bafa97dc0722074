"""The demo's processes: what they are told, what is kept from them."""

from configparser import RawConfigParser
from pathlib import Path

import pytest

from services.cli.demo.services import LIVE, Logins, Service, services, shared_environment, subscriptions
from services.cli.demo.supervision import configuration, count_restarts, ends
from shared.events import CHANNELS
from shared.rights import Role
from shared.settings import load_settings

SIMULATOR = {
    "upbit_websocket_url": "ws://127.0.0.1:1/websocket/v1",
    "upbit_rest_url": "http://127.0.0.1:1/v1",
    "binance_websocket_url": "ws://127.0.0.1:1",
    "binance_rest_url": "http://127.0.0.1:1",
    "slack_api_url": "http://127.0.0.1:1/api/",
}
SYNTHETIC = [
    (exchange, channel, symbol)
    for exchange, symbol in (("upbit", "KRW-BTC"), ("binance", "BTCUSDT"))
    for channel in ("trade", "ticker", "orderbook")
] + [("binance_agg", "trade", "BTCUSDT")]


def test_a_synthetic_market_is_chosen_by_its_quote_and_heard_once() -> None:
    wanted = subscriptions(SYNTHETIC, recorded=False)
    assert wanted.selectors == {"upbit": "quote:KRW", "binance": "quote:USDT"}
    assert wanted.trade_stream == "trade"
    assert wanted.expected == 6
    assert wanted.traded == [("upbit", "KRW-BTC"), ("binance", "BTCUSDT")]


def test_a_recording_of_aggregated_trades_is_chosen_code_by_code() -> None:
    wanted = subscriptions([("binance_agg", "trade", "BTCUSDT"), ("binance_agg", "trade", "BNBBTC")], recorded=True)
    assert wanted.selectors == {"binance": "BTCUSDT,BNBBTC"}
    assert wanted.trade_stream == "aggTrade"
    assert wanted.expected == 2


def test_no_credential_of_a_person_reaches_a_process() -> None:
    person = {
        "CREDENTIALS_DIRECTORY": "/run/credentials",
        "TAPEWATCH_SLACK__BOT_TOKEN": "xoxb-real",
        "TAPEWATCH_SLACK__BOT_TOKEN_FILE": "/etc/token",
        "TAPEWATCH_SLACK__WEBHOOK_URL": "https://hooks.slack.example/services/real",
        "TAPEWATCH_POSTGRES__DSN": "postgresql://owner:real@127.0.0.1/x",
        "TAPEWATCH_REDIS__URL": "redis://owner:real@127.0.0.1/0",
        "TAPEWATCH_LOG__LEVEL": "debug",
    }
    wanted = subscriptions(SYNTHETIC, recorded=False)
    told = shared_environment(person, {"TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:2"}, SIMULATOR, wanted)
    assert "real" not in " ".join(told.values())
    assert "CREDENTIALS_DIRECTORY" not in told
    in_force = load_settings(told)
    assert in_force.slack.api_url == SIMULATOR["slack_api_url"]
    assert in_force.slack.webhook_url is None
    assert in_force.upbit.orderbook_symbols == ("quote:KRW",)
    assert in_force.kafka.bootstrap_servers == "127.0.0.1:2"
    assert in_force.log.level == "debug"


def test_every_channel_of_the_simulated_exchanges_is_read_whatever_a_person_reads() -> None:
    person = {"TAPEWATCH_UPBIT__CHANNELS": "trade", "TAPEWATCH_BINANCE__CHANNELS": "ticker"}
    simulated = load_settings(shared_environment(person, {}, SIMULATOR, subscriptions(SYNTHETIC, recorded=False)))
    assert simulated.upbit.channels == simulated.binance.channels == CHANNELS
    live = load_settings(shared_environment(person, {}, SIMULATOR, LIVE))
    assert (live.upbit.channels, live.binance.channels) == (("trade",), ("ticker",))


@pytest.mark.parametrize(
    "person",
    [
        {"TAPEWATCH_METRICS__PORT": "9464", "TAPEWATCH_METRICS__HOST": "0.0.0.0"},  # noqa: S104  nobody listens
        {"TAPEWATCH_STATE__DIRECTORY": "/var/lib/tapewatch"},
        {"TAPEWATCH_LOG__BATCH_JOURNAL": "/var/log/batches"},
        {"TAPEWATCH_WEBHOOK__URL": "https://mine.example/", "TAPEWATCH_WEBHOOK__SECRET_FILE": "/etc/secret"},
        {"TAPEWATCH_WATCHDOG__WEBHOOK_URL": "https://mine.example/", "TAPEWATCH_WATCHDOG__PROBES": "a=http://b:1"},
    ],
)
def test_what_is_for_one_process_of_a_persons_own_reaches_none_of_the_demo(person: dict[str, str]) -> None:
    assert not person.keys() & shared_environment(person, {}, SIMULATOR, LIVE).keys()


def test_live_the_settings_say_which_exchanges_and_slack_is_still_the_simulated_one() -> None:
    person = {"TAPEWATCH_UPBIT__SYMBOLS": "KRW-BTC", "TAPEWATCH_SLACK__WEBHOOK_URL": "https://hooks.slack.example/x"}
    in_force = load_settings(shared_environment(person, {}, SIMULATOR, LIVE))
    assert in_force.upbit.symbols == ("KRW-BTC",)
    assert in_force.upbit.websocket_url == "wss://api.upbit.com/websocket/v1"
    assert in_force.slack.api_url == SIMULATOR["slack_api_url"]
    assert in_force.slack.webhook_url is None


def test_the_configuration_is_what_supervisor_reads(tmp_path: Path) -> None:
    directory = tmp_path / "100%"
    found = services(["binance", "upbit"], directory, Logins(directory / "dsn", directory / "url"))
    parser = RawConfigParser(inline_comment_prefixes=(";", "#"))
    parser.read_string(configuration(directory, found))
    names = ["producer-upbit", "producer-binance", "consumer-redis", "consumer-postgres", "alert-worker"]
    assert [section.removeprefix("program:") for section in parser.sections()[3:]] == names
    assert "100%%" in parser["program:consumer-redis"]["environment"]
    assert parser["program:producer-upbit"]["autorestart"] == "true"
    assert '"-m" "services.cli" "producer" "upbit"' in parser["program:producer-upbit"]["command"]


@pytest.mark.parametrize(("store", "sink"), [("POSTGRES", "consumer-postgres"), ("REDIS", "consumer-redis")])
def test_only_the_sink_of_a_store_is_given_a_way_into_it(tmp_path: Path, store: str, sink: str) -> None:
    found = services(["upbit"], tmp_path, Logins(tmp_path / "dsn", tmp_path / "url"))
    assert [one.name for one in found if any(store in key for key in one.environment)] == [sink]


def test_each_process_logs_in_to_kafka_as_its_own_role(tmp_path: Path) -> None:
    roles: tuple[Role, ...] = ("producer", "consumer-redis", "consumer-postgres", "alert-worker")
    users = {role: {"USER": role} for role in roles}
    found = services(["upbit"], tmp_path, Logins(tmp_path / "dsn", tmp_path / "url", users))
    assert [one.environment["USER"] for one in found] == list(roles)


def test_restarts_and_ends_are_counted_by_supervisors_log() -> None:
    log = """
2026-01-01 00:00:00,000 INFO spawned: 'consumer-redis' with pid 1
2026-01-01 00:00:00,000 INFO spawned: 'alert-worker' with pid 2
2026-01-01 00:00:01,000 WARN exited: consumer-redis (terminated by SIGKILL; not expected)
2026-01-01 00:00:01,000 INFO spawned: 'consumer-redis' with pid 3
2026-01-01 00:00:02,000 WARN exited: alert-worker (exit status 2; not expected)
2026-01-01 00:00:03,000 INFO stopped: consumer-redis (exit status 0)
"""
    assert count_restarts(log, ["consumer-redis", "alert-worker"]) == {"consumer-redis": 1, "alert-worker": 0}
    assert ends(log) == [("consumer-redis", "terminated by SIGKILL"), ("alert-worker", "exit status 2")]


def test_a_service_may_have_settings_of_its_own(tmp_path: Path) -> None:
    service = Service("one", ("tail",), {"TAPEWATCH_LOG__LEVEL": "debug"})
    assert 'environment=TAPEWATCH_LOG__LEVEL="debug"' in configuration(tmp_path, [service])
