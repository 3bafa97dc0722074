"""Least rights on a Kafka that asks who is there: each role does its work with them, and a missing one is told."""

import asyncio
import logging
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import TopicAuthorizationFailedError
from aiokafka.protocol.admin import DeleteAclsRequest
from aiokafka.structs import TopicPartition

from devstack.kafka_logins import LoginListener
from devstack.places import DataDirectory
from devstack.server import Server
from services.cli import asking_kafka
from services.cli.alert_records import write
from shared.errors import WrongUse
from shared.events import Control, DeadLetter, Trade
from shared.kafka import PartitionReader, check_rights, create_topics, make_producer, wait_until_reachable
from shared.kafka.lists import ANY, KINDS, LITERAL, OPERATIONS, PREFIX
from shared.kafka.users import KafkaUsers
from shared.rights import RIGHTS, Right, Role
from shared.settings import KafkaSettings
from shared.topics import ALERTS, DEAD_LETTERS, TICKERS, TRADES
from shared.wire import HEADERS_OF_EVENT, SCHEMA_HEADER, encode
from tests.kafka_logins import KafkaWithLogins, environment, give_rights

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]
PASSWORD = "a password"
A_TRADE = Trade(
    exchange="upbit", symbol="KRW-BTC", base="BTC", quote="KRW", trade_id="7", price="1", quantity="2", side="buy",
    traded_at_us=1, received_at_us=1,
)  # fmt: skip


@dataclass
class Guarded:
    kafka: KafkaWithLogins
    administrator: KafkaSettings

    def login(self, role: Role) -> KafkaSettings:
        return self.kafka.as_user(f"a-{role}", PASSWORD)

    async def take_away(self, user: str, right: Right) -> None:
        """As somebody who knows better would."""
        client = AIOKafkaClient(bootstrap_servers=self.administrator.bootstrap_servers)
        await client.bootstrap()
        pattern = PREFIX if right.is_prefix else LITERAL
        row = KINDS[right.kind], right.name, pattern, f"User:{user}", None, OPERATIONS[right.operation], ANY
        await client.send(client.get_random_node(), DeleteAclsRequest(*row))
        await client.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def guarded() -> AsyncIterator[Guarded]:
    """Every role has a user, and the one for the set-up made the topics."""
    directory = DataDirectory()
    kafka = KafkaWithLogins(directory.path / "kafka", LoginListener())
    server: Server = kafka.server()
    await asyncio.to_thread(server.start)
    one = Guarded(kafka, KafkaSettings(bootstrap_servers=server.address))
    await wait_until_reachable(one.administrator, 60)
    for role in RIGHTS:
        await give_rights(one.administrator, role, f"a-{role}", PASSWORD)
    await create_topics(one.login("setup"))
    yield one
    await asyncio.to_thread(server.stop)
    directory.close()


async def test_every_role_has_what_it_needs(guarded: Guarded) -> None:
    for role in RIGHTS:
        await check_rights(guarded.login(role), role)


async def test_what_a_role_has_not_is_told_at_once_and_all_of_it(guarded: Guarded) -> None:
    with pytest.raises(WrongUse) as error:
        await check_rights(guarded.login("reader"), "consumer-redis")
    assert str(error.value) == (
        "Kafka does not let a-reader do what this needs: Write topic tape.feed.v1, Write topic tape.dead-letters.v1. "
        "Type as Kafka's administrator: tapewatch topics grant consumer-redis --user a-reader"
    )


async def test_kafka_itself_refuses_what_no_role_has(guarded: Guarded) -> None:
    producer = make_producer(guarded.login("producer"), "test")
    await producer.start()
    with pytest.raises(TopicAuthorizationFailedError):
        await producer.send_and_wait(ALERTS.name, b"{}")
    await producer.stop()
    reader = PartitionReader(guarded.login("producer"), "test")
    await reader.start({TopicPartition(TICKERS.name, 0): 0})  # which it may write
    with pytest.raises(TopicAuthorizationFailedError):
        await reader.batch(5_000, 1)
    await reader.close()


async def test_topics_are_made_by_the_set_up_alone(guarded: Guarded) -> None:
    with pytest.raises(WrongUse, match=r"Kafka does not let a-operator do what this needs: Create topic tape\."):
        await create_topics(guarded.login("operator"))


async def test_rights_are_given_by_an_administrator_alone(guarded: Guarded) -> None:
    with pytest.raises(WrongUse, match="log in as its administrator"):
        await give_rights(guarded.login("setup"), "reader", "somebody", PASSWORD)


async def test_a_group_must_be_called_after_its_sink(guarded: Guarded) -> None:
    await check_rights(guarded.login("consumer-redis"), "consumer-redis", ["tapewatch-redis-pool"])
    with pytest.raises(WrongUse, match=r"does not let a-consumer-redis Read group mine; .* begin with tapewatch-redis"):
        await check_rights(guarded.login("consumer-redis"), "consumer-redis", ["mine"])


