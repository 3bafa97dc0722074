"""What the chart of an episode shows, and the same in words for those who cannot see it. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime

from services.alert_worker.charts.request import ChartAnswer, ChartRequest, MarkAsked
from services.alert_worker.messages.numbers import grouped, signed
from services.alert_worker.messages.wording import ENGLISH, Wording
from shared.events import Alert

_AFTER_US = 1_000_000
"""The trade that caused an alert is in the picture."""


def request_for(alerts: Sequence[Alert], wording: Wording, *, korean_colours: bool) -> ChartRequest:
    """The hour up to the newest of an episode's alerts, all of them marked."""
    newest = alerts[-1]
    at_us = newest.event_at_us or newest.started_at_us
    return ChartRequest(
        exchange=newest.exchange or "",
        symbol=newest.symbol or "",
        quote=newest.quote or "",
        title=wording.chart_title.format(
            symbol=newest.symbol, exchange=_exchange(newest), change=signed(newest.change_pct)
        ),
        to_us=at_us + _AFTER_US,
        received_at_us=(newest.received_at_us or newest.decided_at_us),
        marks=[_mark(alert, wording) for alert in alerts],
        reference=float(newest.price_before) if newest.price_before else None,
        reference_label=wording.chart_before,
        volume_label=wording.chart_volume.format(base=newest.base),
        korean_colours=korean_colours,
    )


def alt_text(alert: Alert, answer: ChartAnswer, wording: Wording) -> str:
    """The chart in a sentence."""
    return wording.chart_alt.format(
        symbol=alert.symbol,
        exchange=wording.exchanges.get(alert.exchange or "", alert.exchange),
        minutes=answer.minutes,
        time=_clock(alert.event_at_us or alert.started_at_us),
        before=grouped(alert.price_before),
        quote=alert.quote,
        now=answer.last,
        low=answer.low,
        high=answer.high,
        alert=_clock(alert.started_at_us),
    )


def _mark(alert: Alert, wording: Wording) -> MarkAsked:
    if alert.state == "resolve":
        return MarkAsked(alert.event_at_us or alert.started_at_us, wording.chart_resolved, "resolved")
    label = f"{wording.chart_severities[alert.severity]} {signed(alert.change_pct)} %"
    return MarkAsked(alert.event_at_us or alert.started_at_us, label, alert.severity)


def _exchange(alert: Alert) -> str:
    """Its own name, in Latin letters in either language."""
    return ENGLISH.exchanges.get(alert.exchange or "", alert.exchange or "?")


def _clock(at_us: int) -> str:
    return f"{datetime.fromtimestamp(at_us / 1e6, UTC):%H:%M}"
