"""How far everything is, and what comes in, as a person or a program asks a running deployment for it."""

import asyncio
import json
import os
import signal
import sys

import pytest
from aiokafka import AIOKafkaProducer
from redis.asyncio import Redis

from services.consumer.migrate import migrate
from shared.events import Trade
from shared.kafka import make_producer
from shared.settings import KafkaSettings, PostgresSettings, RedisSettings
from shared.topics import TRADES
from shared.wire import HEADERS_OF_EVENT, encode
from tests.terminal import Terminal


def trade(number: int, symbol: str = "KRW-BTC") -> Trade:
    return Trade(
        exchange="upbit", symbol=symbol, base=symbol.partition("-")[2], quote="KRW", trade_id=str(number),
        price="93421000", quantity="0.5", side="buy",
        traded_at_us=1_700_000_000_000_000 + number, received_at_us=1_700_000_000_100_000 + number,
    )  # fmt: skip


async def publish(kafka: KafkaSettings, *trades: Trade) -> None:
    async with make_producer(kafka, "test") as producer:
        for one in trades:
            await send(producer, one)


async def send(producer: AIOKafkaProducer, one: Trade) -> None:
    await producer.send_and_wait(TRADES.name, encode(one), partition=3, headers=HEADERS_OF_EVENT[Trade])


@pytest.fixture
async def environment(
    fresh_topics: KafkaSettings, fresh_database: PostgresSettings, fresh_redis: RedisSettings
) -> dict[str, str]:
    """Settings that point to empty stores with tables; Redis holds two trades of one market."""
    await asyncio.to_thread(migrate, fresh_database, 10)
    async with Redis.from_url(fresh_redis.url.get_secret_value()) as redis:
        for number in (1, 2):
            fields: dict[bytes | str | int | float, str | int] = {"price": "1", "received_at_us": number}
            await redis.xadd("trades:upbit:KRW-BTC", fields, id=f"1-{number}")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TAPEWATCH_")}
    return {
        **kept,
        "TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS": fresh_topics.bootstrap_servers,
        "TAPEWATCH_POSTGRES__DSN": fresh_database.dsn.get_secret_value(),
        "TAPEWATCH_REDIS__URL": fresh_redis.url.get_secret_value(),
    }


async def tapewatch(environment: dict[str, str], *arguments: str) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "services.cli", *arguments]
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*command, env=environment, stdout=pipe, stderr=pipe)


def trades_behind(line: bytes) -> dict[str, int]:
    return {lag["store"]: lag["behind"] for lag in json.loads(line)["lags"] if lag["topic"] == TRADES.name}


async def test_status_counts_what_each_store_has_not_taken(
    fresh_topics: KafkaSettings, environment: dict[str, str]
) -> None:
    await publish(fresh_topics, trade(1), trade(2), trade(3))
    told, _ = await (await tapewatch(environment, "status", "--json")).communicate()
    assert trades_behind(told) == {"redis": 3, "postgres": 3}
    state = json.loads(told)
    assert state["delays"] == [{"store": "redis", "ms": None}, {"store": "postgres", "ms": None}]
    [reach] = state["reach"]
    assert (reach["exchange"], reach["symbol"], reach["trades"]) == ("upbit", "KRW-BTC", 2)
    told, _ = await (await tapewatch(environment, "status")).communicate()
    assert f"redis\t{TRADES.name}\tat 0\t3 behind\t0.0% of retention" in told.decode().splitlines()


async def test_status_can_be_watched_until_ctrl_c(fresh_topics: KafkaSettings, environment: dict[str, str]) -> None:
    watching = await tapewatch(environment, "status", "--watch", "--json", "--every", "0.2")
    assert watching.stdout is not None
    assert trades_behind(await watching.stdout.readline()) == {"redis": 0, "postgres": 0}
    await publish(fresh_topics, trade(1))
    while trades_behind(await watching.stdout.readline()) != {"redis": 1, "postgres": 1}:
        pass
    watching.send_signal(signal.SIGINT)
    _, said = await watching.communicate()
    assert (watching.returncode, said) == (0, b"")


def behind_on(lines: list[str]) -> dict[str, str]:
    """By store, the trades that it has not taken, as the screen shows them."""
    rows = [line.split() for line in lines]
    return {row[0]: row[3] for row in rows if row[1:2] == ["trades"] and row[0] in {"redis", "postgres"}}


def is_drawn(lines: list[str]) -> bool:
    """Whether the screen stands to its last line."""
    return lines[-1] == "Ctrl-C ends"


