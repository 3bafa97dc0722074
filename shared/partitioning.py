"""Which partition a key belongs to, and which shard owns a partition. The one place that decides either."""

import re
from dataclasses import dataclass

_MASK = 0xFFFFFFFF
_M = 0x5BD1E995


def murmur2(data: bytes) -> int:
    """Kafka's default hash (Java client, ``Utils.murmur2``) as an unsigned 32-bit number."""
    length = len(data)
    h = (0x9747B28C ^ length) & _MASK
    end = length & ~3
    for i in range(0, end, 4):
        k = (int.from_bytes(data[i : i + 4], "little") * _M) & _MASK
        k = ((k ^ (k >> 24)) * _M) & _MASK
        h = ((h * _M) & _MASK) ^ k
    tail = data[end:]
    if tail:
        h = ((h ^ int.from_bytes(tail, "little")) * _M) & _MASK
    h = ((h ^ (h >> 13)) * _M) & _MASK
    return h ^ (h >> 15)


def partition_of(key: str, partitions: int) -> int:
    """The partition of `key` in a topic of `partitions`, the same that Kafka's Java clients choose."""
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions


def symbol_key(exchange: str, symbol: str) -> str:
    """The record key of everything that is about one symbol: ``upbit:KRW-BTC``."""
    return f"{exchange}:{symbol}"


@dataclass(frozen=True)
class Shard:
    """Part `index` of `count`, counted from 0: owns the partitions p with p mod count = index."""

    index: int = 0
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Read ``k/n`` with 0 ≤ k < n. Raises ValueError with a sentence for the person who typed it."""
        match = re.fullmatch(r"([0-9]{1,4})/([0-9]{1,4})", text)
        if not match or int(match[1]) >= int(match[2]):
            raise ValueError(f"a shard is written k/n with 0 <= k < n, such as 0/2, not {text!r}")
        return cls(int(match[1]), int(match[2]))

    def owns(self, partition: int) -> bool:
        """Say whether this shard owns `partition`."""
        return partition % self.count == self.index

    def partitions(self, count: int) -> list[int]:
        """The partitions of a topic of `count` that this shard owns, ascending."""
        return list(range(self.index, count, self.count))

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"
