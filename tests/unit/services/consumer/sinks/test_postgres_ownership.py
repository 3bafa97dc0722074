"""The keys of the partitions' locks."""

from aiokafka.structs import TopicPartition

from services.consumer.sinks.postgres_ownership import lock_keys
from shared.topics import TOPICS


def test_every_partition_has_a_key_of_its_own_that_fits_two_integers():
    partitions = [TopicPartition(topic.name, p) for topic in TOPICS for p in range(topic.partitions)]
    keys = list(zip(*lock_keys(partitions), strict=True))
    assert len(set(keys)) == len(partitions)
    assert all(-(1 << 31) <= number < 1 << 31 for key in keys for number in key)


def test_locks_are_taken_in_one_order_whoever_asks():
    partitions = [TopicPartition(topic.name, p) for topic in TOPICS for p in range(topic.partitions)]
    assert lock_keys(partitions) == lock_keys(reversed(partitions))
