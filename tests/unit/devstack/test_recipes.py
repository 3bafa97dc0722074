"""What the servers are told, before any of them runs."""

import re
from pathlib import Path

import pytest

from devstack.kafka_server import kafka_id, properties
from devstack.launch import server_environment
from devstack.server import last_complaint
from devstack.stack import Options, ServerAddresses
from devstack.valkey_server import Valkey, configuration
from shared.errors import WrongUse


def test_one_broker_keeps_one_copy_and_makes_no_topic_by_itself() -> None:
    lines = properties(1, {1: (9092, 9093)}, Path("/data"), {})
    assert lines["listeners"] == "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093"
    assert lines["controller.quorum.voters"] == "1@127.0.0.1:9093"
    assert lines["auto.create.topics.enable"] == "false"
    assert {value for key, value in lines.items() if key.endswith(("replication.factor", "isr"))} == {"1"}


def test_three_brokers_survive_the_loss_of_one() -> None:
    lines = properties(2, {1: (1, 2), 2: (3, 4), 3: (5, 6)}, Path("/data"), {})
    assert lines["advertised.listeners"] == "PLAINTEXT://127.0.0.1:3"
    assert lines["controller.quorum.voters"] == "1@127.0.0.1:2,2@127.0.0.1:4,3@127.0.0.1:6"
    assert {value for key, value in lines.items() if key.endswith("replication.factor")} == {"3"}
    assert {value for key, value in lines.items() if key.endswith(("min.isr", "min.insync.replicas"))} == {"2"}


def test_a_setting_of_ones_own_wins() -> None:
    lines = properties(1, {1: (1, 2)}, Path("/data"), {"broker.session.timeout.ms": "9000"})
    assert lines["broker.session.timeout.ms"] == "9000"


def test_kafka_accepts_the_ids() -> None:
    ids = {kafka_id() for _ in range(200)}
    assert len(ids) == 200
    assert all(len(one) == 22 and not one.startswith("-") for one in ids)


def test_a_redis_password_stands_in_the_file_and_the_url_and_nowhere_else(tmp_path: Path) -> None:
    recipe = Valkey(tmp_path, password="p@ss word", program=Path("/bin/redis-server"))
    recipe.port.picked = 20_000
    assert recipe.address == "redis://:p%40ss%20word@127.0.0.1:20000/0"
    assert not any("ss word" in argument for argument in recipe.argv())
    assert "ss word" not in repr(recipe)
    for file in ("valkey.conf", "users.acl"):
        assert (tmp_path / file).stat().st_mode & 0o077 == 0
        assert "ss word" not in (tmp_path / file).read_text()
    assert "nopass" not in (tmp_path / "users.acl").read_text()


def test_users_that_were_added_to_valkey_outlive_its_restart(tmp_path: Path) -> None:
    recipe = Valkey(tmp_path, program=Path("/bin/redis-server"))
    recipe.port.picked = 20_000
    recipe.argv()
    users = tmp_path / "users.acl"
    assert users.read_text() == "user default on nopass sanitize-payload ~* &* +@all\n"
    users.write_text("user somebody on\n")
    recipe.argv()
    assert users.read_text() == "user somebody on\n"


def test_redis_keeps_everything_or_refuses(tmp_path: Path) -> None:
    lines = configuration(tmp_path, 1, "64mb", {"maxclients": "50"}).splitlines()
    assert {"appendonly yes", "appendfsync everysec", "maxmemory-policy noeviction", "maxclients 50"} <= set(lines)
    assert "requirepass" not in " ".join(lines)


def test_the_redis_of_a_stack_has_room_for_every_market_as_measured() -> None:
    pages = Path(__file__).parents[3] / "docs" / "BENCHMARKS.md"
    measured = re.search(r"; ([0-9]+) MB once the stream of every market is full", pages.read_text(encoding="utf-8"))
    assert measured is not None
    assert int(Options().redis_maxmemory.removesuffix("mb")) >= 1.25 * int(measured[1])


def test_servers_inherit_neither_secrets_nor_what_would_change_them() -> None:
    environ = {"PATH": "/bin", "PGPORT": "1", "JAVA_TOOL_OPTIONS": "-Xmx1m", "TAPEWATCH_SLACK__BOT_TOKEN": "x"}
    assert server_environment(environ) == {"PATH": "/bin", "LANG": "C.UTF-8", "TZ": "UTC"}


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (b"INFO fine\nFATAL:  no\nHINT: do this\n", "FATAL:  no"),
        (b"one\ntwo\n", "two"),
        (b"", "no output"),
    ],
)
def test_the_line_that_says_why_is_found(said: bytes, line: str) -> None:
    assert last_complaint(said) == line


def test_only_addresses_that_somebody_set_count_as_given(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('[kafka]\nbootstrap_servers = "kafka:9092"\n')
    environ = {"TAPEWATCH_REDIS__URL": "redis://redis:6379/0", "TAPEWATCH_CONFIG": str(file)}
    assert ServerAddresses.from_settings(environ) == ServerAddresses("kafka:9092", None, "redis://redis:6379/0")
    assert ServerAddresses.from_settings({}) == ServerAddresses()


def test_a_misspelt_address_is_an_error() -> None:
    with pytest.raises(WrongUse, match="TAPEWATCH_KAFKA__BOOTSTRAP_SERVER "):
        ServerAddresses.from_settings({"TAPEWATCH_KAFKA__BOOTSTRAP_SERVER": "x:1"})
