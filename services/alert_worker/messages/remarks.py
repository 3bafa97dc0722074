"""What an alert says that is about no move: a market stands still. Pure."""

from services.alert_worker.messages.numbers import duration
from services.alert_worker.messages.wording import Wording
from shared.events import Alert


def is_remark(alert: Alert) -> bool:
    """Whether the price has no part in it."""
    return alert.direction == "none"


def one_line(alert: Alert, wording: Wording) -> str:
    """The whole in a line, not yet escaped."""
    pattern = wording.remark_over_line if alert.state == "resolve" else wording.remark_line
    return pattern.format(
        severity=wording.severities[alert.severity],
        exchange=wording.exchanges.get(alert.exchange or "", alert.exchange or "?"),
        symbol=alert.symbol,
        what=what(alert, wording),
    )


def what(alert: Alert, wording: Wording) -> str:
    """What happened, in a few words."""
    pattern = wording.halt_over if alert.state == "resolve" else wording.halt
    return pattern.format(window=duration(alert.window_s or 0, wording))
