"""Adapters that are subscribed to a few symbols, and one good frame of each kind."""

from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.frames import FRAMES, adapter
from services.producer.exchanges.base import ExchangeAdapter
from shared.events import MarketEvent

MakeAdapter = Callable[..., ExchangeAdapter]


@pytest.fixture(scope="session")
def make_adapter() -> MakeAdapter:
    """``make_adapter("upbit", levels=15)``."""
    return adapter


@pytest.fixture(scope="session")
def frames() -> dict[str, dict[str, bytes]]:
    """Good frames by exchange and kind."""
    return FRAMES


Read = Callable[..., MarketEvent]


@pytest.fixture(scope="session")
def read_one(make_adapter: MakeAdapter) -> Read:
    """``read_one("upbit", frame)``: the only event of a frame, received at 7 µs."""

    def read(exchange: str, frame: bytes | str, **options: Any) -> MarketEvent:
        parsed = make_adapter(exchange, **options).parse(frame, 7)
        assert isinstance(parsed, list)
        (event,) = parsed
        return event

    return read
