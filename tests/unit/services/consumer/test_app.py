import pytest

from services.consumer.app import partitions_of
from shared.errors import WrongUse
from shared.partitioning import Shard
from shared.topics import FEED, TRADES


def test_a_shard_owns_its_share_of_each_topic() -> None:
    owned = partitions_of((TRADES, FEED), Shard(0, 4))

    assert [tuple(partition) for partition in owned] == [(TRADES.name, 0), (TRADES.name, 4), (FEED.name, 0)]


def test_shards_together_own_every_partition_once() -> None:
    owned = [p for index in range(3) for p in partitions_of((TRADES, FEED), Shard(index, 3))]

    assert sorted(owned) == sorted(partitions_of((TRADES, FEED), Shard()))


def test_a_shard_beyond_all_partitions_is_wrong_use() -> None:
    with pytest.raises(WrongUse, match="shard 9/10 owns nothing"):
        partitions_of((TRADES, FEED), Shard(9, 10))
