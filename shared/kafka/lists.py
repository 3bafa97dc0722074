"""Numbers of Kafka's access control lists (KIP-11, KIP-290), as the protocol has them."""

from collections.abc import Mapping

from shared.rights import Kind, Operation

KINDS: Mapping[Kind, int] = {"topic": 2, "group": 3, "cluster": 4}
OPERATIONS: Mapping[Operation, int] = {
    "Read": 3,
    "Write": 4,
    "Create": 5,
    "Describe": 8,
    "DescribeConfigs": 10,
    "IdempotentWrite": 12,
}
ANY, ALLOW, LITERAL, PREFIX = 1, 3, 3, 4
_UNTOLD = -(1 << 31)


def operations_of(bits: int) -> frozenset[str] | None:
    """Names of the operations that a broker says we may do; None when it did not say."""
    return None if bits == _UNTOLD else frozenset(name for name, number in OPERATIONS.items() if bits >> number & 1)
