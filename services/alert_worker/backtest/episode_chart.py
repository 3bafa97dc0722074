"""The picture of an episode of a backtest: its candles, what was told, and the labelled event. Imports matplotlib."""

from collections.abc import Sequence

from services.alert_worker.backtest.labels import Event
from services.alert_worker.backtest.minutes import MINUTE_US
from services.alert_worker.backtest.series import Series
from services.alert_worker.charts.picture import Bar, Chart, Mark, draw
from services.alert_worker.charts.request import Tone
from shared.events import Alert

_BEFORE_US, _AFTER_US = 20 * MINUTE_US, 40 * MINUTE_US
_MOST_WORDS = 6
_WORDS = {"open": "told", "escalate": "again", "resolve": "over"}


def shown_by(alert: Alert) -> tuple[str, str]:
    """Exchange and symbol of the series that shows an episode: of all markets, the one that went furthest."""
    if alert.scope == "symbol":
        return alert.exchange or "", alert.symbol or ""
    exchange, _, symbol = alert.members[0].partition(":")
    return exchange, symbol


def picture(series: Series, alerts: Sequence[Alert], events: Sequence[Event], around_us: int = 0) -> bytes:
    """The PNG. `alerts` are those of the episode, in order.

    What is outside the hour around its first word, or the first one from `around_us` on, is left out.
    """
    words = (alert for alert in alerts if alert.state != "resolve" and (alert.event_at_us or 0) >= around_us)
    first = next(words, alerts[0])
    told_us = (first.event_at_us or first.started_at_us) // MINUTE_US * MINUTE_US
    from_us, to_us = told_us - _BEFORE_US, told_us + _AFTER_US
    bars = [
        Bar(bar.ended_us - MINUTE_US, bar.open, bar.high, bar.low, bar.close, bar.volume)
        for bar in series.bars
        if from_us <= bar.ended_us - MINUTE_US < to_us
    ]
    marks = [Mark(event.crossed_us, f"{_signed(event.direction)}1 % crossed") for event in events]
    shown = [alert for alert in alerts if from_us <= (alert.event_at_us or 0) <= to_us]
    place = shown.index(first)
    marks += [_mark(alert) for alert in shown[max(0, min(place, len(shown) - _MOST_WORDS)) :][:_MOST_WORDS]]
    return draw(
        Chart(
            title=_title(series, first),
            quote=series.quote,
            bars=bars,
            from_us=from_us,
            to_us=to_us,
            marks=marks,
            reference=None if first.price_before is None else float(first.price_before),
        )
    )


def _title(series: Series, first: Alert) -> str:
    name = f"{series.symbol} on {series.exchange}"
    if first.scope == "symbol":
        return f"{name}: {_changed(first.kind, first)}"
    return f"{name}, furthest of {len(first.members)} markets: {_changed(f'{first.kind}, median', first)}"


def _changed(words: str, alert: Alert) -> str:
    return words if alert.change_pct is None else f"{words} {alert.change_pct} %"


def _mark(alert: Alert) -> Mark:
    tone: Tone = "resolved" if alert.state == "resolve" else alert.severity
    return Mark(alert.event_at_us or 0, _changed(_WORDS[alert.state], alert), tone)


def _signed(direction: int) -> str:
    return "+" if direction > 0 else "−"
