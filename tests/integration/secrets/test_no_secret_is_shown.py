"""Every service and command with a recognisable word in every secret setting: it is found nowhere that people look.

The list of secrets comes from their type, the list of commands from the command line itself: what is added later is
covered, or the test says that it is not.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import typer
from redis.asyncio import Redis

from services.alert_worker.topic_reader import read_topic
from services.cli.alert_samples import sample_alert
from services.cli.main import app
from services.consumer.migrate import migrate
from services.consumer.sinks.redis_rights import rules
from shared.clock import now_us
from shared.events import Alert
from shared.kafka import make_producer
from shared.settings import KafkaSettings, PostgresSettings, RedisSettings, secret_keys
from shared.topics import ALERTS, TOPICS, TRADES
from shared.wire import HEADERS_OF_EVENT, encode

pytestmark = pytest.mark.timeout(180)

LOOKS = (
    "status --json", "doctor", "doctor --json", "settings", "settings --json", "topics create", "db migrate",
    "alerts list", "alerts mute KRW-BTC", "alerts unmute KRW-BTC", "alerts test", "dead-letters list",
    "dead-letters show 1", "dead-letters replay --all", "explain KRW-BTC 22:27",
    "redis acl writer --password-file {word}", "topics grant reader --password-file {word}",
    "db user reader --password-file {word}", "reconcile --truth {truth}",
)  # fmt: skip
"""Each once, wherever its servers are."""
STACK = ("stack up", "stack status", "stack down")
"""In this order: the first leaves a process behind, which the last ends."""
AT_STORES = {"doctor", "status", "db", "reconcile", "explain", "topics"}
"""The first words of those that talk to a store, and hear what goes wrong there."""
WAYS: tuple[dict[str, str], ...] = (
    {},
    {"TAPEWATCH_SLACK__BOT_TOKEN": ""},
    {"TAPEWATCH_SLACK__BOT_TOKEN": "", "TAPEWATCH_SLACK__WEBHOOK_URL": ""},
)
"""A bot's token, Slack's webhook, a webhook of one's own: what is told on which, by what is not set."""
ENDLESS = {"producer", "consumer", "alert-worker", "watchdog", "deadman", "tail"}
ELSEWHERE = {
    "demo": "gives each service a login of its own, in files that only its owner reads; tests/e2e runs it",
    "simulator": "reads no secret",
    "backtest": "reads files alone",
    "alerts rules": "reads files alone",
    "stack env": "shows the addresses with their passwords to whoever started the stack: that is its purpose",
}


def commands(command: Any, path: str = "") -> Iterator[str]:
    if not hasattr(command, "commands"):
        yield path
    for name, sub in getattr(command, "commands", {}).items():
        yield from commands(sub, f"{path} {name}".strip())


def test_every_command_is_run_here_or_has_a_reason() -> None:
    run = {
        name for name in commands(typer.main.get_command(app)) if any(look.startswith(name) for look in LOOKS + STACK)
    }
    assert set(commands(typer.main.get_command(app))) == run | ENDLESS | set(ELSEWHERE)


@pytest.fixture
def looks(tmp_path: Path) -> list[tuple[str, ...]]:
    (tmp_path / "word").write_text("zebrafinkpasswordfile")
    (tmp_path / "truth").write_text("")
    return [tuple(look.format(word=tmp_path / "word", truth=tmp_path / "truth").split()) for look in LOOKS]


async def run_all(evidence: Any, looks: Iterable[tuple[str, ...]]) -> None:
    few = asyncio.Semaphore(3)

    async def run(look: tuple[str, ...]) -> None:
        async with few:
            await evidence.command(*look)

    await asyncio.gather(*(run(look) for look in looks))


