"""Episodes, receipts and mutes as they stand on Kafka, and a wish of one's own to add."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from services.alert_worker.mutes import Mutes
from services.alert_worker.records import Market
from services.alert_worker.topic_reader import read_event, read_topic
from services.alert_worker.wishes import read_mutes
from services.cli.asking_kafka import answering, operators_producer
from services.cli.points_in_time import KST
from shared import canary
from shared.events import Alert, Control, Instrument, Notification
from shared.settings import KafkaSettings
from shared.topics import ALERTS, CONTROL, INSTRUMENTS, NOTIFICATIONS
from shared.wire import HEADERS_OF_EVENT, InvalidRecord, encode, read_record


@dataclass(frozen=True)
class Episode:
    """An episode by its newest alert; `told`: yes, no, muted, waiting or refused."""

    alert: Alert
    told: str

    def row(self) -> tuple[str, ...]:
        """As a line of a table."""
        alert = self.alert
        started = datetime.fromtimestamp(alert.started_at_us / 1e6, UTC).astimezone(KST)
        market = f"{alert.exchange} {alert.symbol}" if alert.symbol else f"{len(alert.members)} markets"
        change = "" if alert.change_pct is None else f"{alert.change_pct} %"
        return (
            f"{started:%m-%d %H:%M:%S}", market, alert.state, alert.severity, change, "+".join(alert.detectors),
            self.told, alert.episode_id,
        )  # fmt: skip


@dataclass
class Found:
    """What there is."""

    episodes: list[Episode] = field(default_factory=list)
    mutes: Mutes = field(default_factory=Mutes)


async def read(settings: KafkaSettings, since_us: int) -> Found:
    """Episodes whose records Kafka took since then, and every wish."""
    newest: dict[str, Alert] = {}
    async for record in read_topic(settings, ALERTS, since_ms=max(0, since_us // 1000)):
        try:
            alert = read_record(Alert, record)
        except InvalidRecord:
            continue
        if alert.exchange != canary.EXCHANGE:
            newest[alert.episode_id] = alert
    stages: dict[str, str] = {}
    async for record in read_topic(settings, NOTIFICATIONS):
        try:
            note = read_record(Notification, record)
        except InvalidRecord:
            continue
        stages |= dict.fromkeys([note.episode_id, *note.episodes], note.stage)
    found = Found([Episode(alert, _told(alert, stages.get(name))) for name, alert in newest.items()])
    found.mutes = await read_mutes(settings)
    return found


async def read_markets(settings: KafkaSettings) -> set[Market]:
    """What the exchanges list; nothing before a producer has run."""
    markets: set[Market] = set()
    async for record in read_topic(settings, INSTRUMENTS):
        if (one := read_event(Instrument, record)) is not None:
            markets.add(Market(one.exchange, one.symbol, one.base, one.quote))
    return markets


async def write(settings: KafkaSettings, wish: Control) -> None:
    """Add a wish. Raises WrongUse for who may not, and Unreachable."""
    async with operators_producer(settings, "alerts") as producer, answering():
        await producer.send_and_wait(
            CONTROL.name, encode(wish), wish.target.encode(), headers=HEADERS_OF_EVENT[Control]
        )


def _told(alert: Alert, stage: str | None) -> str:
    if stage is not None:
        return {"sent": "yes", "intent": "waiting", "refused": "refused"}[stage]
    if alert.suppressed_by:
        return "muted" if alert.suppressed_by == "mute" else f"no ({alert.suppressed_by})"
    return "waiting" if alert.data_quality in ("ok", "gapped") else f"no ({alert.data_quality})"
