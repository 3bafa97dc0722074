"""What the checks are told, as plain values: one class a source. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from services.consumer.retention import Lag
from shared.settings import Settings


@dataclass(frozen=True)
class SettingsFacts:
    """The settings in force; `origins` as `shared.settings.Loaded` has them, `open_files` whose secret all may read.

    `units_without_secret`: by unit of this host, the file that it is given its own secret by, and that is not there.
    """

    settings: Settings
    origins: Mapping[str, str]
    open_files: Sequence[str] = ()
    units_without_secret: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TopicFacts:
    """One topic as Kafka has it; `config` only as far as Kafka tells."""

    partitions: int
    replicas: int
    config: Mapping[str, str]


@dataclass(frozen=True)
class LogDirFacts:
    """A directory of a broker: sizes of the partitions in it by topic; `free_bytes` None where nobody here knows."""

    host: str
    path: str
    sizes: Mapping[str, Sequence[int]]
    free_bytes: int | None


@dataclass(frozen=True)
class KafkaFacts:
    """`lags` by sink and topic, from the positions that consumers left in Kafka; a sink that left none is absent.

    `spans_s`: how long what Kafka holds of a topic took to come. `log_dirs` is empty for a `login` that may not see
    them. `refused` is the login's name where it may not look at topics either; then all of them are empty.
    `disk_away` says why neither of the former could be asked for, where that is so.
    """

    brokers: int
    replication_factor: int
    topics: Mapping[str, TopicFacts]
    lags: Mapping[str, Mapping[str, Lag]]
    log_dirs: Sequence[LogDirFacts] = ()
    spans_s: Mapping[str, float] = field(default_factory=dict)
    login: str = ""
    refused: str = ""
    disk_away: str = ""


@dataclass(frozen=True)
class PostgresFacts:
    """`migration` is None without tables of ours, and "" where this login may not read it.

    `day_bytes`: each day of trades that has a table; `for_good_bytes`: the tables that nothing is ever dropped from.
    `first_at`: the oldest candle. `free_bytes` is None where the server is on another host; `guessed_at` is the
    directory whose disk stands in for that of the data, "" where it is theirs. `newest` by exchange, of the last day,
    by the exchange's clock. `known`: exchanges that markets are known of; `expected`: those that the settings ask for.
    """

    version: str
    now: datetime
    clock_offset_s: float
    migration: str | None
    wanted_migration: str
    retention_days: int
    day_bytes: Mapping[date, int] = field(default_factory=dict)
    for_good_bytes: int = 0
    first_at: datetime | None = None
    newest: Mapping[str, datetime] = field(default_factory=dict)
    known: Sequence[str] = ()
    expected: Sequence[str] = ()
    free_bytes: int | None = None
    guessed_at: str = ""


@dataclass(frozen=True)
class RedisMemory:
    """In bytes; `most_bytes` is `maxmemory`, 0 for none. `policy`: what Redis does when it has come to that.

    `machine_bytes` is 0 where Redis does not tell.
    """

    used_bytes: int
    most_bytes: int
    policy: str
    machine_bytes: int


@dataclass(frozen=True)
class RedisFacts:
    """`ages_s`: of the newest trade of each exchange; `memory`: what it uses. None where this login may not read it.

    `expected`: the exchanges that the settings ask for.
    """

    ages_s: Mapping[str, float] | None
    memory: RedisMemory | None = None
    expected: Sequence[str] = ()


@dataclass(frozen=True)
class ExchangeFacts:
    """How far an exchange's clock, in full seconds, is ahead of ours; None when its answer has no date."""

    exchange: str
    clock_offset_s: float | None
    uncertain_s: float


@dataclass(frozen=True)
class SlackFacts:
    """`way`: token, webhook, other (a webhook of one's own) or none; `who` the bot is, or how Slack `refused` it."""

    way: str
    channels: Sequence[str] = ()
    who: str = ""
    refused: str = ""