@pytest.fixture
async def served(
    evidence: Any, planted: dict[str, str], fresh_topics: KafkaSettings, fresh_database: PostgresSettings,
    fresh_redis: RedisSettings,
) -> Any:  # fmt: skip
    """Real servers that know the planted passwords, and a record in each topic that is to be told or refused."""
    await asyncio.to_thread(migrate, fresh_database, 10)
    of_postgres = _logged_in(fresh_database.dsn.get_secret_value(), planted["TAPEWATCH_POSTGRES__DSN"])
    of_redis = _logged_in(fresh_redis.url.get_secret_value(), planted["TAPEWATCH_REDIS__URL"])
    connection = await asyncpg.connect(fresh_database.dsn.get_secret_value())
    await connection.execute("DROP ROLE IF EXISTS someone")
    await connection.execute(f"CREATE ROLE someone SUPERUSER LOGIN PASSWORD '{urlsplit(of_postgres).password}'")
    async with Redis.from_url(fresh_redis.url.get_secret_value()) as redis:
        await redis.execute_command("ACL", "SETUSER", "someone", *rules("writer", urlsplit(of_redis).password).split())
    async with make_producer(fresh_topics, "test") as producer:
        await producer.send_and_wait(TRADES.name, b"no JSON", b"upbit:KRW-BTC", 3)
    await publish_alert(fresh_topics)
    evidence.environment |= {
        "TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS": fresh_topics.bootstrap_servers,
        "TAPEWATCH_POSTGRES__DSN": of_postgres,
        "TAPEWATCH_REDIS__URL": of_redis,
    }
    yield evidence
    await connection.execute("DROP ROLE IF EXISTS someone")
    await connection.close()


def _logged_in(address: str, planted: str) -> str:
    """The address with the planted login."""
    there, login = urlsplit(address), urlsplit(planted).netloc.rpartition("@")[0]
    return urlunsplit(there._replace(netloc=f"{login}@{there.hostname}:{there.port}"))


def test_a_word_is_planted_in_every_secret(planted: dict[str, str]) -> None:
    assert len(planted) == len(secret_keys()) >= 9
    assert all("zebrafink" in value for value in planted.values())


@pytest.mark.long
async def test_where_all_is_well(
    served: Any, outside: Any, fresh_topics: KafkaSettings, looks: list[tuple[str, ...]]
) -> None:
    await asyncio.gather(
        served.service("producer", "upbit", until=lambda log, _: "127.0.0.1:1" in log),
        served.service("consumer", "redis", until=is_ready),
        served.service("consumer", "postgres", until=is_ready),
        served.service("alert-worker", until=lambda *_: outside.workspace.counts["messages"] > 0),
        served.service("deadman", "--port", "0", until=is_ready),
        served.service("tail", "trades", until=lambda *_: True),
        watchdog_tells(served, outside, lambda _: any("DOWN" in text for text in outside.received)),
    )
    await run_all(served, looks)
    for look in STACK:
        await served.command(*look.split())
    await nothing_was_shown(served, outside, fresh_topics)


@pytest.mark.long
async def test_where_everybody_refuses_and_repeats_what_was_asked(
    served: Any, outside: Any, planted: dict[str, str], fresh_topics: KafkaSettings, looks: list[tuple[str, ...]]
) -> None:
    outside.refuses = True
    served.environment |= {
        "TAPEWATCH_POSTGRES__DSN": served.environment["TAPEWATCH_POSTGRES__DSN"].replace("someone", "nobody"),
        "TAPEWATCH_REDIS__URL": served.environment["TAPEWATCH_REDIS__URL"].replace("zebrafink", "zebrafinkwrong"),
        "TAPEWATCH_LOG__FORMAT": "console",
    }
    told = asyncio.create_task(watchdog_tells(served, outside, lambda log: log.count("not told yet") >= 2))
    for way in WAYS:
        await publish_alert(fresh_topics)
        await served.service("alert-worker", until=lambda log, _: "refused for good" in log, **way)
        await served.command("alerts", "test", **way)
    await served.service("consumer", "redis", until=never)
    await served.service("consumer", "postgres", until=never)
    await run_all(served, [look for look in looks if look[0] in AT_STORES])
    sasl = {"TAPEWATCH_KAFKA__SECURITY_PROTOCOL": "SASL_PLAINTEXT", "TAPEWATCH_KAFKA__SASL_MECHANISM": "PLAIN"}
    await served.service("alert-worker", until=never, **sasl)
    await served.command("doctor", **sasl)
    await told
    await nothing_was_shown(served, outside, fresh_topics)


@pytest.mark.long
async def test_where_nobody_answers(evidence: Any, planted: dict[str, str], looks: list[tuple[str, ...]]) -> None:
    for section, key in secret_keys():
        if key.endswith("url"):
            name = f"TAPEWATCH_{section}__{key}".upper()
            evidence.environment[name] = evidence.environment[name].replace(
                urlsplit(planted[name]).netloc, "127.0.0.1:1"
            )
    for service in ("consumer redis", "consumer postgres", "alert-worker", "producer binance"):
        await evidence.service(*service.split(), until=never)
    await run_all(evidence, [look for look in looks if look[0] in {*AT_STORES, "alerts"}])
    leaks = evidence.leaks()
    assert not leaks, "\n".join(leaks)


