"""Asks each source for its facts. What does not answer within seconds is away; the others are asked all the same."""

import asyncio
import os
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog

from services.cli.doctor.checks import Away, Elsewhere, Source
from services.cli.doctor.containers import is_mounted
from services.cli.doctor.enabled import is_read_here, units_without_secret
from services.cli.doctor.facts import (
    KafkaFacts,
    LogDirFacts,
    PostgresFacts,
    RedisFacts,
    RedisMemory,
    SettingsFacts,
    TopicFacts,
)
from services.cli.doctor.outside import exchange_facts, slack_facts
from services.consumer.retention import Lag
from shared.errors import TapewatchError, WrongUse
from shared.settings import ExchangeSettings, Loaded, Settings
from shared.settings_sources import env_name

if TYPE_CHECKING:
    import asyncpg
    from aiokafka.admin import AIOKafkaAdminClient
    from asyncpg.types import ServerVersion
    from redis.asyncio import Redis

log = structlog.get_logger(__name__)
_CONNECT_S, _SOURCE_WITHIN_S = 3, 20
_DISK_WITHIN_S = 8.0
_LOCAL = frozenset({None, "", "localhost", "127.0.0.1", "::1"})
_USUAL_DATA = "/var/lib/postgresql"
_DAYS = "SELECT day, pg_total_relation_size(to_regclass(table_name)) FROM trade_day"
_FOR_GOOD = """
    SELECT sum(pg_total_relation_size(to_regclass(name)))::bigint
    FROM unnest(ARRAY['candle_1m', 'ticker_1m', 'alert', 'gap', 'completeness']) AS name
"""
_KNOWN = "SELECT DISTINCT exchange FROM instrument"
_NEWEST = """
    SELECT i.exchange, max(c.close_traded_at)
    FROM candle_1m c JOIN instrument i ON i.id = c.instrument_id
    WHERE c.opened_at > now() - interval '1 day'
    GROUP BY i.exchange
"""


async def ask_all(loaded: Loaded, environ: Mapping[str, str]) -> dict[Source, object]:
    """The answer of every source, or `Away`."""
    settings = loaded.settings
    asks: dict[Source, Callable[[], Awaitable[object]]] = {
        "settings": partial(_settings, loaded, environ),
        "kafka": partial(_kafka, settings),
        "redis": partial(_store, partial(_redis, settings), "redis.url" in loaded.origins),
        "postgres": partial(_store, partial(_postgres, settings), "postgres.dsn" in loaded.origins),
        "upbit": partial(_exchange, "upbit", settings.upbit),
        "binance": partial(_exchange, "binance", settings.binance),
        "slack": partial(slack_facts, settings),
    }
    answers = await asyncio.gather(*(_within(ask) for ask in asks.values()))
    return dict(zip(asks, answers, strict=True))


async def _within(ask: Callable[[], Awaitable[object]]) -> object:
    try:
        return await _answer(ask)
    # Doctor is typed where something is broken, also in a way that nobody foresaw: it decides on nothing and goes on
    # with nothing (ARCHITECTURE, rule 5), and ended here it would hide what the other sources have to say.
    except Exception as error:
        log.exception("a source answered what nobody foresaw")
        return Away(f"unforeseen, its traceback is in the log: {error!r}", "tapewatch settings")


async def _answer(ask: Callable[[], Awaitable[object]]) -> object:
    from services.cli.extras import missing_extra, to_install

    try:
        async with asyncio.timeout(_SOURCE_WITHIN_S):
            return await ask()
    except TimeoutError:
        return Away(f"no answer within {_SOURCE_WITHIN_S} s", "tapewatch settings")
    except TapewatchError as error:
        return Away(str(error), "tapewatch settings")
    except ModuleNotFoundError as error:
        extra = missing_extra(error.name or "", "")
        if extra is None:
            raise
        return Away(f"this needs the package {error.name}", to_install(extra))


async def _store(ask: Callable[[], Awaitable[object]], is_named: bool) -> object:
    """A host that has neither a store's client nor its address runs nothing that needs the store."""
    try:
        return await ask()
    except ModuleNotFoundError:
        if is_named:
            raise
        return Elsewhere("no part on this host needs it: neither client nor address is here")


async def _exchange(exchange: str, own: ExchangeSettings) -> object:
    """Where nobody reads it nobody has to reach it."""
    if not own.symbols:
        return Elsewhere(f"not asked: {env_name(exchange, 'symbols')} names no market")
    if not is_read_here(exchange):
        return Elsewhere("not asked: no producer of it is to run on this host")
    return await exchange_facts(exchange, own.rest_url)


async def _settings(loaded: Loaded, environ: Mapping[str, str]) -> SettingsFacts:
    read = [key.split(".") for key, origin in loaded.origins.items() if origin == "secret file"]
    named = [environ[f"{env_name(section, key)}_FILE"] for section, key in read]
    # What Compose mounts must be open to the containers' user; what is closed is the directory it comes from.
    exposed = [path for path in named if not is_mounted(path) and os.stat(path).st_mode & 0o004]
    return SettingsFacts(loaded.settings, loaded.origins, exposed, units_without_secret())


