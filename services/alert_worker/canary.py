"""The canary's trades, and the rule that they must fire. Pure.

It has a watch of its own with the built-in rules: what people change or mute cannot silence it, and it takes no part
in storms, in what is compared between markets, or in anybody's event time.
"""

from collections.abc import Iterator

from services.alert_worker.watch import Watch
from shared.canary import EXCHANGE, SYMBOL
from shared.events import Alert, Trade

_TRADES, _CALM = 20, 10
_APART_US, _DELAY_US = 500_000, 10_000
_PRICE, _FALLEN = "100", "80"


def trades(now_us: int) -> Iterator[Trade]:
    """One round: ten seconds that end now, calm and then a fall by a fifth."""
    for number in range(_TRADES):
        at_us = now_us - (_TRADES - number) * _APART_US
        yield Trade(
            exchange=EXCHANGE, symbol=SYMBOL, base=SYMBOL, quote=SYMBOL, trade_id=str(at_us // _APART_US),
            price=_PRICE if number < _CALM else _FALLEN, quantity="1", side="sell",
            traded_at_us=at_us, received_at_us=at_us + _DELAY_US,
        )  # fmt: skip


class CanaryWatch:
    """Judges each round by itself: what an earlier one left behind must not decide whether this one is heard."""

    def __init__(self) -> None:
        self._watch, self._last_us, self._offset = Watch(), 0, 0

    def observe(self, trade: Trade) -> list[Alert]:
        """Take in a trade of the canary; return the alert that it fires, once a round."""
        if not 0 < trade.traded_at_us - self._last_us <= _APART_US:
            self._watch = Watch()
        self._last_us = trade.traded_at_us
        self._offset += 1
        return [one.alert for one in self._watch.observe(trade, self._offset) if one.alert.state == "open"]
