"""Making Kafka clients, waiting for Kafka, creating topics, and reading partitions from positions kept elsewhere."""

from aiokafka.errors import KafkaError

from shared.kafka.clients import MAX_REQUEST_BYTES, client_options, make_producer
from shared.kafka.creation import create_topics
from shared.kafka.ending import discard
from shared.kafka.permission import check_rights
from shared.kafka.reachable import wait_until_reachable
from shared.kafka.reader import PartitionReader, know_topics

__all__ = [
    "MAX_REQUEST_BYTES",
    "KafkaError",
    "PartitionReader",
    "check_rights",
    "client_options",
    "create_topics",
    "discard",
    "know_topics",
    "make_producer",
    "wait_until_reachable",
]