async def test_a_consumer_that_may_not_leave_its_positions_for_lag_monitors_says_so_at_once(guarded: Guarded) -> None:
    user = "a-consumer-without-a-group"
    await give_rights(guarded.administrator, "consumer-redis", user, PASSWORD)
    await guarded.take_away(user, Right("group", "tapewatch-redis", "Read", is_prefix=True))

    alone = run(guarded.kafka.as_user(user, PASSWORD), "consumer", "redis")

    assert alone.returncode == 2
    assert alone.stderr.splitlines()[-1] == (
        f"tapewatch consumer-redis: Kafka does not let {user} Read group tapewatch-redis; groups of consumer-redis "
        "begin with tapewatch-redis, and `tapewatch topics grant consumer-redis` gives the right to them"
    )


@pytest.mark.parametrize("shown", [logging.INFO, logging.CRITICAL])
async def test_a_wrong_password_is_told(guarded: Guarded, shown: int, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(shown), pytest.raises(WrongUse, match=r"Kafka refuses us: .* SASL_PASSWORD"):
        await wait_until_reachable(guarded.kafka.as_user("a-reader", "another"), 0)


async def test_the_command_gives_what_is_missing_and_a_service_says_what_is(guarded: Guarded, tmp_path: Path) -> None:
    """Also on a second run, which gives nothing; and the password is shown to nobody."""
    password, user = tmp_path / "password", "an-alert-worker"
    password.write_text("a secret word\n")
    command = ("topics", "grant", "alert-worker", "--user", user, "--password-file", str(password))
    first = run(guarded.administrator, *command)
    assert first.returncode == 0
    assert "Write topic tape.alerts.v1\tgiven" in first.stdout
    lost = Right("topic", TRADES.name, "Write")
    await guarded.take_away(user, lost)

    alone = run(guarded.kafka.as_user(user, "a secret word"), "alert-worker")

    assert alone.returncode == 2
    assert alone.stderr.splitlines()[-1] == (
        f"tapewatch alert-worker: Kafka does not let {user} do what this needs: {lost}. "
        f"Type as Kafka's administrator: tapewatch topics grant alert-worker --user {user}"
    )
    again = run(guarded.administrator, *command)
    assert again.stdout.count("\tgiven") == 1
    assert f"{lost}\tgiven" in again.stdout
    async with KafkaUsers(guarded.administrator) as users:
        assert set(await users.rights(user)) == set(RIGHTS["alert-worker"])
    assert "a secret word" not in first.stdout + first.stderr + again.stdout + again.stderr + alone.stderr


async def publish_unreadable(settings: KafkaSettings, letter: DeadLetter) -> None:
    producer = make_producer(settings, "test")
    await producer.start()
    await producer.send_and_wait(DEAD_LETTERS.name, encode(letter), headers=HEADERS_OF_EVENT[DeadLetter])
    await producer.stop()


@pytest.mark.parametrize("command", [("dead-letters", "replay"), ("alerts", "mute", "KRW-BTC")], ids=" ".join)
async def test_who_only_looks_is_told_what_else_it_takes_to_write(guarded: Guarded, command: tuple[str, ...]) -> None:
    headers = dict(HEADERS_OF_EVENT[Trade])
    payload = encode(A_TRADE)
    letter = DeadLetter(
        reason="of no use", at_us=1, payload=b64encode(payload).decode(), payload_bytes=len(payload),
        reader="consumer-redis", topic=TRADES.name, partition=0, offset=0, schema=headers[SCHEMA_HEADER].decode(),
    )  # fmt: skip
    await publish_unreadable(guarded.login("consumer-redis"), letter)

    looks = run(guarded.login("reader"), *command)
    assert looks.returncode == 2
    [line] = looks.stderr.splitlines()
    assert line.startswith("tapewatch: Kafka does not let a-reader do what this needs: Write topic tape.")
    assert line.endswith("Type as Kafka's administrator: tapewatch topics grant operator --user a-reader")

    may = run(guarded.login("operator"), *command)
    assert (may.returncode, may.stderr) == (0, "")


async def test_what_kafka_refuses_to_who_writes_already_is_one_line_too(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def tells_nothing(*_: object) -> None: ...

    monkeypatch.setattr(asking_kafka, "check_rights", tells_nothing)
    with pytest.raises(WrongUse, match="Kafka refuses us"):
        await write(guarded.login("reader"), Control(action="mute", target="KRW-BTC", at_us=1))


def run(settings: KafkaSettings, *arguments: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TAPEWATCH_")}
    told = kept | environment(settings) | {"TAPEWATCH_START__WAIT_S": "30"}
    return subprocess.run(
        [sys.executable, "-m", "services.cli", *arguments], env=told, capture_output=True, text=True, check=False
    )
