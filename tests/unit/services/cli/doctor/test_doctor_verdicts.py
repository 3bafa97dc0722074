"""What doctor makes of what it is told: each fault is named with a next command, and a sound part is not blamed."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.cli.doctor import verdicts
from services.cli.doctor.checks import CHECKS, Away, judge
from services.cli.doctor.containers import in_containers
from services.cli.doctor.facts import (
    ExchangeFacts,
    KafkaFacts,
    LogDirFacts,
    PostgresFacts,
    RedisFacts,
    RedisMemory,
    SettingsFacts,
    SlackFacts,
    TopicFacts,
)
from services.cli.doctor.finding import Finding, exit_code, line
from services.consumer.retention import Lag
from shared.settings import load_with_origins
from shared.topics import TOPICS, TRADES

TOLD_OTHERWISE = {
    "TAPEWATCH_WATCHDOG__WEBHOOK_URL": "https://people.example/",
    "TAPEWATCH_WATCHDOG__HEARTBEAT_URL": "http://watcher.example:9470/heartbeat",
}
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TODAY = NOW.date()
GB = 1_000_000_000
KAFKA = KafkaFacts(
    brokers=1,
    replication_factor=1,
    topics={topic.name: TopicFacts(topic.partitions, 1, topic.config()) for topic in TOPICS},
    lags={"redis": {TRADES.name: Lag(TRADES.name, 5, 20, 600_000, 0.0)}},
    log_dirs=[LogDirFacts("127.0.0.1", "/var/lib/kafka", {TRADES.name: [GB] * 8}, 300 * GB)],
    spans_s={TRADES.name: 86_400.0},
)
MEMORY = RedisMemory(100_000_000, 512_000_000, "noeviction", 8 * GB)
POSTGRES = PostgresFacts(
    version="18.1",
    now=NOW,
    clock_offset_s=0.01,
    migration="0006",
    wanted_migration="0006",
    retention_days=10,
    day_bytes={TODAY + timedelta(days=n): (GB if n == -1 else GB // 2 if n == 0 else 0) for n in range(-1, 4)},
    for_good_bytes=300_000_000,
    first_at=NOW - timedelta(days=1.5),
    newest={"upbit": NOW - timedelta(seconds=1)},
    free_bytes=100 * GB,
)


def settings_facts(**environ: str) -> SettingsFacts:
    loaded = load_with_origins(environ)
    return SettingsFacts(loaded.settings, loaded.origins)


def told(findings: Iterable[Finding], *wanted: str) -> list[tuple[str, str]]:
    """Verdict and text of those that are not well."""
    found = [(finding.verdict, finding.told) for finding in findings if finding.verdict != "well"]
    for finding in findings:
        assert (finding.verdict == "well") == (finding.next == ""), finding
    return found


def of(check: Iterable[Finding]) -> list[tuple[str, str]]:
    return told(list(check))


def test_a_sound_deployment_is_well() -> None:
    answers = {
        "settings": settings_facts(**TOLD_OTHERWISE),
        "kafka": KAFKA,
        "redis": RedisFacts({"upbit": 0.5}, MEMORY, ["upbit"]),
        "postgres": POSTGRES,
        "upbit": ExchangeFacts("upbit", 0.4, 0.5),
        "binance": ExchangeFacts("binance", -0.4, 0.5),
        "slack": SlackFacts("token", ["#a", "#a"], who="tapewatch in workspace Us"),
    }
    findings = [finding for source, answer in answers.items() for finding in judge(source, answer)]  # type: ignore[arg-type]
    assert {finding.verdict for finding in findings} == {"well"}
    assert {finding.check for finding in findings} == {check.name for check in CHECKS}
    assert exit_code(findings) == 0


def test_a_source_that_is_away_names_what_was_not_looked_at() -> None:
    [finding] = judge("redis", Away("Redis: no route", "tapewatch settings"))
    assert finding == Finding(
        "redis", "away", "Redis: no route (not looked at: memory, freshness)", "tapewatch settings"
    )
    assert exit_code([finding]) == 3
    assert exit_code([finding, Finding("days", "wrong", "x", "y")]) == 1
    assert (
        line(finding)
        == "away    redis       Redis: no route (not looked at: memory, freshness) — next: tapewatch settings"
    )


def test_a_password_that_is_needed_and_missing_is_wrong() -> None:
    facts = settings_facts(TAPEWATCH_KAFKA__SECURITY_PROTOCOL="SASL_SSL")
    assert of(verdicts.secrets(facts)) == [("wrong", "SASL_SSL needs a password and there is none")]


def test_secrets_are_listed_and_never_shown() -> None:
    facts = settings_facts(TAPEWATCH_SLACK__BOT_TOKEN="xoxb-canary")
    [finding] = verdicts.secrets(facts)
    assert finding.told == "set: slack.bot_token (environment)"
    assert of(verdicts.secrets(replace(facts, open_files=["/x/token"]))) == [
        ("warning", "everybody on this host may read /x/token")
    ]


def topic_changed(**changes: object) -> KafkaFacts:
    topics = dict(KAFKA.topics) | {TRADES.name: replace(KAFKA.topics[TRADES.name], **changes)}  # type: ignore[arg-type]
    return replace(KAFKA, topics=topics)


def test_topics_that_differ_are_told_one_by_one() -> None:
    assert of(verdicts.topics(replace(KAFKA, topics={})))[0] == ("wrong", f"{TOPICS[0].name} is not there")
    assert of(verdicts.topics(topic_changed(partitions=3))) == [
        ("wrong", "tape.trades.v1 has 3 partitions and must have 8")
    ]
    shorter = of(verdicts.topics(topic_changed(config=TRADES.config() | {"retention.ms": "60000"})))
    assert shorter == [("warning", "tape.trades.v1: retention.ms is 60000 and should be 604800000")]
    assert of(verdicts.topics(topic_changed(config=TRADES.config() | {"retention.ms": "-1"}))) == []
    assert of(verdicts.topics(topic_changed(config={}))) == []


def test_copies_and_brokers() -> None:
    facts = replace(KAFKA, replication_factor=3)
    assert of(verdicts.brokers(facts)) == [("wrong", "1 brokers cannot hold 3 copies")]
    assert len(of(verdicts.topics(facts))) == len(TOPICS)


@pytest.mark.parametrize(("ratio", "verdict"), [(0.2, "well"), (0.25, "warning"), (0.5, "wrong")])
def test_lag_counts_as_a_share_of_what_kafka_keeps(ratio: float, verdict: str) -> None:
    lags = {"redis": {TRADES.name: Lag(TRADES.name, 5, 20, 600_000, ratio)}}
    [finding] = verdicts.lag(replace(KAFKA, lags=lags))
    assert finding.verdict == verdict


def test_no_consumer_at_all_is_told() -> None:
    assert of(verdicts.lag(replace(KAFKA, lags={}))) == [("warning", "no consumer ever left a position in Kafka")]


@pytest.mark.parametrize(
    ("has", "verdict"), [(None, "wrong"), ("", "warning"), ("0005", "wrong"), ("0006", "well"), ("0007", "wrong")]
)
def test_tables_of_another_step(has: str | None, verdict: str) -> None:
    [finding] = verdicts.migrations(replace(POSTGRES, migration=has))
    assert finding.verdict == verdict


def test_a_missing_day_is_told() -> None:
    assert of(verdicts.days(replace(POSTGRES, day_bytes={TODAY: 0}))) == [("wrong", "tomorrow has no table of trades")]
    tomorrow = {TODAY + timedelta(days=1): 0}
    assert of(verdicts.days(replace(POSTGRES, day_bytes=tomorrow))) == [("wrong", "today has no table of trades")]


def test_the_disk_is_forecast() -> None:
    [finding] = verdicts.disk(POSTGRES)
    assert finding.told == (
        "trades take 1.50 GB in PostgreSQL, 1.00 GB a day, 10 GB after the 10 days that are kept; candles and what "
        "else is kept for good 0.30 GB, 0.20 GB a day without an end; 100 GB are free: full in 458 days"
    )
    assert finding.verdict == "well"
    assert of(verdicts.disk(replace(POSTGRES, free_bytes=5 * GB)))[0][0] == "warning"
    assert of(verdicts.disk(replace(POSTGRES, free_bytes=2 * GB)))[0][0] == "wrong"
    assert "too early" in next(verdicts.disk(replace(POSTGRES, first_at=NOW - timedelta(minutes=5)))).told
    assert "too early" in next(verdicts.disk(replace(POSTGRES, first_at=None))).told


def test_a_disk_that_is_guessed_is_told_as_that() -> None:
    [finding] = verdicts.disk(replace(POSTGRES, guessed_at="/var/lib/postgresql"))
    guessed = (
        "; 100 GB are free on the disk of /var/lib/postgresql, a guess: where the data are cannot be seen from here"
    )
    assert f"{guessed}: full in" in finding.told
    full = of(verdicts.disk(replace(POSTGRES, guessed_at="/", free_bytes=2 * GB)))
    assert "cannot be seen from here: full in 1." in full[0][1]


def test_what_is_kept_for_good_fills_a_disk_that_holds_every_trade() -> None:
    facts = replace(POSTGRES, free_bytes=12_100_000_000)
    assert of(verdicts.disk(replace(facts, for_good_bytes=0))) == []
    [(verdict, told)] = of(verdicts.disk(facts))
    assert (verdict, told[-15:]) == ("warning", "full in 18 days")


def test_how_much_a_disk_elsewhere_must_have_is_told_with_what_tells_whether_it_does() -> None:
    [finding] = verdicts.disk(replace(POSTGRES, free_bytes=None))
    assert finding.told == (
        "trades take 1.50 GB in PostgreSQL, 1.00 GB a day, 10 GB after the 10 days that are kept; candles and what "
        "else is kept for good 0.30 GB, 0.20 GB a day without an end: 8 GB more than now for trades alone; "
        "whether they are free, `df -h /var/lib/postgresql` on its host tells"
    )
    assert in_containers(finding).told.endswith(
        "whether they are free, `docker compose exec postgres df -h /var/lib/postgresql` tells"
    )


def test_an_exchange_that_delivers_nothing_has_a_line_of_its_own() -> None:
    wanted = ["upbit", "binance"]
    assert of(verdicts.fresh_in_redis(RedisFacts({"upbit": 0.5}, MEMORY, wanted))) == [
        ("warning", "no trade of binance in Redis")
    ]
    assert of(verdicts.fresh_in_redis(RedisFacts({"upbit": 0.5, "binance_agg": 0.5}, MEMORY, wanted))) == []
    silent = replace(POSTGRES, known=["binance", "upbit"], expected=wanted)
    assert of(verdicts.fresh_in_postgres(silent)) == [("wrong", "no trade of binance of the last day in Postgres")]
    never = replace(POSTGRES, known=["upbit"], expected=wanted)
    assert of(verdicts.fresh_in_postgres(never)) == [("warning", "no trade of binance in Postgres")]


def test_a_watchdog_without_a_second_way_and_a_host_that_nobody_misses_are_told() -> None:
    assert of(verdicts.watchdog(settings_facts())) == [
        ("warning", "no second way to people: while Slack refuses the bot nobody is told"),
        ("warning", "nobody misses this host: a watchdog that is gone with it is not told"),
    ]
    assert of(verdicts.watchdog(settings_facts(**TOLD_OTHERWISE))) == []


def test_a_unit_without_its_own_login_is_told() -> None:
    facts = replace(settings_facts(), units_without_secret={"tapewatch-setup": "/etc/x/owner/dsn"})
    assert of(verdicts.secrets(facts)) == [
        ("warning", "tapewatch-setup has no login of its own: /etc/x/owner/dsn is not there or empty")
    ]


def test_stale_exchanges_are_wrong() -> None:
    found = of(verdicts.fresh_in_redis(RedisFacts({"upbit": 61.0, "binance": 2.0})))
    assert found == [("wrong", "newest trade of upbit in Redis: 61.0 s old")]
    assert of(verdicts.fresh_in_redis(RedisFacts({}))) == [("wrong", "no trade of the last day in Redis")]
    assert of(verdicts.fresh_in_redis(RedisFacts(None))) == [("warning", "this login may not read Redis")]
    assert of(verdicts.fresh_in_postgres(replace(POSTGRES, newest={}))) == [
        ("wrong", "no trade of the last day in Postgres")
    ]


@pytest.mark.parametrize(("offset_s", "verdict"), [(0.9, "well"), (-1.5, "warning"), (3.0, "wrong")])
def test_clocks_that_differ(offset_s: float, verdict: str) -> None:
    [finding] = verdicts.clock_of_exchange(ExchangeFacts("upbit", offset_s, 0.5))
    assert finding.verdict == verdict


def test_an_exchange_that_tells_no_date_is_told_with_what_to_look_at_instead() -> None:
    [finding] = verdicts.clock_of_exchange(ExchangeFacts("upbit", None, 0.0))
    assert (finding.verdict, finding.told) == ("warning", "upbit answers without a date that can be read")
    assert finding.next == "timedatectl status"


@pytest.mark.parametrize(("used_mb", "verdict"), [(409, "well"), (410, "warning"), (487, "wrong")])
def test_redis_is_told_before_it_is_full(used_mb: int, verdict: str) -> None:
    [finding] = verdicts.memory(RedisFacts({}, replace(MEMORY, used_bytes=used_mb * 1_000_000)))
    assert (finding.verdict, finding.told) == (verdict, f"Redis uses {used_mb} of 512 MB, then noeviction")
    assert finding.next.startswith("redis-cli config set maxmemory 1024mb" if verdict != "well" else "")


def test_a_redis_without_a_limit_is_measured_by_the_machine() -> None:
    [finding] = verdicts.memory(RedisFacts({}, replace(MEMORY, most_bytes=0)))
    assert (finding.verdict, finding.told) == (
        "well", "Redis uses 100 of 8000 MB, all that the machine has: it has no maxmemory"
    )  # fmt: skip
    assert of(verdicts.memory(RedisFacts({}, replace(MEMORY, most_bytes=0, used_bytes=8 * GB))))[0][0] == "wrong"


def test_a_redis_that_throws_away_what_it_was_given_is_wrong_however_empty() -> None:
    assert of(verdicts.memory(RedisFacts({}, replace(MEMORY, policy="allkeys-lru")))) == [
        ("wrong", "allkeys-lru: a full Redis throws away what it was given, and tells nobody")
    ]
    assert of(verdicts.memory(RedisFacts({}, replace(MEMORY, policy="allkeys-lru", most_bytes=0)))) == []


def test_a_redis_that_does_not_tell_what_its_machine_has_is_judged_all_the_same() -> None:
    assert of(verdicts.memory(RedisFacts({}, replace(MEMORY, most_bytes=0, machine_bytes=0)))) == [
        ("warning", "Redis uses 100 MB without a maxmemory, and does not tell what its machine has")
    ]
    [finding] = verdicts.memory(RedisFacts({}, replace(MEMORY, machine_bytes=0)))
    assert finding.verdict == "well"


def test_a_login_that_may_not_see_redis_memory_is_told_how_to() -> None:
    assert of(verdicts.memory(RedisFacts({}))) == [("warning", "this login may not see how much memory Redis uses")]


def test_slack_says_who_we_are_or_why_not() -> None:
    assert of(verdicts.slack(SlackFacts("none")))[0][0] == "warning"
    assert of(verdicts.slack(SlackFacts("token", ["#a"], refused="invalid_auth"))) == [
        ("wrong", "Slack refuses the token: invalid_auth")
    ]
    assert of(verdicts.slack(SlackFacts("webhook"))) == []


def test_a_login_that_may_not_look_at_topics_is_one_warning() -> None:
    findings = list(judge("kafka", KafkaFacts(1, 1, {}, {}, refused="exchanges")))
    assert told(findings) == [("warning", "not looked at, nor lag and disk: Kafka does not let exchanges do that")]
    assert findings[-1].next == "tapewatch topics grant reader --user exchanges"
