"""Many episodes in one message: how many, how bad, the top movers; the details of each in its thread. Pure."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from services.alert_worker.actions import Together
from services.alert_worker.messages import blocks, remarks
from services.alert_worker.messages.alert_message import EMOJI, exchange_name, lasted_s, why
from services.alert_worker.messages.blocks import outside, outside_in_code
from services.alert_worker.messages.message import NO_NAMES, Circumstances, KoreanNames, Message
from services.alert_worker.messages.numbers import both_times, duration, grouped, percent, signed
from services.alert_worker.messages.wording import Wording
from services.alert_worker.notices import NAME as NOTICE
from services.alert_worker.storms import NAME as STORM
from shared.events import Alert, Severity

_SHOWN, _NAMED = 10, 3
_BY_WEIGHT: tuple[Severity, ...] = ("danger", "warning", "notice")


def render(
    group: Together, wording: Wording, told: Circumstances, names: KoreanNames = NO_NAMES, *, with_details: bool
) -> Message:
    """The group's own message. `with_details`: there will be no thread, so it holds the fresh ones too."""
    members = group.members or ((group.lead,) if group.lead else ())
    is_over = all(alert.state == "resolve" for alert in members)
    severity = max((alert.severity for alert in members), key=_BY_WEIGHT[::-1].index)
    emoji, state = ("✅", wording.resolved) if is_over else (EMOJI[severity], wording.severities[severity])
    line = one_line(group, wording, members, is_over=is_over, severity=severity)
    more = len(_names(group, members)) - _SHOWN
    details = group.fresh if with_details else members[:_SHOWN]
    return Message(
        text=blocks.cut(
            blocks.escape(blocks.plain(f"{line} {wording.may_repeat}" if told.may_repeat else line)), 3_000
        ),
        blocks=[
            blocks.header(f"{emoji} {state} · {_what(group, wording, members)}"),
            blocks.section(f"{_counts(members, wording)}"),
            *blocks.sections(
                [f"*{_heading(members, wording)}*", *(_detail(alert, wording, names) for alert in details)]
            ),
            blocks.context(
                [
                    wording.storm_more.format(count=more) if more > 0 and not with_details else "",
                    "" if with_details else wording.storm_details,
                    *_small_print(group, members, wording, told.now_us),
                    wording.may_repeat if told.may_repeat else "",
                ]
            ),
        ],
        data={
            "type": "storm",
            "id": group.group_id,
            "reason": group.reason,
            "alerts": [msgspec.to_builtins(alert) for alert in (group.fresh if with_details else members[:_SHOWN])],
            "members": len(_names(group, members)),
        },
    )


def render_details(
    group: Together, wording: Wording, names: KoreanNames = NO_NAMES, *, may_repeat: bool = False
) -> Message:
    """What the thread is told: a line for each that is fresh, most severe first."""
    lines = [_detail(alert, wording, names) for alert in group.fresh]
    first = group.fresh[0]
    return Message(
        text=blocks.cut(outside(f"{_what(group, wording, group.fresh)}: {_movers(group.fresh, wording)}"), 3_000),
        blocks=[
            *blocks.sections(lines),
            blocks.context(
                [
                    wording.stands_for.format(count=len(group.covered)) if len(group.covered) > len(lines) else "",
                    blocks.escape(first.alert_id),
                    wording.may_repeat if may_repeat else "",
                ]
            ),
        ],
        data={
            "type": "storm",
            "id": group.group_id,
            "reason": group.reason,
            "alerts": [msgspec.to_builtins(alert) for alert in group.fresh],
            "members": len(group.fresh),
        },
    )


def _small_print(group: Together, members: Sequence[Alert], wording: Wording, now_us: int) -> list[str]:
    """As below each message: of the rules that fired, how late the first of what is fresh is told, and what to do."""
    is_news = all(remarks.is_notice(alert) for alert in members)
    first_us = min(alert.received_at_us or alert.decided_at_us for alert in group.fresh or members)
    origin = (wording.notice_context if is_news else wording.context).format(
        rule="+".join(dict.fromkeys(name for alert in members for name in alert.detectors)),
        version=", ".join(dict.fromkeys(alert.rule_version for alert in members)),
        seconds=f"{max(0, now_us - first_us) / 1e6:.1f}",
        times=both_times(min(alert.started_at_us for alert in members), wording),
    )
    top = next((alert for alert in members if alert.scope == "symbol"), None)
    muted = f"rule:{NOTICE}" if is_news else f"rule:{STORM}" if group.lead or top is None else f"coin:{top.base}"
    return [
        blocks.escape(origin),
        wording.how_to.format(symbol=outside_in_code(muted)),
        "" if is_news or top is None else why(top, wording),
        wording.disclaimer,
        blocks.escape(group.group_id),
    ]


