"""An explanation for people and for programs."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from services.alert_worker.explanation import Explanation, Strongest
from services.alert_worker.messages.remarks import is_remark, what
from services.alert_worker.messages.wording import ENGLISH
from services.alert_worker.volume import Compared
from services.cli.explain.sources import between
from services.cli.points_in_time import KST
from shared.events import Alert


class Told(NamedTuple):
    """An alert and why people were told of it or not."""

    alert: Alert
    why: str


def show(console: Console, found: Explanation, source: str, told: Sequence[Told], conclusion: Sequence[str]) -> None:
    """Print everything."""
    market, minutes = found.market, found.minutes
    console.print(f"[bold]{escape(market.symbol)}[/] on {escape(market.exchange)}, {between(*found.span)}")
    console.print(
        f"{found.trades:,} trades from {escape(source)}, {found.warm_up_us / 60e6:.0f} min before them; "
        f"rules {found.version}"
    )
    console.print(
        f"tier {found.tier or 'unknown'}; a minute usually moves it by {found.sigma_percent:.3f} % "
        f"(known from {minutes:,} minutes); {_volume(found.volume)}"
    )
    console.print(_readings(found))
    for note in found.notes:
        console.print(f"{clock(note.at_us)}  {escape(note.text)}")
    if told:
        console.print(_alerts(told))
    for line in conclusion:
        console.print(f"[bold]→ {escape(line)}[/]")


def _volume(volume: Compared | None) -> str:
    """What a minute's money was at most. It confirms a move and never raises one."""
    if volume is None:
        return "how much is usually traded is not known"
    usual = "the hour's median" if volume.is_of_hour else "the median of what is known"
    return f"volume at most {volume.times:,.1f} × {usual} ({volume.sigmas:+.1f} σ)"


def _readings(found: Explanation) -> Table:
    table = Table("rule", "within", "strongest at", "price", "value", "threshold", "verdict", box=box.SIMPLE_HEAD)
    for one in found.strongest:
        style = "bold yellow" if one.fired_at_us is not None else ""
        table.add_row(*cells(one), style=style)
    return table


def cells(one: Strongest) -> list[str]:
    """A rule as a line: name, span, when, price, values, thresholds, verdict."""
    reading = one.reading
    sign = {1: "+", -1: "−", 0: ""}[reading.direction]
    values = [f"{sign if m.unit == '%' else ''}{m.value:.2f} {m.unit}".strip() for m in reading.measures]
    least = [f"{m.least:g} {m.unit}".strip() for m in reading.measures]
    if one.fired_at_us is not None:
        verdict = f"fired at {clock(one.fired_at_us)}"
    elif reading.missing:
        verdict = f"silent: {reading.missing}"
    else:
        verdict = f"{100 * reading.share:.0f} % of it" if reading.measures else "did not fire"
    return [
        one.rule, reading.span, clock(one.at_us), one.price, ", ".join(values) or "–", ", ".join(least) or "–", verdict,
    ]  # fmt: skip


def _alerts(told: Sequence[Told]) -> Table:
    table = Table("at", "state", "severity", "change", "rules", "told?", "episode", box=box.SIMPLE_HEAD)
    for alert, why in told:
        rules = "+".join(alert.detectors)
        at = clock(alert.event_at_us or alert.started_at_us)
        change = escape(_change(alert))
        table.add_row(at, alert.state, alert.severity, change, rules, escape(why), alert.episode_id[:10])
    return table


def _change(alert: Alert) -> str:
    if is_remark(alert):
        return what(alert, ENGLISH)
    return "" if alert.change_pct is None else f"{alert.change_pct} %"


def as_object(found: Explanation, source: str, told: Sequence[Told], conclusion: Sequence[str]) -> dict[str, Any]:
    """The same for programs; times are microseconds since the epoch."""
    market = found.market
    return {
        "exchange": market.exchange,
        "symbol": market.symbol,
        "from_us": found.span.from_us,
        "to_us": found.span.to_us,
        "source": source,
        "rule_version": found.version,
        "trades": found.trades,
        "warm_up_us": found.warm_up_us,
        "tier": found.tier,
        "sigma_percent": found.sigma_percent,
        "minutes": found.minutes,
        "volume": None if found.volume is None else found.volume._asdict(),
        "rules": [_rule(one) for one in found.strongest],
        "notes": [note._asdict() for note in found.notes],
        "alerts": [{**msgspec.to_builtins(alert), "told": why} for alert, why in told],
        "conclusion": list(conclusion),
    }


def _rule(one: Strongest) -> dict[str, Any]:
    reading = one.reading
    return {
        "rule": one.rule,
        "within": reading.span,
        "strongest_at_us": one.at_us,
        "price": one.price,
        "direction": reading.direction,
        "measures": [measure._asdict() for measure in reading.measures],
        "missing": reading.missing,
        "fired_at_us": one.fired_at_us,
    }


def clock(at_us: int) -> str:
    """Korean time of day, to the tenth of a second."""
    return datetime.fromtimestamp(at_us / 1e6, UTC).astimezone(KST).strftime("%H:%M:%S.%f")[:-5]