MISTYPED = {
    "TAPEWATCH_POSTGRES__DSN": "postgresql://someone:zebrafink/postgresdsn@127.0.0.1:1/tapewatch",
    "TAPEWATCH_REDIS__URL": "redis://someone:zebrafink#redisurl@127.0.0.1:1/0",
    "TAPEWATCH_SLACK__BOT_TOKEN": "xoxb-\nzebrafinkslackbottoken",
    "TAPEWATCH_SLACK__WEBHOOK_URL": "http://127.0.0.1:1/zebrafinkslackwebhookurl",
    "TAPEWATCH_WEBHOOK__URL": "http://someone:zebrafinkwebhookurl@127.0.0.1:1/hook",
    "TAPEWATCH_WATCHDOG__WEBHOOK_URL": "http://127.0.0.1:1//zebrafinkwatchdogwebhookurl",
    "TAPEWATCH_WATCHDOG__HEARTBEAT_URL": "http://127.0.0.1:1/hook?key=zebrafinkwatchdogheartbeaturl",
}
"""As people mistype them; the texts of what goes wrong then were written by nobody who knew of secrets."""
NO_ADDRESSES = {
    "TAPEWATCH_SLACK__WEBHOOK_URL": "127.0.0.1/zebrafinkslackwebhookurl",
    "TAPEWATCH_WEBHOOK__URL": "http://127.0.0.1:zebrafinkwebhookurl/hook",
    "TAPEWATCH_WATCHDOG__WEBHOOK_URL": "http//zebrafinkwatchdogwebhookurl",
    "TAPEWATCH_WATCHDOG__HEARTBEAT_URL": "http://[zebrafinkwatchdogheartbeaturl",
}


@pytest.mark.parametrize("name", NO_ADDRESSES)
async def test_what_is_no_address_is_refused_without_showing_it(evidence: Any, name: str) -> None:
    assert await evidence.command("alerts", "test", **{name: NO_ADDRESSES[name]}) == 2
    assert name in evidence.pieces["alerts test"]
    leaks = evidence.leaks()
    assert not leaks, "\n".join(leaks)


@pytest.mark.long
async def test_where_addresses_are_mistyped(
    served: Any, outside: Any, fresh_topics: KafkaSettings, looks: list[tuple[str, ...]]
) -> None:
    served.environment |= MISTYPED
    await asyncio.gather(
        *(served.command("alerts", "test", **way) for way in WAYS),
        *(watchdog_tells(served, outside, lambda log: "not told yet" in log, **way) for way in WAYS[:2]),
    )
    await served.service("alert-worker", until=lambda log, _: "nobody answered" in log, **WAYS[1])
    await served.service("consumer", "redis", until=never)
    await served.service("consumer", "postgres", until=never)
    await run_all(served, [look for look in looks if look[0] in AT_STORES])
    await served.command("stack", "up")
    await served.command("stack", "down")
    await nothing_was_shown(served, outside, fresh_topics)


def is_ready(_: str, page: str) -> bool:
    return '"ready": true' in page


def never(*_: str) -> bool:
    return False


async def watchdog_tells(evidence: Any, outside: Any, until: Callable[[str], bool], **environ: str) -> None:
    outside.looked_at = 0
    probes = f"part=http://127.0.0.1:{outside.port}"
    await evidence.service(
        "watchdog", until=lambda log, _: until(log), TAPEWATCH_WATCHDOG__PROBES=probes, **environ
    )  # fmt: skip


async def publish_alert(kafka: KafkaSettings) -> None:
    async with make_producer(kafka, "test") as producer:
        alert = encode(sample_alert(now_us()))
        await producer.send_and_wait(ALERTS.name, alert, b"sample", headers=HEADERS_OF_EVENT[Alert])


async def nothing_was_shown(evidence: Any, outside: Any, kafka: KafkaSettings) -> None:
    for topic in TOPICS:
        async for record in read_topic(kafka, topic):
            evidence.pieces[f"{topic.name} {record.offset}"] = f"{record.key!r} {record.value!r} {record.headers!r}"
    evidence.pieces["received outside"] = "\n".join(outside.received)
    leaks = evidence.leaks()
    assert not leaks, "\n".join(leaks)
