import pytest
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.partitioner import murmur2 as murmur2_of_aiokafka
from hypothesis import given
from hypothesis import strategies as st

from shared.partitioning import Shard, murmur2, partition_of, symbol_key


@pytest.mark.parametrize(
    ("data", "signed_hash"),
    [  # vectors of Kafka's own Java test, org.apache.kafka.common.utils.UtilsTest
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_hash_is_that_of_kafkas_java_client(data: bytes, signed_hash: int) -> None:
    assert murmur2(data) == signed_hash & 0xFFFFFFFF


@given(st.binary(max_size=200))
def test_hash_is_that_of_the_python_client(data: bytes) -> None:
    assert murmur2(data) == murmur2_of_aiokafka(data) & 0xFFFFFFFF


@given(st.text(max_size=64), st.integers(1, 64))
def test_a_key_has_one_partition_of_those_that_exist(key: str, partitions: int) -> None:
    assert 0 <= partition_of(key, partitions) < partitions


@given(st.text(max_size=64), st.integers(1, 64))
def test_a_key_goes_where_the_python_client_sends_it(key: str, partitions: int) -> None:
    every = list(range(partitions))
    assert partition_of(key, partitions) == DefaultPartitioner()(key.encode(), every, every)


def test_symbols_spread_over_the_partitions() -> None:
    keys = [symbol_key("upbit", f"KRW-C{number}") for number in range(400)]
    counts = [sum(partition_of(key, 8) == partition for key in keys) for partition in range(8)]
    assert min(counts) > 25
    assert keys[0] == "upbit:KRW-C0"


@given(st.integers(1, 12), st.integers(1, 40))
def test_each_partition_has_exactly_one_owner(shards: int, partitions: int) -> None:
    owned = [Shard(index, shards).partitions(partitions) for index in range(shards)]
    assert sorted(p for part in owned for p in part) == list(range(partitions))
    assert all(Shard(index, shards).owns(p) for index, part in enumerate(owned) for p in part)


def test_shard_is_read_as_it_is_written() -> None:
    assert Shard.parse("1/3") == Shard(1, 3)
    assert str(Shard.parse("0/1")) == "0/1"


@pytest.mark.parametrize("text", ["", "1", "3/3", "0/0", "-1/2", "1/2/3", "a/b", " 0/1", "0/1\n", "٠/١", "0/99999"])
def test_a_shard_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a shard is written k/n"):
        Shard.parse(text)
