"""Every fault, one row each; a family a file."""

from tests.faults import broker, consumers, exchanges, stores

FAULTS = (*consumers.FAULTS, *broker.FAULTS, *stores.FAULTS, *exchanges.FAULTS)
