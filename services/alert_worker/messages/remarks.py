"""What an alert says that is about no move: a market stands still, or its exchange says something of it. Pure."""

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
    is_over = alert.state == "resolve"
    if alert.kind == "halt":
        pattern = wording.halt_over if is_over else wording.halt
        return pattern.format(window=duration(alert.window_s or 0, wording))
    flag = alert.members[0] if alert.members else ""
    if flag in wording.notices:
        return wording.notices[flag] if not is_over else wording.notice_lifted.format(flag=wording.notices[flag])
    named = wording.warning_flag if flag == "warning" else wording.cautions.get(flag, flag)
    return (wording.notice_lifted if is_over else wording.notice_raised).format(flag=named)
