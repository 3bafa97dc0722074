"""What nobody wants to hear of until a time: wishes of ``tape.control.v1`` (the command line) and of the rules file.

A target is a market's code (``KRW-BTC``), one of a single exchange (``upbit:KRW-BTC``), a coin (``coin:BTC``), or a
rule (``rule:move``; ``rule:storm`` is the word about the whole market). Of the command line's wishes about a target the
newest counts; the rules file's hold beside them. Pure.
"""

from collections.abc import Collection, Iterable
from typing import Literal

from services.alert_worker.halts import NAME as HALT
from services.alert_worker.notices import NAME as NOTICE
from services.alert_worker.pair import NAME as DIVERGENCE
from services.alert_worker.rules import RULES
from services.alert_worker.storms import NAME as STORM
from services.alert_worker.volume import NAME as VOLUME
from shared.events import Alert, Control

MUTE, UNMUTE = "mute", "unmute"
Action = Literal["mute", "unmute"]
MOST_TARGETS = 10_000


class Mutes:
    """Hears wishes in their order; bounded: beyond `MOST_TARGETS` the oldest are forgotten."""

    def __init__(self) -> None:
        self._wishes: dict[str, Control] = {}
        self._standing: dict[str, Control] = {}

    def hear(self, wish: Control) -> None:
        """A record of the control topic; other actions than these are none of ours."""
        if wish.action == UNMUTE:
            self._wishes.pop(wish.target, None)
        elif wish.action == MUTE:
            self._wishes[wish.target] = wish
            while len(self._wishes) > MOST_TARGETS:
                del self._wishes[next(iter(self._wishes))]

    def stand(self, wishes: Iterable[Control]) -> None:
        """What the rules file says now, in the place of what it said before; of one target the last to end counts."""
        self._standing = {wish.target: wish for wish in sorted(wishes, key=lambda wish: wish.until_us or 0)}

    def holds(self, alert: Alert, now_us: int) -> bool:
        """Whether nobody wants to hear of the alert: its market is muted, or every rule that fired."""
        exchange = str(alert.exchange)
        names = {exchange, exchange.removesuffix("_agg")}  # people know the exchange, and not which of its streams
        markets = {str(alert.symbol), f"coin:{alert.base}", *(f"{name}:{alert.symbol}" for name in names)}
        if alert.scope == "symbol" and any(self._is_muted(target, now_us) for target in markets):
            return True
        return self._are_muted([f"rule:{name}" for name in alert.detectors if name != VOLUME], now_us)

    def in_force(self, now_us: int) -> list[Control]:
        """The mutes that hold now, those that end first before the others."""
        wishes = [wish for one in (self._wishes, self._standing) for wish in one.values() if _is_on(wish, now_us)]
        return sorted(wishes, key=lambda wish: (wish.until_us is None, wish.until_us or 0))

    def _are_muted(self, targets: Collection[str], now_us: int) -> bool:
        return bool(targets) and all(self._is_muted(target, now_us) for target in targets)

    def _is_muted(self, target: str, now_us: int) -> bool:
        return _is_on(self._wishes.get(target), now_us) or _is_on(self._standing.get(target), now_us)


def check_target(target: str) -> str:
    """The target as alerts name it, in whatever case it was typed. Raises ValueError when it names nothing."""
    kind, colon, name = target.partition(":")
    kind, name = (kind.lower() if colon else kind.upper()), (name.lower() if kind.lower() == "rule" else name.upper())
    if not target.isprintable() or " " in target or len(target) > 64 or (colon and not name) or not kind:
        raise ValueError(f"{target!r} is no target: write KRW-BTC, upbit:KRW-BTC, coin:BTC or rule:move")
    names = sorted([*(rule.name for rule in RULES), DIVERGENCE, HALT, NOTICE, STORM])
    if kind == "rule" and colon and name not in names:
        raise ValueError(f"there is no rule {name!r}: the rules are {', '.join(names)}")
    return f"{kind}{colon}{name}"


def _is_on(wish: Control | None, now_us: int) -> bool:
    return wish is not None and (wish.until_us is None or now_us < wish.until_us)
