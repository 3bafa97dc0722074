"""Moves of a known size put into a quiet stretch of real trades: how soon is each size told?"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

import msgspec

from services.alert_worker.backtest.replay import replay
from services.alert_worker.backtest.series import SECOND_US, Seen
from shared.events import Trade

SIZES = (0.01, 0.015, 0.02, 0.03, 0.05, 0.08)
OVER_S = (60, 300)
STAYS_US = 120 * SECOND_US


@dataclass(frozen=True, slots=True)
class Power:
    """What became of the shocks of one size, spread evenly over `over_s` seconds, up and down in turn."""

    size: float
    over_s: int
    tried: int
    delays_s: Sequence[float]
    """From the shock's begin to the first word, of those that were told."""


def power(stretches: Sequence[Sequence[Trade]], size: float, over_s: int) -> Power:
    """Put one shock into each stretch, two minutes and its own length before the end."""
    delays_s = []
    for number, stretch in enumerate(stretches):
        began_us = stretch[-1].traded_at_us - STAYS_US - over_s * SECOND_US
        signed = size if number % 2 else -size
        told_us = [
            alert.event_at_us or 0
            for alert in replay(shocked(stretch, began_us, signed, over_s), Seen())
            if alert.state != "resolve" and (alert.event_at_us or 0) >= began_us
        ]
        if told_us:
            delays_s.append((told_us[0] - began_us) / SECOND_US)
    return Power(size, over_s, len(stretches), delays_s)


def shocked(trades: Iterable[Trade], began_us: int, size: float, over_s: int) -> Iterator[Trade]:
    """The trades with a shock (a signed fraction) that stays; from its begin on, a small trade a second shows it."""
    number, last, second_us = 0, None, began_us
    for trade in trades:
        while last is not None and second_us < trade.traded_at_us:
            number += 1
            yield _print(last, number, second_us, _factor(second_us, began_us, size, over_s))
            second_us += SECOND_US
        number += 1
        last = trade
        yield _print(trade, number, trade.traded_at_us, _factor(trade.traded_at_us, began_us, size, over_s))


def _factor(at_us: int, began_us: int, size: float, over_s: int) -> float:
    return 1 + size * min(1.0, max(0.0, (at_us - began_us) / (over_s * SECOND_US)))


def _print(trade: Trade, number: int, at_us: int, factor: float) -> Trade:
    price = Decimal(trade.price)
    moved = trade.price if factor == 1 else format((price * Decimal(factor)).quantize(price), "f")
    received_at_us = at_us + trade.received_at_us - trade.traded_at_us
    return msgspec.structs.replace(
        trade, trade_id=str(number), price=moved, traded_at_us=at_us, received_at_us=received_at_us
    )


def quiet_stretches(
    trades: Sequence[Trade], alerts_us: Sequence[int], hours: int, count: int
) -> Sequence[Sequence[Trade]]:
    """Up to `count` stretches of `hours` from all over one symbol's trades in which nothing was told."""
    length_us = hours * 3_600 * SECOND_US
    pieces: dict[int, list[Trade]] = {}
    for trade in trades:
        pieces.setdefault(trade.traded_at_us // length_us, []).append(trade)
    wild = {(at_us + shift) // length_us for at_us in alerts_us for shift in (-length_us, 0)}
    quiet = [piece for number, piece in pieces.items() if number not in wild]
    return quiet[:: max(1, len(quiet) // count)][:count]
