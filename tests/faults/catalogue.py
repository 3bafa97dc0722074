"""Every fault, one row each; a family a file."""

from tests.faults import broker, cluster, consumers, exchanges, network, stores

FAULTS = (*consumers.FAULTS, *broker.FAULTS, *stores.FAULTS, *exchanges.FAULTS, *network.FAULTS, *cluster.FAULTS)
