"""One world for all the faults of a test run: starting it takes longer than most of them."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.faults.harness import Strikes, struck_world

SEED = 20_260_101
RATE = 300.0
PATIENCE = 30.0
"""Tests run beside other tests: what matters here is that the stores catch up, not how fast."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def strikes() -> AsyncIterator[Strikes]:
    """A world with an open market."""
    async with struck_world("plain", rate=RATE, seed=SEED, patience=PATIENCE) as running:
        yield running