async def test_on_a_terminal_a_watch_is_one_screen_that_is_drawn_anew(
    fresh_topics: KafkaSettings, environment: dict[str, str]
) -> None:
    async with Terminal() as terminal:
        command = [sys.executable, "-m", "services.cli", "status", "--watch", "--every", "0.2"]
        watching = await terminal.run(command, environment)
        await terminal.until(lambda lines: is_drawn(lines) and behind_on(lines) == {"redis": "0", "postgres": "0"})
        await publish(fresh_topics, trade(1))
        now = {"redis": "1", "postgres": "1"}
        lines = await terminal.until(lambda lines: is_drawn(lines) and behind_on(lines) == now)

        headings = [line.split("  ")[0] for line in lines if line.startswith(("Kafka at", "Store", "Redis reaches"))]
        assert [heading.split(" at ")[0] for heading in headings] == [
            "Kafka", "Store and topic", "Store", "Redis reaches back"
        ]  # fmt: skip
        assert [line.split()[-2:] for line in lines if line.startswith("upbit")] == [["KRW-BTC", "2"]]
        assert not terminal.screen.has_cursor

        terminal.type("\x03")
        assert await watching.wait() == 0
        assert behind_on(terminal.look()) == now, "what was seen last stays"
        assert terminal.screen.has_cursor


async def test_without_a_terminal_a_watch_is_one_line_a_look(environment: dict[str, str]) -> None:
    told, _ = await (await tapewatch(environment, "status", "--watch", "-n", "2", "--every", "0.2")).communicate()
    first, second = told.decode().splitlines()
    assert "trades -, " in first
    assert "trades 0/s, " in second
    assert second.endswith(" of upbit")


AWAY = {
    "kafka": {"TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:{port}"},
    "redis": {"TAPEWATCH_REDIS__URL": "redis://user:very-secret@127.0.0.1:{port}/0"},
    "postgres": {"TAPEWATCH_POSTGRES__DSN": "postgresql://user:very-secret@127.0.0.1:{port}/nothing"},
}


@pytest.mark.parametrize("whom", AWAY)
async def test_status_shows_what_the_others_know_when_one_is_away(
    fresh_topics: KafkaSettings, environment: dict[str, str], unused_tcp_port: int, whom: str
) -> None:
    await publish(fresh_topics, trade(1))
    environment |= {name: address.format(port=unused_tcp_port) for name, address in AWAY[whom].items()}
    asked = await tapewatch(environment, "status", "--json")
    told, said = await asked.communicate()
    assert (asked.returncode, said) == (3, b"")
    state = json.loads(told)
    assert list(state["away"]) == [whom]
    others = {"redis", "postgres"} - {whom}
    assert {one["store"] for one in state["success"]} == others
    assert trades_behind(told) == ({} if whom == "kafka" else dict.fromkeys(others, 1))
    assert bool(state["reach"]) == (whom != "redis")
    for looks in ((), ("--watch", "-n", "2", "--every", "0.2")):
        asked = await tapewatch(environment, "status", *looks)
        told, said = await asked.communicate()
        assert (asked.returncode, said) == (3, b"")
        assert told.decode().count(state["away"][whom]) == (2 if looks else 1)
        assert b"very-secret" not in told


async def test_a_watch_of_what_is_not_there_ends_with_3(environment: dict[str, str], unused_tcp_port: int) -> None:
    for addresses in AWAY.values():
        environment |= {name: address.format(port=unused_tcp_port) for name, address in addresses.items()}
    watching = await tapewatch(environment, "status", "--watch")
    _, said = await watching.communicate()
    assert watching.returncode == 3
    for whom in (b"Redis: ", b"PostgreSQL: ", b"Kafka did not answer"):
        assert whom in said
    assert said.count(b"\n") == 1


async def test_tail_follows_some_symbols_only(fresh_topics: KafkaSettings, environment: dict[str, str]) -> None:
    following = await tapewatch(environment, "tail", "trades", "KRW-ETH", "--json", "--count", "1")
    reading = asyncio.create_task(following.communicate())
    async with make_producer(fresh_topics, "test") as producer:
        for number in range(10_000):  # it begins at the log's end, which it finds when it is ready
            if reading.done():
                break
            await send(producer, trade(number))
            await send(producer, trade(number, "KRW-ETH"))
            await asyncio.sleep(0.02)
    told, _ = await reading
    assert following.returncode == 0
    [line] = told.splitlines()
    assert json.loads(line)["symbol"] == "KRW-ETH"


async def test_tail_says_of_a_newer_version_of_its_records_what_to_do(
    fresh_topics: KafkaSettings, environment: dict[str, str]
) -> None:
    following = await tapewatch(environment, "tail", "trades")
    reading = asyncio.create_task(following.communicate())
    async with make_producer(fresh_topics, "test") as producer:
        while not reading.done():
            await producer.send_and_wait(TRADES.name, b"{}", partition=0, headers=[("schema", b"trade/2")])
            await asyncio.sleep(0.05)
    told, fault = await reading
    assert (following.returncode, told) == (1, b"")
    assert fault.endswith(b"this program reads trade/1 and found trade/2: upgrade it first\n")