def one_line(group: Together, wording: Wording, members: Sequence[Alert], *, is_over: bool, severity: Severity) -> str:
    """The whole in a line, not yet escaped."""
    started = min(alert.started_at_us for alert in members)
    newest = max(alert.event_at_us or alert.started_at_us for alert in members)
    pattern = wording.storm_over_line if is_over else wording.storm_line
    if all(remarks.is_notice(alert) for alert in members):
        pattern = wording.notice_many_line
    return pattern.format(
        severity=wording.severities[severity],
        what=_what(group, wording, members),
        window=duration(max(1, (newest - started) // 1_000_000), wording),
        movers=_movers(members, wording),
    )


def _what(group: Together, wording: Wording, members: Sequence[Alert]) -> str:
    directions = {alert.direction for alert in members}
    pattern = wording.storm_mixed
    if len(directions) == 1:
        patterns = {"down": wording.storm_falls, "up": wording.storm_rises}
        pattern = patterns.get(directions.pop(), wording.storm_mixed)
    if all(remarks.is_notice(alert) for alert in members):
        pattern = wording.notice_many
    what = pattern.format(count=len(_names(group, members)))
    framed = {"morning": wording.storm_morning, "late": wording.storm_late}.get(group.reason, "{what}")
    return framed.format(what=what)


def _names(group: Together, members: Sequence[Alert]) -> set[str]:
    """The markets that take part: those told of, and those that only the detectors' own alert names."""
    told = {f"{alert.exchange}:{alert.symbol}" for alert in members if alert.scope == "symbol"}
    named = set(group.lead.members) if group.lead else set()
    bare = {name.partition(":")[2] for name in told}
    return told | {name for name in named if name not in told and name not in bare}


def _counts(members: Sequence[Alert], wording: Wording) -> str:
    over = sum(alert.state == "resolve" for alert in members)
    by_severity = Counter(alert.severity for alert in members)
    named = ", ".join(f"{wording.severities[one]} {by_severity[one]}" for one in _BY_WEIGHT if by_severity[one])
    if all(remarks.is_notice(alert) for alert in members):
        return named
    return wording.storm_count.format(open=len(members) - over, over=over, severities=named)


def _heading(members: Sequence[Alert], wording: Wording) -> str:
    is_news = all(remarks.is_notice(alert) for alert in members)
    return wording.notice_news if is_news else wording.top_movers


def _movers(members: Sequence[Alert], wording: Wording) -> str:
    named = [_named(alert) for alert in members if alert.scope == "symbol"][:_NAMED]
    if not named:  # only the detectors' own alert is known
        names = [name for alert in members for name in alert.members]
        named, more = names[:_NAMED], len(names) - _NAMED
    else:
        more = len(members) - len(named)
    return ", ".join(named + ([wording.storm_more.format(count=more)] if more > 0 else []))


def _named(alert: Alert) -> str:
    return str(alert.symbol) if remarks.is_remark(alert) else f"{alert.symbol} {signed(_deepest(alert))} %"


def _detail(alert: Alert, wording: Wording, names: KoreanNames) -> str:
    """One market in a line, escaped."""
    if alert.scope == "market":
        falls = wording.storm_falls if alert.direction == "down" else wording.storm_rises
        emoji = "✅" if alert.state == "resolve" else EMOJI[alert.severity]
        return f"{emoji} *{falls.format(count=len(alert.members))}*"
    emoji = "✅" if alert.state == "resolve" else EMOJI[alert.severity]
    market = f"{exchange_name(alert.exchange, wording)} {alert.symbol} {names.get(alert.base or '', '')}".rstrip()
    if remarks.is_remark(alert):
        return f"{emoji} *{outside(market)}*: {outside(remarks.what(alert, wording))}"
    line = f"{emoji} *{outside(market)}* {signed(_deepest(alert))} %"
    line += f" · {grouped(alert.price_before)} → {grouped(alert.price_now)} {outside(alert.quote or '')}"
    if alert.state == "resolve":
        line += f" · {wording.storm_over} {duration(lasted_s(alert), wording)}"
    return line


def _deepest(alert: Alert) -> str | None:
    return percent(alert.price_before, alert.price_extreme) if alert.state == "resolve" else alert.change_pct
