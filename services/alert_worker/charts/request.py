"""What the drawing process is asked for and what it answers. Pure."""

from typing import Literal

import msgspec

Tone = Literal["notice", "warning", "danger", "resolved", "event"]
"""How grave a mark is, and so its colour."""


class MarkAsked(msgspec.Struct, frozen=True):
    """See `picture.Mark`."""

    at_us: int
    label: str
    tone: Tone


class ChartRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The hour before `to_us` (on the exchange's clock) of one market; `received_at_us` is the same on ours."""

    exchange: str
    symbol: str
    quote: str
    title: str
    to_us: int
    received_at_us: int
    marks: list[MarkAsked] = []
    reference: float | None = None
    reference_label: str = "before"
    volume_label: str = "volume"
    korean_colours: bool = False


class ChartAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The picture, and what its alternative text needs. `bars` 0: nothing was traded, and there is no picture."""

    bars: int
    minutes: int = 0
    low: str = "?"
    high: str = "?"
    last: str = "?"
    png: bytes = b""
