"""Reads dead letters again and publishes what they give. Safe to repeat: the stores hold every trade once."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer

from services.cli.asking_kafka import answering, operators_producer
from services.cli.dead_letters.again import AdapterOf, Again, NotReplayable, Refuses, StillUnreadable, read_again
from services.cli.dead_letters.choice import Choice
from services.cli.dead_letters.reading import Progress, chosen, events
from services.consumer.sinks import SINKS
from services.producer.exchanges import ADAPTERS
from services.producer.exchanges.base import AdapterOptions, ExchangeAdapter, Listing
from shared.errors import Unreachable
from shared.events import Event, Instrument
from shared.partitioning import partition_of
from shared.settings import Settings
from shared.topics import INSTRUMENTS
from shared.wire import HEADERS_OF_EVENT, encode

MOST_REASONS = 20
_PUBLISHED_AT_ONCE = 500


@dataclass
class Outcome:
    """What became of the letters that were chosen. Reasons by how many letters they were given for.

    `replayed`: those whose records Kafka has acknowledged, or would have been given where nothing is published.
    `only_counted`: frames that were never kept, as the chosen letters tell; each was told as a gap if it may have
    been a trade.
    """

    chosen: int = 0
    replayed: int = 0
    published: Counter[str] = field(default_factory=Counter)
    still_unreadable: Counter[str] = field(default_factory=Counter)
    not_replayable: Counter[str] = field(default_factory=Counter)
    only_counted: int = 0

    @property
    def failed(self) -> int:
        """How many letters gave no record."""
        return self.chosen - self.replayed

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "chosen": self.chosen,
            "replayed": self.replayed,
            "failed": self.failed,
            "published": dict(self.published),
            "still_unreadable": dict(self.still_unreadable),
            "not_replayable": dict(self.not_replayable),
            "only_counted": self.only_counted,
        }


async def replay(settings: Settings, choice: Choice, progress: Progress, *, publish: bool) -> Outcome:
    """Read the chosen letters again, and publish their records if `publish` is set; Kafka has all of them then.

    Raises WrongUse for who may not publish, and Unreachable; some records may be published then, and it may be
    repeated.
    """
    outcome = Outcome()
    try:
        await _replay(settings, choice, progress, outcome, publish=publish)
    except Unreachable as error:
        if not outcome.published or not publish:
            raise
        raise Unreachable(
            f"{error} {outcome.replayed:,} dead letters had been read again and published; it is safe to repeat"
        ) from None
    return outcome


async def _replay(settings: Settings, choice: Choice, progress: Progress, outcome: Outcome, *, publish: bool) -> None:
    adapter_of, refuses = await _adapters(settings), _refusals(settings)
    async with AsyncExitStack() as at_end:
        producer = None
        if publish:
            producer = await at_end.enter_async_context(operators_producer(settings.kafka, "dead-letters"))
        waiting: list[Again] = []
        async for kept in chosen(settings, choice, progress):
            outcome.chosen += 1
            outcome.only_counted += kept.letter.suppressed
            try:
                waiting += read_again(kept.letter, adapter_of, refuses)
            except StillUnreadable as error:
                _note(outcome.still_unreadable, str(error))
            except NotReplayable as error:
                _note(outcome.not_replayable, str(error))
            if len(waiting) >= _PUBLISHED_AT_ONCE:
                await _publish(producer, waiting, outcome)
        await _publish(producer, waiting, outcome)


async def _publish(producer: AIOKafkaProducer | None, waiting: list[Again], outcome: Outcome) -> None:
    """Return when Kafka acknowledged all that waits; without a producer it is only counted."""
    if producer is not None:
        async with answering():
            await asyncio.gather(*[await _send(producer, one) for one in waiting])
    outcome.published.update(one.topic.name for one in waiting)
    outcome.replayed = outcome.chosen - outcome.still_unreadable.total() - outcome.not_replayable.total()
    waiting.clear()


async def _send(producer: AIOKafkaProducer, one: Again) -> "asyncio.Future[object]":
    sent: asyncio.Future[object] = await producer.send(
        one.topic.name,
        encode(one.event),
        key=one.key.encode(),
        partition=partition_of(one.key, one.topic.partitions),
        headers=HEADERS_OF_EVENT[one.topic.event],
    )
    return sent


async def _adapters(settings: Settings) -> AdapterOf:
    """Today's adapters, which know every instrument that a producer ever listed."""
    listings: dict[str, dict[str, Listing]] = {}
    async for event in events(settings, INSTRUMENTS):
        if isinstance(event, Instrument):
            listing = Listing(event.symbol, event.base, event.quote)
            listings.setdefault(event.exchange, {})[event.symbol] = listing
    made: dict[tuple[str, str], ExchangeAdapter] = {}

    def adapter_of(exchange: str, connection: str | None) -> ExchangeAdapter | None:
        if exchange not in ADAPTERS:
            return None
        travels_as = (connection or exchange).partition("-")[0]
        stream = "aggTrade" if travels_as == "binance_agg" else "trade"
        if (exchange, stream) not in made:
            known = listings.get(exchange, {}) | listings.get(travels_as, {})
            options = AdapterOptions("", known, settings.orderbook.levels, stream)
            made[exchange, stream] = ADAPTERS[exchange](options)
        return made[exchange, stream]

    return adapter_of


def _refusals(settings: Settings) -> Refuses:
    """What each sink says of events that it can never hold; it is not connected for that."""
    of_reader = {f"consumer-{name}": row.make(settings).refuses for name, row in SINKS.items()}

    def refuses(reader: str, event: Event) -> str | None:
        return of_reader[reader](event) if reader in of_reader else None

    return refuses


def _note(reasons: Counter[str], reason: str) -> None:
    known = reason in reasons or len(reasons) < MOST_REASONS
    reasons[reason if known else "other reasons"] += 1


def lines(outcome: Outcome, *, published: bool) -> Sequence[str]:
    """The outcome for people."""
    records = ", ".join(f"{count:,} to {topic}" for topic, count in sorted(outcome.published.items())) or "none"
    said = [
        f"{outcome.chosen:,} dead letters: {outcome.replayed:,} read again, {outcome.failed:,} not",
        f"records {'published' if published else 'that would be published'}: {records}",
    ]
    for title, reasons in (
        ("still unreadable", outcome.still_unreadable),
        ("cannot be replayed", outcome.not_replayable),
    ):
        said += [f"{title}: {count:,} × {reason}" for reason, count in reasons.most_common()]
    if outcome.only_counted:
        said.append(
            f"only counted: {outcome.only_counted:,} frames were never kept; those that may have been trades are gaps"
        )
    return said
