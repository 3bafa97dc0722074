"""What each scenario promises to bring, checked against the report. Pure."""

from collections.abc import Callable, Iterator

from services.reconcile.report import Report

OPENS_WITHIN_S = 10
RESOLVES_WITHIN_S = 20
_MANY = 4


def broken_promises(scenario: str | None, report: Report, parent_messages: int) -> list[str]:
    """Sentences for people, one for each promise that was not kept. No scenario (a recording) promises nothing.

    `parent_messages` are those in Slack that are not replies in a thread: an episode has one, and many that begin at
    once may share one.
    """
    broken = list(_PROMISES[scenario](report)) if scenario in _PROMISES else []
    if not _fits(parent_messages, len(report.alerts)):
        broken.append(f"{parent_messages} Slack messages for {len(report.alerts)} episodes")
    return broken


def _fits(messages: int, episodes: int) -> bool:
    return messages == episodes or (episodes >= _MANY and 0 < messages < episodes)


def _flash_crash(report: Report) -> Iterator[str]:
    fallen = [alert for alert in report.alerts if (alert.exchange, alert.symbol) == ("upbit", "KRW-BTC")]
    others = len(report.alerts) - len(fallen)
    if others:
        yield f"flash-crash: {others} alerts of markets that did not move"
    if report.seconds >= OPENS_WITHIN_S and not fallen:
        yield "flash-crash: no alert for KRW-BTC on Upbit"
    if report.seconds < RESOLVES_WITHIN_S or not fallen:
        return
    if any(alert.resolved_at_us is None for alert in fallen):
        yield "flash-crash: the alert for KRW-BTC did not resolve"
    if len(fallen) > 1:
        yield f"flash-crash: {len(fallen)} episodes of one fall"
    if not report.slack.get("updates"):
        yield "flash-crash: the Slack message was never updated"


def _calm(report: Report) -> Iterator[str]:
    if report.alerts:
        yield f"calm: {len(report.alerts)} alerts on a quiet market"


def _crash(report: Report) -> Iterator[str]:
    if report.seconds >= OPENS_WITHIN_S and not report.alerts:
        yield "no alert, though markets fell"


_PROMISES: dict[str, Callable[[Report], Iterator[str]]] = {
    "flash-crash": _flash_crash,
    "calm": _calm,
    "upbit-crash": _crash,
    "market-crash": _crash,
}
