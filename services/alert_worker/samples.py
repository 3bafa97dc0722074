"""By which price a market went at a boundary of ten seconds, and which markets are compared with each other. Pure."""

import msgspec

SAMPLE_TICKS = 100
"""Ten seconds."""

LEGS = {("upbit", "KRW"): 0, ("binance", "USDT"): 1, ("binance_agg", "USDT"): 1}
"""Which markets are compared: exchange and quote, and the side of the gap that they are on."""

FRESH_US = 30_000_000

Place = tuple[str, str]
"""Exchange and symbol."""


class Sample(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The price by which a market went at a boundary, and when it last traded."""

    tick: int
    exchange: str
    symbol: str
    base: str
    quote: str
    price: int
    scale: int
    traded_at_us: int
    received_at_us: int

    @property
    def place(self) -> Place:
        """Which market it is."""
        return self.exchange, self.symbol

    @property
    def value(self) -> float:
        """The price as a number, for ratios."""
        return self.price / float(10**self.scale)


def side_of(sample: Sample) -> int:
    """Of the gap: 0 or 1."""
    return LEGS[sample.exchange, sample.quote]
