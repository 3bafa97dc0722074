"""An alert as a Slack message in Block Kit, within Slack's limits (docs.slack.dev, Block Kit reference). Pure.

Limits: header text 150 characters, a field 2,000, fields of a section 10, elements of a context 10, blocks 50; `text`
is kept below 4,000. No text from outside can become a mention, a link or markup.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from services.alert_worker.notifiers.wording import Wording
from shared.events import Alert

HEADER_LIMIT, FIELD_LIMIT, TEXT_LIMIT = 150, 2_000, 3_000
_KST = timezone(timedelta(hours=9))
_EMOJI = {"notice": "🟡", "warning": "🟠", "danger": "🔴"}


@dataclass(frozen=True, slots=True)
class Message:
    """What Slack is given: `text` says it all in a line, for notifications and screen readers; `blocks` are shown."""

    text: str
    blocks: list[dict[str, Any]]


def escape(text: str) -> str:
    """Make a text from outside harmless in Slack's mrkdwn (docs.slack.dev, formatting message text)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def render(alert: Alert, wording: Wording, now_us: int, *, may_repeat: bool = False) -> Message:
    """The episode's message as of its newest alert. `now_us` is our clock, for the seconds from trade to message."""
    line = one_line(alert, wording)
    if may_repeat:
        line = f"{line} {wording.may_repeat}"
    market = f"{_exchange(alert, wording)} {alert.symbol}"
    header = f"{_emoji(alert)} {_state(alert, wording)} · {market} {_signed(_told_change(alert))} %"
    context = [_context(alert, wording, now_us), wording.disclaimer, alert.alert_id]
    context += [wording.may_repeat] if may_repeat else []
    return Message(
        text=_cut(escape(line), TEXT_LIMIT),
        blocks=[
            {"type": "header", "text": {"type": "plain_text", "text": _cut(header, HEADER_LIMIT), "emoji": True}},
            {"type": "section", "fields": [_field(*pair) for pair in _facts(alert, wording)]},
            {
                "type": "context",
                "elements": [{"type": "mrkdwn", "text": _cut(escape(text), FIELD_LIMIT)} for text in context],
            },
        ],
    )


def one_line(alert: Alert, wording: Wording) -> str:
    """Everything that matters in one line, not yet escaped."""
    pattern = wording.resolved_line if alert.state == "resolve" else wording.line
    return pattern.format(
        severity=wording.severities[alert.severity],
        symbol=alert.symbol,
        exchange=_exchange(alert, wording),
        change=_signed(alert.change_pct),
        deepest=_signed(_percent(alert.price_before, alert.price_extreme)),
        window=_duration(alert.window_s or 0, wording),
        lasted=_duration(_lasted_s(alert), wording),
        now=_grouped(alert.price_now),
        quote=alert.quote,
    )


def _facts(alert: Alert, wording: Wording) -> list[tuple[str, str]]:
    times = wording.usual_times.format(times=alert.sigma) if alert.sigma else wording.usual_unknown
    facts = [
        (wording.price_before, f"{_grouped(alert.price_before)} {alert.quote}"),
        (wording.price_now, f"{_grouped(alert.price_now)} {alert.quote}"),
        (wording.usual, times),
        (wording.severity, wording.severities[alert.severity]),
    ]
    if alert.state == "resolve":
        extreme = f"{_grouped(alert.price_extreme)} ({_signed(_percent(alert.price_before, alert.price_extreme))} %)"
        return [*facts, (wording.extreme, extreme), (wording.lasted, _duration(_lasted_s(alert), wording))]
    return [*facts, (wording.window, _duration(alert.window_s or 0, wording))]


def _field(name: str, value: str) -> dict[str, str]:
    return {"type": "mrkdwn", "text": _cut(f"*{name}*\n{escape(value)}", FIELD_LIMIT)}


def _context(alert: Alert, wording: Wording, now_us: int) -> str:
    at = datetime.fromtimestamp((alert.event_at_us or alert.started_at_us) / 1e6, UTC)
    return wording.context.format(
        rule="+".join(alert.detectors),
        version=alert.rule_version,
        seconds=f"{max(0, now_us - (alert.received_at_us or alert.decided_at_us)) / 1e6:.1f}",
        kst=f"{at.astimezone(_KST):%Y-%m-%d %H:%M:%S}",
        utc=f"{at:%H:%M:%S}",
    )


def _state(alert: Alert, wording: Wording) -> str:
    return wording.resolved if alert.state == "resolve" else wording.severities[alert.severity]


def _emoji(alert: Alert) -> str:
    return "✅" if alert.state == "resolve" else _EMOJI[alert.severity]


def _exchange(alert: Alert, wording: Wording) -> str:
    return wording.exchanges.get(alert.exchange or "", alert.exchange or "?")


def _lasted_s(alert: Alert) -> int:
    return max(0, (alert.event_at_us or alert.started_at_us) - alert.started_at_us) // 1_000_000


def _told_change(alert: Alert) -> str | None:
    """What a headline tells: how far the price is, and once it is over, how far it was."""
    return _percent(alert.price_before, alert.price_extreme) if alert.state == "resolve" else alert.change_pct


def _percent(before: str | None, then: str | None) -> str | None:
    if not before or not then or not Decimal(before):
        return None
    return f"{100 * (Decimal(then) / Decimal(before) - 1):.2f}"


def _signed(percent: str | None) -> str:
    """``-5.02`` as ``−5.0`` with a true minus sign."""
    return "?" if percent is None else f"{Decimal(percent):+.1f}".replace("-", "−")


def _grouped(price: str | None) -> str:
    """``129997000`` as ``129,997,000``; the fraction as it is."""
    return "?" if price is None else f"{Decimal(price):,f}"


def _duration(seconds: int, wording: Wording) -> str:
    if seconds < 120:
        return wording.second.format(seconds)
    if seconds < 7_200:
        return wording.minute.format(round(seconds / 60))
    return wording.hour.format(round(seconds / 3_600))


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
