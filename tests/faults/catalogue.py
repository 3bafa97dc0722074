"""Every fault, one row each; a family a file."""

from tests.faults import (
    alone,
    broker,
    cluster,
    consumers,
    exchanges,
    hosts,
    network,
    refusals,
    small_disk,
    soak,
    stores,
    topics,
    transactions,
    upgrade,
    whole_host,
)

FAULTS = (
    *consumers.FAULTS,
    *upgrade.FAULTS,
    *broker.FAULTS,
    *stores.FAULTS,
    *alone.FAULTS,
    *whole_host.FAULTS,
    *transactions.FAULTS,
    *exchanges.FAULTS,
    *network.FAULTS,
    *refusals.FAULTS,
    *cluster.FAULTS,
    *small_disk.FAULTS,
    *hosts.FAULTS,
    *topics.FAULTS,
    *soak.FAULTS,
)
