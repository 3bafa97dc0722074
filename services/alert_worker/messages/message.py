"""A message as every notifier takes it, and what is known about a market besides the alert."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

Blocks = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Message:
    """`text` says it all in a line, for notifications and screen readers; `blocks` is Slack's Block Kit.

    `data` is the same for programs: plain JSON values.
    """

    text: str
    blocks: Blocks
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Facts:
    """What instruments and tickers say about a market; None where nobody told."""

    korean_name: str | None = None
    english_name: str | None = None
    has_warning: bool = False
    cautions: tuple[str, ...] = ()
    low: str | None = None
    high: str | None = None
    range_is_utc_day: bool = False
    """Whether low and high are of the UTC day; otherwise of the last 24 hours."""
    gap_pct: str | None = None
    """How far Upbit's price is above Binance's, by the live price of the dollar on Upbit."""


NO_FACTS = Facts()

KoreanNames = Mapping[str, str]
"""What coins are called in Korea, by base currency."""
NO_NAMES: KoreanNames = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Picture:
    """An uploaded chart: Slack's id of the file, and the words for those who cannot see it (none known: "")."""

    file_id: str
    alt_text: str


@dataclass(frozen=True, slots=True)
class Circumstances:
    """How a message is told: when by our clock, after how many tries, for how many changes at once, with what."""

    now_us: int
    may_repeat: bool = False
    stands_for: int = 1
    picture: Picture | None = None
