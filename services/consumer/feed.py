"""What a consumer itself has to tell on the feed topic: gaps, and lags that will cost data."""

from aiokafka import AIOKafkaProducer

from shared.events import FeedEvent
from shared.topics import FEED
from shared.wire import HEADERS_OF_EVENT, encode

EVERY_EXCHANGE = "*"


async def publish(producer: AIOKafkaProducer, event: FeedEvent) -> None:
    """Return when Kafka acknowledged it. Raises KafkaError."""
    headers = HEADERS_OF_EVENT[FeedEvent]
    await producer.send_and_wait(FEED.name, encode(event), key=event.exchange.encode(), headers=headers)
