"""From facts to findings: one small function a check. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from math import inf

from pydantic import SecretStr

from services.cli.doctor.facts import (
    ExchangeFacts,
    KafkaFacts,
    PostgresFacts,
    RedisFacts,
    RedisMemory,
    SettingsFacts,
    SlackFacts,
    TopicFacts,
)
from services.cli.doctor.finding import Finding, Verdict
from services.cli.doctor.kafka_disk import Growth, days_until_full
from services.consumer.retention import OVER_AT, TELL_AT
from shared.topics import TOPICS, Topic

_LATE_S = 60.0
_SKEWED_S, _FAR_SKEWED_S = 0.5, 2.0
_GB, _MB = 1_000_000_000, 1_000_000
_FILLING, _FULL = 0.8, 0.95
_SOON_FULL_DAYS, _TELL_FULL_DAYS = 3.0, 30
_KEPT_AS_SET = ("cleanup.policy", "message.timestamp.type")
_LEAST_SPAN = timedelta(hours=1)


def settings(facts: SettingsFacts) -> Iterator[Finding]:
    """They were read, or nobody would be here."""
    count = len(facts.origins)
    yield Finding("settings", "well", f"valid, {count} of them set", "")


def secrets(facts: SettingsFacts) -> Iterator[Finding]:
    """Which are there and where from; those that are missing are told where they are needed."""
    found = [
        f"{section}.{key} ({origin})"
        for section, values in facts.settings
        for key, value in values
        if isinstance(value, SecretStr) and (origin := facts.origins.get(f"{section}.{key}"))
    ]
    kafka = facts.settings.kafka
    if kafka.security_protocol.startswith("SASL") and kafka.sasl_password is None:
        yield Finding(
            "secrets", "wrong", f"{kafka.security_protocol} needs a password and there is none",
            "set TAPEWATCH_KAFKA__SASL_PASSWORD_FILE",
        )  # fmt: skip
    for name in facts.open_files:
        yield Finding("secrets", "warning", f"everybody on this host may read {name}", f"chmod o-rwx {name}")
    for unit, name in facts.units_without_secret.items():
        yield Finding(
            "secrets", "warning", f"{unit} has no login of its own: {name} is not there or empty",
            f"write it as docs/OPERATING.md says, then systemctl restart {unit}",
        )  # fmt: skip
    yield Finding("secrets", "well", f"set: {', '.join(found) or 'none'}")


def watchdog(facts: SettingsFacts) -> Iterator[Finding]:
    """People hear of it also where Slack refuses us, and where the whole host is gone."""
    own = facts.settings.watchdog
    if own.webhook_url is None:
        yield Finding(
            "watchdog", "warning", "no second way to people: while Slack refuses the bot nobody is told",
            "set TAPEWATCH_WATCHDOG__WEBHOOK_URL_FILE",
        )  # fmt: skip
    if own.heartbeat_url is None:
        yield Finding(
            "watchdog", "warning", "nobody misses this host: a watchdog that is gone with it is not told",
            "set TAPEWATCH_WATCHDOG__HEARTBEAT_URL_FILE",
        )  # fmt: skip
    if own.webhook_url is not None and own.heartbeat_url is not None:
        yield Finding("watchdog", "well", "it has a second way to people, and somebody who misses it")


def brokers(facts: KafkaFacts) -> Iterator[Finding]:
    """Enough of them for the copies that are wanted."""
    if facts.brokers < facts.replication_factor:
        yield Finding(
            "kafka", "wrong", f"{facts.brokers} brokers cannot hold {facts.replication_factor} copies",
            "start the others, or lower TAPEWATCH_KAFKA__REPLICATION_FACTOR",
        )  # fmt: skip
    else:
        yield Finding("kafka", "well", f"{facts.brokers} broker(s) answer")


def topics(facts: KafkaFacts) -> Iterator[Finding]:
    """Every topic is there with its partitions, and is kept as long as it should be."""
    if facts.refused:
        yield Finding(
            "topics", "warning", f"not looked at, nor lag and disk: Kafka does not let {facts.refused} do that",
            f"tapewatch topics grant reader --user {facts.refused}",
        )  # fmt: skip
        return
    amiss = [finding for topic in TOPICS for finding in _topic(topic, facts)]
    yield from amiss
    if not amiss:
        most = sum((t.retention_bytes or 0) * t.partitions for t in TOPICS)
        yield Finding("topics", "well", f"{len(TOPICS)} as they should be; Kafka keeps at most {most / _GB:.0f} GB")


def _topic(topic: Topic, facts: KafkaFacts) -> Iterator[Finding]:
    found = facts.topics.get(topic.name)
    if found is None:
        yield Finding("topics", "wrong", f"{topic.name} is not there", "tapewatch topics create")
        return
    if found.partitions != topic.partitions:
        yield Finding(
            "topics", "wrong", f"{topic.name} has {found.partitions} partitions and must have {topic.partitions}",
            "delete it (its records are lost) and run: tapewatch topics create; or use another cluster than this",
        )  # fmt: skip
    for key, is_, wanted in _set_otherwise(topic, found):
        yield Finding(
            "topics", "warning", f"{topic.name}: {key} is {is_} and should be {wanted}",
            f"kafka-configs.sh --alter --entity-type topics --entity-name {topic.name} --add-config {key}={wanted}",
        )  # fmt: skip
    if found.replicas < facts.replication_factor:
        yield Finding(
            "topics", "warning", f"{topic.name} has {found.replicas} copies, {facts.replication_factor} are wanted",
            f"kafka-reassign-partitions.sh for {topic.name}",
        )  # fmt: skip


def _set_otherwise(topic: Topic, found: TopicFacts) -> Iterator[tuple[str, str, str]]:
    wanted = topic.config()
    for key in _KEPT_AS_SET:
        if key in found.config and found.config[key] != wanted[key]:
            yield key, found.config[key], wanted[key]
    kept_ms = found.config.get("retention.ms")
    if topic.retention_ms is not None and kept_ms is not None and 0 <= int(kept_ms) < topic.retention_ms:
        yield "retention.ms", kept_ms, str(topic.retention_ms)


def lag(facts: KafkaFacts) -> Iterator[Finding]:
    """How near what a store has not taken is to being deleted."""
    if not facts.lags and not facts.refused:
        yield Finding("lag", "warning", "no consumer ever left a position in Kafka", "tapewatch consumer redis")
    for sink, of_topic in sorted(facts.lags.items()):
        worst = max(of_topic.values(), key=lambda lag: (lag.ratio, lag.records))
        verdict: Verdict = "wrong" if worst.ratio >= TELL_AT else "warning" if worst.ratio >= OVER_AT else "well"
        next_ = "" if verdict == "well" else f"journalctl -u tapewatch-consumer@{sink} -n 100; tapewatch status --watch"
        yield Finding("lag", verdict, f"{sink}: {worst.topic}: {worst.told}", next_)


def postgres(facts: PostgresFacts) -> Iterator[Finding]:
    """It answered."""
    yield Finding("postgres", "well", f"PostgreSQL {facts.version} answers")


def migrations(facts: PostgresFacts) -> Iterator[Finding]:
    """The tables are those that this program was written for."""
    has, wants = facts.migration, facts.wanted_migration
    if has is None:
        yield Finding("migrations", "wrong", "there are no tables of ours yet", "tapewatch db migrate")
    elif has == "":
        yield Finding("migrations", "warning", "this login may not read which step ran last", "tapewatch db migrate")
    elif has < wants:
        yield Finding(
            "migrations", "wrong", f"the tables are of step {has}, this program of {wants}", "tapewatch db migrate"
        )
    elif has > wants:
        yield Finding(
            "migrations", "wrong", f"the tables are of step {has}, this program is older and knows {wants}",
            "install the newer version on this host",
        )  # fmt: skip
    else:
        yield Finding("migrations", "well", f"step {has}, the newest")


def days(facts: PostgresFacts) -> Iterator[Finding]:
    """Midnight must find its table ready."""
    if facts.migration is None:
        return
    today = facts.now.astimezone(UTC).date()
    ahead = sum(day > today for day in facts.day_bytes)
    if today not in facts.day_bytes:
        told: tuple[Verdict, str] = "wrong", "today has no table of trades"
    elif not ahead:
        told = "wrong", "tomorrow has no table of trades"
    else:
        yield Finding("days", "well", f"{ahead} days ahead have their table, {len(facts.day_bytes)} are kept")
        return
    yield Finding("days", *told, "start the consumer, which makes them: systemctl start tapewatch-consumer@postgres")


def disk(facts: PostgresFacts) -> Iterator[Finding]:
    """Bytes a day so far, what that comes to, and whether the disk holds it."""
    held = sum(facts.day_bytes.values())
    span = _span(facts)
    if span is None:
        yield Finding("disk", "well", f"trades take {held / _GB:.2f} GB in PostgreSQL; too early to say how much a day")
        return
    a_day = held / (span / timedelta(days=1))
    told = f"trades take {held / _GB:.2f} GB in PostgreSQL, {a_day / _GB:.2f} GB a day"
    told += f", {a_day * facts.retention_days / _GB:.0f} GB after the {facts.retention_days} days that are kept"
    trades = Growth("trades", 1, held, a_day, max(0.0, a_day * facts.retention_days - held))
    for_good = _for_good(facts)
    told += f"; candles and what else is kept for good {for_good.held_bytes / _GB:.2f} GB"
    told += f", {for_good.day_bytes / _GB:.2f} GB a day without an end"
    if facts.free_bytes is None:
        missing = trades.to_come_bytes / _GB
        told += f": {missing:.0f} GB more than now for trades alone"
        told += "; whether they are free, `df -h /var/lib/postgresql` on its host tells"
        yield Finding("disk", "well", told)
        return
    told += f"; {facts.free_bytes / _GB:.0f} GB are free"
    if facts.guessed_at:
        told += f" on the disk of {facts.guessed_at}, a guess: where the data are cannot be seen from here"
    yield _lasts(told, days_until_full([trades, for_good], facts.free_bytes), facts.retention_days)


def _for_good(facts: PostgresFacts) -> Growth:
    day_bytes = 0.0
    if facts.first_at is not None:
        day_bytes = facts.for_good_bytes / (max(_LEAST_SPAN, facts.now - facts.first_at) / timedelta(days=1))
    return Growth("for good", 1, facts.for_good_bytes, day_bytes, inf)


def _lasts(told: str, days: float | None, retention_days: int) -> Finding:
    remedy = "lower TAPEWATCH_POSTGRES__RETENTION_DAYS, or give PostgreSQL a larger disk"
    if days is None:
        return Finding("disk", "well", told)
    if days < _SOON_FULL_DAYS:
        return Finding("disk", "wrong", f"{told}: full in {days:.1f} days", remedy)
    told += f": full in {days:.0f} days"
    if days < max(_TELL_FULL_DAYS, retention_days):
        return Finding("disk", "warning", told, remedy)
    return Finding("disk", "well", told)


def _span(facts: PostgresFacts) -> timedelta | None:
    """How long the trades that are held took to come; None when that is too short to go by."""
    if facts.first_at is None or not facts.day_bytes:
        return None
    oldest = datetime.combine(min(facts.day_bytes), datetime.min.time(), UTC)
    span = facts.now - max(oldest, facts.first_at)
    return span if span >= _LEAST_SPAN else None


def fresh_in_postgres(facts: PostgresFacts) -> Iterator[Finding]:
    """The newest trade of each exchange is from now."""
    if facts.migration is not None:
        ages = {name: (facts.now - at).total_seconds() for name, at in facts.newest.items()}
        yield from _freshness("Postgres", ages, facts.known, facts.expected)


def fresh_in_redis(facts: RedisFacts) -> Iterator[Finding]:
    """The same in Redis."""
    if facts.ages_s is None:
        yield Finding("freshness", "warning", "this login may not read Redis", "tapewatch redis acl --help")
    else:
        yield from _freshness("Redis", facts.ages_s, (), facts.expected)


def _freshness(
    store: str, ages_s: Mapping[str, float], known: Iterable[str], expected: Iterable[str]
) -> Iterator[Finding]:
    if not ages_s:
        yield Finding("freshness", "wrong", f"no trade of the last day in {store}", "tapewatch tail trades")
        return
    for exchange, age_s in sorted(ages_s.items()):
        late = age_s > _LATE_S
        yield Finding(
            "freshness",
            "wrong" if late else "well",
            f"newest trade of {exchange} in {store}: {age_s:.1f} s old",
            _log_of_producer(exchange) if late else "",
        )
    for exchange in sorted(set(known) - ages_s.keys()):
        told = f"no trade of {exchange} of the last day in {store}"
        yield Finding("freshness", "wrong", told, _log_of_producer(exchange))
    # An exchange that nobody here wants has no producer, and settings that ask for it all the same.
    heard_of = {_producer(exchange) for exchange in (*ages_s, *known)}
    for exchange in sorted(set(expected) - heard_of):
        yield Finding("freshness", "warning", f"no trade of {exchange} in {store}", _log_of_producer(exchange))


def _producer(exchange: str) -> str:
    return exchange.removesuffix("_agg")


def _log_of_producer(exchange: str) -> str:
    return f"journalctl -u tapewatch-producer@{_producer(exchange)} -n 100"


def redis(facts: RedisFacts) -> Iterator[Finding]:
    """It answered."""
    yield Finding("redis", "well", "answers")


def memory(facts: RedisFacts) -> Iterator[Finding]:
    """Redis has room for more, and throws nothing away when it has none: what it holds has to be what was written."""
    found = facts.memory
    if found is None:
        yield Finding(
            "memory",
            "warning",
            "this login may not see how much memory Redis uses",
            "tapewatch redis acl reader --help",
        )
        return
    if found.most_bytes and found.policy.startswith("allkeys"):
        yield Finding(
            "memory", "wrong", f"{found.policy}: a full Redis throws away what it was given, and tells nobody",
            "redis-cli config set maxmemory-policy noeviction, and the same in its file",
        )  # fmt: skip
    yield _room(found)


def _room(found: RedisMemory) -> Finding:
    most_bytes = found.most_bytes or found.machine_bytes
    if not most_bytes:
        told = f"Redis uses {found.used_bytes / _MB:.0f} MB without a maxmemory, and does not tell what its machine has"
        return Finding("memory", "warning", told, "redis-cli config set maxmemory, to what that machine can spare")
    told = f"Redis uses {found.used_bytes / _MB:.0f} of {most_bytes / _MB:.0f} MB"
    told += f", then {found.policy}" if found.most_bytes else ", all that the machine has: it has no maxmemory"
    share = found.used_bytes / most_bytes
    if share < _FILLING:
        return Finding("memory", "well", told)
    larger_mb = 2 * most_bytes // _MB
    command = f"redis-cli config set maxmemory {larger_mb}mb" if found.most_bytes else "free -m"
    remedy = f"{command}; or lower TAPEWATCH_REDIS__STREAM_CAP"
    return Finding("memory", "wrong" if share >= _FULL else "warning", told, remedy)


def clock_of_postgres(facts: PostgresFacts) -> Iterator[Finding]:
    """Two hosts agree about the time."""
    yield _clock("PostgreSQL", facts.clock_offset_s, 0.0)


def clock_of_exchange(facts: ExchangeFacts) -> Iterator[Finding]:
    """The exchange is reachable, and agrees about the time."""
    if facts.clock_offset_s is None:
        yield Finding(
            "clock", "warning", f"{facts.exchange} answers without a date that can be read", "timedatectl status"
        )
    else:
        yield _clock(facts.exchange, facts.clock_offset_s, facts.uncertain_s)


def _clock(whose: str, offset_s: float, uncertain_s: float) -> Finding:
    off_s = max(0.0, abs(offset_s) - uncertain_s)
    verdict: Verdict = "wrong" if off_s > _FAR_SKEWED_S else "warning" if off_s > _SKEWED_S else "well"
    within = f" (±{uncertain_s:.1f} s)" if uncertain_s else ""
    told = (
        f"{whose} answers, its clock is {abs(offset_s):.1f} s {'ahead of' if offset_s > 0 else 'behind'} ours{within}"
    )
    return Finding("clock", verdict, told, "" if verdict == "well" else "timedatectl status")


def slack(facts: SlackFacts) -> Iterator[Finding]:
    """Somebody is told, and Slack lets us."""
    where = ", ".join(dict.fromkeys(facts.channels))
    if facts.way == "none":
        yield Finding(
            "slack", "warning", "nobody is told: alerts are stored and logged only",
            "set TAPEWATCH_SLACK__BOT_TOKEN_FILE, or TAPEWATCH_SLACK__WEBHOOK_URL_FILE",
        )  # fmt: skip
    elif facts.refused:
        yield Finding(
            "slack", "wrong", f"Slack refuses the token: {facts.refused}",
            "put the bot token of your app into TAPEWATCH_SLACK__BOT_TOKEN_FILE",
        )  # fmt: skip
    elif facts.way == "token":
        yield Finding("slack", "well", f"{facts.who}; invite it to {where}; a sample: tapewatch alerts test")
    else:
        kind = "an incoming webhook" if facts.way == "webhook" else "a webhook of one's own"
        yield Finding("slack", "well", f"{kind} is set, which only a message can try: tapewatch alerts test")
