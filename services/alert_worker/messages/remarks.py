"""What an alert says that is about no move: a market stands still, or its exchange says something of it. Pure."""

from services.alert_worker.messages.numbers import duration
from services.alert_worker.messages.wording import Wording
from services.alert_worker.notices import LIFTED, RAISED, WARNING
from services.alert_worker.notices import NAME as NOTICE
from shared.events import Alert


def is_remark(alert: Alert) -> bool:
    """Whether the price has no part in it."""
    return alert.direction == "none"


def is_notice(alert: Alert) -> bool:
    """Whether it is what the exchange says."""
    return alert.kind == NOTICE


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
    """What happened, in a few words, not yet escaped."""
    if is_notice(alert):
        return ", ".join(_said(change, wording) for change in alert.changes)
    pattern = wording.halt_over if alert.state == "resolve" else wording.halt
    return pattern.format(window=duration(alert.window_s or 0, wording))


def flag(name: str, wording: Wording) -> str:
    """An exchange's flag in words; one that is not known by its own name."""
    return wording.warning_flag if name == WARNING else wording.cautions.get(name, name)


def _said(change: str, wording: Wording) -> str:
    for prefix, pattern in ((RAISED, wording.notice_raised), (LIFTED, wording.notice_lifted)):
        if change.startswith(prefix):
            return pattern.format(flag=flag(change.removeprefix(prefix), wording))
    return wording.notices.get(change, change)
