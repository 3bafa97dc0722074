"""Which recorded alerts are about a market and a time, and which of the replayed ones stand for them. Pure.

A replay begins hours before the time, an episode may have begun days before: then it knows the same word under another
id, or as an opening where it was a further step. So both are matched by when and which way.
"""

from collections.abc import Iterable, Sequence

from services.alert_worker.explanation import Span
from services.alert_worker.messages.remarks import is_remark
from services.alert_worker.records import Market
from shared.events import Alert

NEAR_US = 60_000_000
"""A replay that knows less of what is usual decides earlier or later by at most this."""


def recorded_of(alerts: Iterable[Alert], market: Market, span: Span) -> list[Alert]:
    """Alerts of the market within the span, and of all markets when it was among them, by their time."""
    found = (alert for alert in alerts if span.holds(at_us(alert)) and _is_about(alert, market))
    return sorted(found, key=at_us)


def shown(replayed: Sequence[Alert], recorded: Iterable[Alert], market: Market, span: Span) -> list[Alert]:
    """What was recorded, and in between what only the replay makes of the trades, by their time."""
    near = recorded_of(recorded, market, Span(span.from_us - NEAR_US, span.to_us + NEAR_US))
    kept = [one for one in near if span.holds(at_us(one)) or any(_is_same(one, other) for other in replayed)]
    only_replayed = [one for one in replayed if not any(_is_same(one, other) for other in near)]
    return sorted([*kept, *only_replayed], key=at_us)


def remarks(alerts: Iterable[Alert]) -> list[Alert]:
    """What the exchange said of the market, and whether it was found to stand still: its own trades tell of neither."""
    return [alert for alert in alerts if is_remark(alert)]


def at_us(alert: Alert) -> int:
    """When it happened."""
    return alert.event_at_us or alert.started_at_us


def _is_same(one: Alert, other: Alert) -> bool:
    is_over = (one.state == "resolve", other.state == "resolve")
    is_like = one.direction == other.direction and one.scope == other.scope and is_over[0] == is_over[1]
    return one.alert_id == other.alert_id or (is_like and abs(at_us(one) - at_us(other)) <= NEAR_US)


def _is_about(alert: Alert, market: Market) -> bool:
    name = f"{_venue(market.exchange)}:{market.symbol}"
    return name in {f"{_venue(alert.exchange or '')}:{alert.symbol}", *map(_venue_of_name, alert.members)}


def _venue_of_name(name: str) -> str:
    exchange, _, symbol = name.partition(":")
    return f"{_venue(exchange)}:{symbol}"


def _venue(exchange: str) -> str:
    return exchange.removesuffix("_agg")
