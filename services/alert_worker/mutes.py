"""What nobody wants to hear of until a time: wishes from the command line, as records of ``tape.control.v1``. Pure.

A target is a market's code (``KRW-BTC``), one of a single exchange (``upbit:KRW-BTC``), a coin (``coin:BTC``), or a
rule (``rule:move``). The newest wish about a target counts.
"""

from collections.abc import Collection
from typing import Literal

from shared.events import Alert, Control

MUTE, UNMUTE = "mute", "unmute"
Action = Literal["mute", "unmute"]
MOST_TARGETS = 10_000


class Mutes:
    """Hears wishes in their order; bounded: beyond `MOST_TARGETS` the oldest are forgotten."""

    def __init__(self) -> None:
        self._until_us: dict[str, tuple[int | None, Control]] = {}

    def hear(self, wish: Control) -> None:
        """A record of the control topic; other actions than these are none of ours."""
        if wish.action == UNMUTE:
            self._until_us.pop(wish.target, None)
        elif wish.action == MUTE:
            self._until_us[wish.target] = (wish.until_us, wish)
            while len(self._until_us) > MOST_TARGETS:
                del self._until_us[next(iter(self._until_us))]

    def holds(self, alert: Alert, now_us: int) -> bool:
        """Whether nobody wants to hear of the alert: its market is muted, or every rule that fired."""
        markets = {str(alert.symbol), f"{alert.exchange}:{alert.symbol}", f"coin:{alert.base}"}
        if any(self._is_muted(target, now_us) for target in markets):
            return True
        return self._are_muted([f"rule:{name}" for name in alert.detectors], now_us)

    def in_force(self, now_us: int) -> list[Control]:
        """The mutes that hold now, those that end first before the others."""
        wishes = [wish for target, (_, wish) in self._until_us.items() if self._is_muted(target, now_us)]
        return sorted(wishes, key=lambda wish: (wish.until_us is None, wish.until_us or 0))

    def _are_muted(self, targets: Collection[str], now_us: int) -> bool:
        return bool(targets) and all(self._is_muted(target, now_us) for target in targets)

    def _is_muted(self, target: str, now_us: int) -> bool:
        if target not in self._until_us:
            return False
        until_us, _ = self._until_us[target]
        return until_us is None or now_us < until_us