def _expected(settings: Settings) -> Sequence[str]:
    """The exchanges whose trades the settings ask for."""
    own = {"upbit": settings.upbit, "binance": settings.binance}
    return [exchange for exchange, one in own.items() if one.symbols and "trade" in one.channels]


async def _kafka(settings: Settings) -> KafkaFacts:
    from aiokafka.admin import AIOKafkaAdminClient
    from aiokafka.errors import KafkaError

    from services.consumer.app import advice_group
    from shared.kafka import check_rights, client_options, wait_until_reachable

    await wait_until_reachable(settings.kafka, _CONNECT_S)
    admin = AIOKafkaAdminClient(**client_options(settings.kafka, "doctor"))
    try:
        await admin.start()
        cluster = await admin.describe_cluster()
        brokers, wanted = len(cluster["brokers"]), settings.kafka.replication_factor
        login = settings.kafka.sasl_username or "ANONYMOUS"
        try:
            await check_rights(settings.kafka, "reader", [advice_group("redis")])
        except WrongUse:
            return KafkaFacts(brokers, wanted, {}, {}, login=login, refused=login)
        topics = await _topics(admin)
        lags = {sink: found for sink in ("redis", "postgres") if (found := await _lags(settings, sink))}
        log_dirs, spans_s, disk_away = await _disk(settings, topics)
    except KafkaError as error:
        raise TapewatchError(f"Kafka: {error!r}") from None
    finally:
        await admin.close()
    return KafkaFacts(brokers, wanted, topics, lags, log_dirs, spans_s, login, disk_away=disk_away)


async def _topics(admin: "AIOKafkaAdminClient") -> dict[str, TopicFacts]:
    from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

    from shared.topics import TOPIC_BY_NAME

    there = {entry["topic"]: entry["partitions"] for entry in await admin.describe_topics()}
    ours = [name for name in there if name in TOPIC_BY_NAME]
    configs: dict[str, dict[str, str]] = {}
    if ours:
        for answer in await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in ours]):
            for code, _, _, name, entries in answer.resources:
                configs[name] = {} if code else {key: value for key, value, *_ in entries}
    return {
        name: TopicFacts(
            len(there[name]), min(len(partition["replicas"]) for partition in there[name]), configs.get(name, {})
        )
        for name in ours
    }


