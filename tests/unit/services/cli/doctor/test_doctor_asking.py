"""What is asked of the settings, while nothing else answers."""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiokafka.errors import NodeNotReadyError
from asyncpg.types import ServerVersion

from services.cli.doctor import asking, containers, enabled
from services.cli.doctor.asking import ask_all, told_version
from services.cli.doctor.checks import Away, Elsewhere, judge
from services.cli.doctor.facts import RedisMemory, SettingsFacts
from services.cli.doctor.finding import exit_code
from services.cli.extras import to_install
from shared.settings import Settings, load_with_origins


async def test_only_a_secret_that_all_may_read_is_exposed(tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("token", "hidden", "empty", "rules.toml")}
    for name, file in files.items():
        file.write_text("" if name == "empty" else "# x")
        file.chmod(0o600 if name == "hidden" else 0o644)
    nowhere = "http://127.0.0.1:1"
    environ = {
        "TAPEWATCH_SLACK__BOT_TOKEN_FILE": str(files["token"]),
        "TAPEWATCH_WEBHOOK__SECRET_FILE": str(files["hidden"]),
        "TAPEWATCH_WEBHOOK__URL_FILE": str(files["empty"]),
        "TAPEWATCH_ALERTS__RULES_FILE": str(files["rules.toml"]),
        "TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "TAPEWATCH_POSTGRES__DSN": "postgresql://nobody@127.0.0.1:1/nothing",
        "TAPEWATCH_REDIS__URL": "redis://127.0.0.1:1/0",
        **{f"TAPEWATCH_{exchange}__REST_URL": nowhere for exchange in ("UPBIT", "BINANCE")},
        "TAPEWATCH_SLACK__API_URL": f"{nowhere}/api/",
    }
    facts = (await ask_all(load_with_origins(environ), environ))["settings"]
    assert isinstance(facts, SettingsFacts)
    assert list(facts.open_files) == [str(files["token"])]


async def test_a_secret_that_compose_mounts_is_open_on_purpose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = tmp_path / "slack_bot_token"
    token.write_text("# x")
    token.chmod(0o644)
    environ = {"TAPEWATCH_SLACK__BOT_TOKEN_FILE": str(token)}
    assert list((await asking._settings(load_with_origins(environ), environ)).open_files) == [str(token)]
    monkeypatch.setattr(containers, "_MOUNTS", (f"{tmp_path}/",))
    assert list((await asking._settings(load_with_origins(environ), environ)).open_files) == []


@pytest.mark.parametrize(
    ("symbols", "units", "asked"),
    [
        ("KRW-BTC", None, True),
        ("KRW-BTC", ["tapewatch-producer@upbit"], True),
        ("KRW-BTC", [], False),
        (",", None, False),
    ],
)
async def test_an_exchange_is_asked_where_a_producer_is_to_read_it(
    monkeypatch: pytest.MonkeyPatch, symbols: str, units: list[str] | None, asked: bool
) -> None:
    monkeypatch.setattr(enabled, "enabled_units", lambda: units)
    environ = {"TAPEWATCH_UPBIT__SYMBOLS": symbols, "TAPEWATCH_UPBIT__REST_URL": "http://127.0.0.1:1"}
    answer = await asking._within(partial(asking._exchange, "upbit", load_with_origins(environ).settings.upbit))
    assert isinstance(answer, Away if asked else Elsewhere)
    assert exit_code(judge("upbit", answer)) == (3 if asked else 0)


async def test_a_store_without_client_and_address_is_not_of_this_host(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("redis.asyncio", "asyncpg"):
        monkeypatch.setitem(sys.modules, package, None)
    nowhere = "http://127.0.0.1:1"
    environ = {f"TAPEWATCH_{exchange}__REST_URL": nowhere for exchange in ("UPBIT", "BINANCE")}
    environ |= {"TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1", "TAPEWATCH_REDIS__URL": "redis://127.0.0.1:1/0"}
    answers = await ask_all(load_with_origins(environ), environ)
    assert answers["redis"] == Away("this needs the package redis.asyncio", to_install("consumer"))
    [told] = judge("postgres", answers["postgres"])
    assert (told.verdict, told.told) == ("well", "no part on this host needs it: neither client nor address is here")


def test_the_version_of_postgres_is_told_as_people_know_it() -> None:
    assert told_version(ServerVersion(15, 0, 18, "final", 0)) == "15.18"


@pytest.mark.parametrize("question", ["_log_dirs", "_spans_s"])
async def test_a_broker_that_is_away_costs_what_is_known_of_disks_alone(
    monkeypatch: pytest.MonkeyPatch, question: str
) -> None:
    async def answers(*_: object) -> dict[str, float]:
        return {}

    async def is_away(*_: object) -> None:
        raise NodeNotReadyError("2")

    for name in ("_log_dirs", "_spans_s"):
        monkeypatch.setattr(asking, name, is_away if name == question else answers)
    log_dirs, spans_s, why = await asking._disk(Settings(), {})
    assert (list(log_dirs), dict(spans_s)) == ([], {})
    assert "NodeNotReadyError" in why


async def test_a_redis_may_hide_what_its_machine_has() -> None:
    class Hides:
        async def info(self, _section: str) -> dict[str, object]:
            return {"used_memory": 5, "maxmemory": 0, "maxmemory_policy": "noeviction"}

    hides: Any = Hides()
    assert await asking._memory(hides) == RedisMemory(5, 0, "noeviction", 0)


class Postgres:
    """A server that says where its data are, or not to this login."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    async def fetchval(self, _asked: str) -> str:
        if self._directory is None:
            raise asyncpg.InsufficientPrivilegeError
        return str(self._directory)


async def test_the_disk_of_data_that_are_not_seen_is_a_guess(tmp_path: Path) -> None:
    closed = tmp_path / "main"
    closed.mkdir(mode=0o300)
    seen, hidden, gone = (Postgres(directory) for directory in (closed, None, tmp_path / "in a container"))

    async def room(server: Any, host: str = "localhost") -> tuple[int | None, str]:
        return await asking._room(server, host)

    assert (await room(seen))[1] == ""
    assert (await room(hidden))[1].startswith("/")
    assert (await room(gone))[1].startswith("/")
    assert await room(hidden, "stores.example") == (None, "")
