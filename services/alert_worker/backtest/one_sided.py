"""What `divergence` and `halt` make of recorded minutes: two exchanges at once, shocks of one, a market that stops.

A halt needs several markets of one exchange at one time. Where none were recorded together, stretches of other times
are laid on one clock: their minutes are real, that they happened at once is not.
"""

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple

import msgspec

from services.alert_worker.backtest.replay import replay
from services.alert_worker.backtest.series import SECOND_US, Seen
from services.alert_worker.backtest.shocks import STAYS_US, Power, shocked
from services.alert_worker.halts import NAME as HALT
from services.alert_worker.pair import NAME as DIVERGENCE
from shared.events import Alert, Trade

_HOLE_US = 600 * SECOND_US
_LEAST_US = 3_600 * SECOND_US
FREEZE_US = 1_800 * SECOND_US
"""How long a market is stopped,"""

FREEZE_AFTER_US = 3 * 3_600 * SECOND_US
"""so long after its stretch began: a market has to be known for two hours to be missed."""


class Piece(NamedTuple):
    """Trades of one coin on two exchanges in the same time."""

    here: Sequence[Trade]
    there: Sequence[Trade]


@dataclass(frozen=True, slots=True)
class Stops:
    """What became of markets that were stopped in turn, and of their neighbours meanwhile."""

    markets: int
    tried: int
    delays_s: Sequence[float]
    """From a market's last trade to the word, of those that were told."""
    wrong: int
    """Words about markets that went on."""


def pieces(here: Iterable[Trade], there: Sequence[Trade]) -> list[Piece]:
    """Every hour and more in which both were recorded without a hole on the first side."""
    runs: list[list[Trade]] = []
    for trade in here:
        if not runs or trade.traded_at_us - runs[-1][-1].traded_at_us > _HOLE_US:
            runs.append([])
        runs[-1].append(trade)
    times = [trade.traded_at_us for trade in there]
    found = []
    for run in runs:
        first_us, last_us = run[0].traded_at_us, run[-1].traded_at_us
        other = there[bisect_left(times, first_us) : bisect_right(times, last_us)]
        if other and last_us - first_us >= _LEAST_US:
            found.append(Piece(run, other))
    return found


def played(*markets: Iterable[Trade]) -> list[Alert]:
    """Every alert of these markets at once."""
    return list(replay(_at_once(markets), Seen()))


def gap_power(found: Sequence[Piece], size: float, over_s: int, *, on_both: bool = False) -> Power:
    """Put one shock near the end of each piece, on the first side alone or on both, and wait for `divergence`."""
    delays_s = []
    for number, piece in enumerate(found):
        began_us = piece.here[-1].traded_at_us - STAYS_US - over_s * SECOND_US
        signed = size if number % 2 else -size
        here = shocked(piece.here, began_us, signed, over_s)
        there = shocked(piece.there, began_us, signed if on_both else 0.0, over_s)
        told_us = [at_us for at_us, _ in _opened(played(here, there), DIVERGENCE) if at_us >= began_us]
        delays_s += [(told_us[0] - began_us) / SECOND_US] if told_us else []
    return Power(size, over_s, len(found), delays_s)


def stops(stretches: Sequence[Sequence[Trade]]) -> Stops:
    """Lay the stretches on one clock as markets of one exchange, and stop each in turn for half an hour."""
    began_us = stretches[0][0].traded_at_us
    markets = [list(_renamed(stretch, f"M{n}", began_us)) for n, stretch in enumerate(stretches)]
    stop_us, delays_s, wrong = began_us + FREEZE_AFTER_US, list[float](), 0
    for stopped in range(len(markets)):
        told = _opened(
            played(*(_without(one, stop_us) if n == stopped else one for n, one in enumerate(markets))), HALT
        )
        name = markets[stopped][0].symbol
        last_us = max(trade.traded_at_us for trade in markets[stopped] if trade.traded_at_us < stop_us)
        delays_s += [(at_us - last_us) / SECOND_US for at_us, symbol in told if symbol == name]
        wrong += sum(symbol != name for _, symbol in told)
    return Stops(len(markets), len(markets), delays_s, wrong)


def _at_once(markets: Iterable[Iterable[Trade]]) -> Iterator[Trade]:
    return heapq.merge(*markets, key=attrgetter("received_at_us"))


def _opened(alerts: Iterable[Alert], kind: str) -> list[tuple[int, str]]:
    return [(one.event_at_us or 0, one.symbol or "") for one in alerts if one.kind == kind and one.state == "open"]


def _without(trades: Iterable[Trade], stop_us: int) -> Iterator[Trade]:
    return (trade for trade in trades if not stop_us <= trade.traded_at_us < stop_us + FREEZE_US)


def _renamed(trades: Sequence[Trade], base: str, began_us: int) -> Iterator[Trade]:
    shift_us = began_us - trades[0].traded_at_us
    for trade in trades:
        yield msgspec.structs.replace(
            trade, symbol=f"{base}USDT", base=base, traded_at_us=trade.traded_at_us + shift_us,
            received_at_us=trade.received_at_us + shift_us,
        )  # fmt: skip