async def _lags(settings: Settings, sink: str) -> Mapping[str, Lag]:
    from services.consumer.app import advice_group
    from services.consumer.retention_probe import RetentionProbe
    from shared.clock import now_us
    from shared.topics import TOPIC_BY_NAME

    async with RetentionProbe(settings.kafka, "doctor", advice_group(sink)) as probe:
        left = {p: at.offset for p, at in (await probe.left()).items() if p.topic in TOPIC_BY_NAME and at.offset >= 0}
        return await probe.lags(left, now_us() // 1000) if left else {}


async def _disk(
    settings: Settings, topics: Mapping[str, TopicFacts]
) -> tuple[Sequence[LogDirFacts], Mapping[str, float], str]:
    """What the disks hold, how long each topic took to come, and why neither is known, where it is not.

    Every broker is asked: that one of them is away says nothing against what the others told of topics and lag.
    """
    from aiokafka.errors import KafkaError

    try:
        async with asyncio.timeout(_DISK_WITHIN_S):
            return await _log_dirs(settings, topics), await _spans_s(settings, topics), ""
    except (KafkaError, TimeoutError) as error:
        return [], {}, repr(error)


async def _log_dirs(settings: Settings, topics: Mapping[str, TopicFacts]) -> Sequence[LogDirFacts]:
    from shared.kafka.log_dirs import describe_log_dirs

    partitions = {name: found.partitions for name, found in topics.items()}
    return [
        LogDirFacts(
            one.host, one.path, one.sizes, _room_in(one.path, one.host) if one.free_bytes is None else one.free_bytes
        )
        for one in await describe_log_dirs(settings.kafka, partitions, "doctor")
    ]


def _room_in(path: str, host: str | None) -> int | None:
    """Free bytes where a directory is, if that is this host and may be looked at."""
    with suppress(OSError):
        return shutil.disk_usage(path).free if host in _LOCAL else None
    return None


async def _spans_s(settings: Settings, topics: Mapping[str, TopicFacts]) -> Mapping[str, float]:
    from aiokafka.structs import TopicPartition

    from shared.clock import now_us
    from shared.kafka import PartitionReader

    reader = PartitionReader(settings.kafka, "doctor")
    try:
        await reader.connect()
        partitions = [
            TopicPartition(name, number) for name, found in topics.items() for number in range(found.partitions)
        ]
        oldest_ms: dict[str, int] = {}
        for partition, at_ms in (await reader.oldest_ms(partitions)).items():
            oldest_ms[partition.topic] = min(at_ms, oldest_ms.get(partition.topic, at_ms))
    finally:
        await reader.close()
    return {topic: now_us() / 1_000_000 - at_ms / 1_000 for topic, at_ms in oldest_ms.items()}


async def _redis(settings: Settings) -> RedisFacts:
    from redis.asyncio import Redis
    from redis.exceptions import NoPermissionError, RedisError

    from services.cli.stores import read_streams
    from services.consumer.sinks.redis_connection import reason
    from shared.clock import now_us

    url = settings.redis.url.get_secret_value()
    try:
        async with Redis.from_url(
            url, socket_timeout=_SOURCE_WITHIN_S, socket_connect_timeout=_CONNECT_S, decode_responses=True
        ) as redis:
            await redis.ping()
            memory = await _memory(redis)
            try:
                streams = await read_streams(redis)
            except NoPermissionError:
                return RedisFacts(None, memory)
    except (RedisError, OSError, ValueError) as error:
        raise TapewatchError(f"Redis: {reason(error)}; is TAPEWATCH_REDIS__URL right?") from None
    newest: dict[str, int] = {}
    for one in streams:
        newest[one.exchange] = max(newest.get(one.exchange, 0), one.newest_us)
    ages_s = {exchange: (now_us() - at_us) / 1_000_000 for exchange, at_us in newest.items()}
    return RedisFacts(ages_s, memory, _expected(settings))


async def _memory(redis: "Redis") -> RedisMemory | None:
    from redis.exceptions import NoPermissionError

    try:
        told = await redis.info("memory")
    except NoPermissionError:
        return None
    machine_bytes = told.get("total_system_memory", 0)  # some who offer Redis hide it
    return RedisMemory(told["used_memory"], told["maxmemory"], told["maxmemory_policy"], machine_bytes)


async def _postgres(settings: Settings) -> PostgresFacts:
    import asyncpg

    dsn = settings.postgres.dsn.get_secret_value()
    try:
        connection = await asyncpg.connect(dsn, timeout=_CONNECT_S, command_timeout=_SOURCE_WITHIN_S)
        try:
            return await _postgres_facts(connection, settings)
        finally:
            await connection.close()
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise TapewatchError(
            f"PostgreSQL: {str(error) or 'no answer in time'}; is TAPEWATCH_POSTGRES__DSN right?"
        ) from None


def told_version(server: "ServerVersion") -> str:
    """As people know it; asyncpg has 15.18 as 15, 0, 18."""
    return f"{server.major}.{server.micro}"


async def _postgres_facts(connection: "asyncpg.Connection[asyncpg.Record]", settings: Settings) -> PostgresFacts:
    import asyncpg

    asked_at = time.time()
    now = await connection.fetchval("SELECT clock_timestamp()")
    offset_s = now.timestamp() - (asked_at + time.time()) / 2
    version = told_version(connection.get_server_version())
    try:
        migration = await connection.fetchval("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedTableError:
        migration = None
    except asyncpg.InsufficientPrivilegeError:
        migration = ""
    known = PostgresFacts(version, now, offset_s, migration, newest_migration(), settings.postgres.retention_days)
    if migration is None:
        return known
    free_bytes, guessed_at = await _room(connection, urlsplit(settings.postgres.dsn.get_secret_value()).hostname)
    return replace(
        known,
        day_bytes={day: size or 0 for day, size in await connection.fetch(_DAYS)},
        for_good_bytes=await connection.fetchval(_FOR_GOOD) or 0,
        first_at=await connection.fetchval("SELECT min(opened_at) FROM candle_1m"),
        newest={str(exchange): at for exchange, at in await connection.fetch(_NEWEST)},
        known=[str(exchange) for (exchange,) in await connection.fetch(_KNOWN)],
        expected=_expected(settings),
        free_bytes=free_bytes,
        guessed_at=guessed_at,
    )


async def _room(connection: "asyncpg.Connection[asyncpg.Record]", host: str | None) -> tuple[int | None, str]:
    """Free bytes of the disk with the server's data, and by what directory that is guessed where it does not tell."""
    import asyncpg

    if host not in _LOCAL:
        return None, ""
    with suppress(asyncpg.InsufficientPrivilegeError):
        free_bytes = _room_in(await connection.fetchval("SHOW data_directory"), host)
        if free_bytes is not None:
            return free_bytes, ""
    free_bytes = _room_in(_USUAL_DATA, host)
    return (_room_in("/", host), "/") if free_bytes is None else (free_bytes, _USUAL_DATA)


def newest_migration() -> str:
    """The step that this program was written for."""
    names = [entry.name for entry in files("services.consumer.migrations").joinpath("versions").iterdir()]
    return max(name[1:5] for name in names if name.startswith("v") and name.endswith(".py"))
