"""What was received, in the form of a truth log: real exchanges give no list of what they published."""

from pathlib import Path

import msgspec

from services.reconcile.kafka_reader import received
from shared.events import Channel, MarketEvent
from shared.settings import KafkaSettings


async def write_received(settings: KafkaSettings, file: Path, since_us: int) -> None:
    """Write a line for every event that Kafka took from `since_us` on, as if it had been published when it came."""
    with file.open("wb") as lines:
        async for channel, event in received(settings, since_us):
            lines.write(line(channel, event))


def line(channel: Channel, event: MarketEvent) -> bytes:
    """One line of a truth log."""
    fields = msgspec.to_builtins(event)
    return msgspec.json.encode({**fields, "channel": channel, "published_at_us": event.received_at_us}) + b"\n"
