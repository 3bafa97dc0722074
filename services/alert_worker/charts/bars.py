"""Trades and the exchange's own minutes to the bars of a chart. Pure.

Bars of ten seconds where there is little to see yet, of a minute otherwise.
"""

from collections.abc import Iterable

from services.alert_worker.charts.picture import Bar
from shared.events import Candle, Trade

MINUTE_US = 60_000_000
SHORT_US = 10_000_000
HOUR_US = 60 * MINUTE_US
_FEW_MINUTES = 10


class Bars:
    """Gathers bars of ten seconds, bounded by the hour: what is older or younger is left out."""

    def __init__(self, from_us: int, to_us: int) -> None:
        self.from_us, self.to_us = from_us, to_us
        self._short: dict[int, Bar] = {}
        self._minutes: dict[int, Bar] = {}

    @property
    def first_us(self) -> int:
        """When the first bar opens."""
        return min([*self._minutes, *self._short], default=self.to_us)

    def add(self, trade: Trade) -> None:
        """In the order of arrival."""
        if not self.from_us <= trade.traded_at_us < self.to_us:
            return
        price, quantity = float(trade.price), float(trade.quantity)
        opened = trade.traded_at_us // SHORT_US * SHORT_US
        self._short[opened] = _joined(
            self._short.get(opened), Bar(opened, price, price, price, price, quantity), opened
        )

    def add_minute(self, candle: Candle) -> None:
        """A minute as the exchange tells it; it stands where there are no trades."""
        if self.from_us <= candle.opened_at_us < self.to_us:
            at_us = candle.opened_at_us
            opened, high, low, close = (float(price) for price in (candle.open, candle.high, candle.low, candle.close))
            self._minutes[at_us] = Bar(at_us, opened, high, low, close, float(candle.volume))

    def drawn(self) -> tuple[list[Bar], int]:
        """The bars in order, and how many seconds each is long."""
        short = [self._short[at] for at in sorted(self._short)]
        if self.to_us - self.first_us < _FEW_MINUTES * MINUTE_US:
            return short, SHORT_US // 1_000_000
        minutes: dict[int, Bar] = {}
        for bar in short:
            opened = bar.opened_at_us // MINUTE_US * MINUTE_US
            minutes[opened] = _joined(minutes.get(opened), bar, opened)
        minutes = self._minutes | minutes
        return [minutes[at] for at in sorted(minutes)], MINUTE_US // 1_000_000


def _joined(before: Bar | None, bar: Bar, opened: int) -> Bar:
    if before is None:
        return Bar(opened, bar.open, bar.high, bar.low, bar.close, bar.volume)
    return Bar(
        opened, before.open, max(before.high, bar.high), min(before.low, bar.low), bar.close, before.volume + bar.volume
    )


def span(bars: Iterable[Bar], to_us: int, bar_s: int) -> int:
    """Where the axis begins: the first bar, yet never so late that a few bars fill the picture."""
    least_us = to_us - 30 * bar_s * 1_000_000
    return min([least_us, *(bar.opened_at_us for bar in bars)])
