"""A backtest as tables for people."""

from collections.abc import Sequence
from datetime import UTC, datetime

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from services.alert_worker.backtest.naive_rules import NAIVE_RULES
from services.alert_worker.backtest.report import Result, figures
from services.alert_worker.backtest.scoring import OURS, Score
from services.alert_worker.backtest.shocks import Power
from shared.events import Alert

HEADINGS = (
    "rule", "told", "of every\n3 %", "delay\np50", "delay\np95", "start\np50", "after\nfixed", "alerts\na day",
    "episodes\na day", "calm\nepisodes", "repeats",
)  # fmt: skip
_SEVERITIES = ("notice", "warning", "danger")
LEGEND = (
    "told: labelled moves (3 % in 10 minutes that stay; 8 × the median move of 10 minutes where a day or more says\n"
    "that it is more) that were told, of how many. of every 3 %: the same without that 8 ×.\n"
    "delay: from the crossing of 1 %; start: from the move's start. after fixed: moves told sooner by the fixed rule.\n"
    "a day: a symbol-day; calm: further than 6 h from every labelled move. repeats: further openings a move."
)


def show_result(console: Console, result: Result) -> None:
    """Print one history's table."""
    console.print(_table(result))


def show_legend(console: Console) -> None:
    """Print what the columns mean."""
    console.print(Text(LEGEND, style="dim"))


def _table(result: Result) -> RenderableType:
    title = (
        f"{result.name}: {result.trades:,} trades, {_plural(result.symbols, 'symbol')}, {result.days:.1f} symbol-days"
    )
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for place, heading in enumerate(HEADINGS):
        table.add_column(heading, justify="right" if place else "left")
    for score in result.scores.values():
        table.add_row(*cells(score), style="bold" if score.rule == OURS else "")
    return table


def cells(score: Score) -> list[str]:
    """A rule's figures as text, in the order of HEADINGS."""
    known = figures(score)
    return [
        score.rule,
        _told(known["told"], known["events"]),
        _told(known["plain_told"], known["plain_events"]),
        _seconds(known["delay_s_p50"]),
        _seconds(known["delay_s_p95"]),
        _seconds(known["since_start_s_p50"]),
        str(known["later_than_fixed"]) if known["events"] else "–",
        *(
            _number(known[name])
            for name in (
                "alerts_a_symbol_day", "episodes_a_symbol_day", "episodes_a_calm_symbol_day", "repeats_an_event",
            )
        ),
    ]  # fmt: skip


def show_episodes(console: Console, alerts: Sequence[Alert]) -> None:
    """Print every episode with its name, which `--chart` takes."""
    table = _titled("episodes")
    for heading in ("episode", "opened, UTC", "symbol", "by", "first", "worst", "told", "lasted"):
        table.add_column(heading, no_wrap=True)
    for own in by_episode(alerts).values():
        first, last = own[0], own[-1]
        opened_us = first.event_at_us or 0
        lasted_us = (last.event_at_us or 0) - opened_us
        table.add_row(
            first.episode_id[:10],
            moment(opened_us)[:16],
            _about(own),
            "+".join(dict.fromkeys(name for alert in own for name in alert.detectors)),
            "–" if first.change_pct is None else f"{first.change_pct} %",
            max((alert.severity for alert in own), key=_SEVERITIES.index),
            f"{sum(alert.state != 'resolve' for alert in own)} ×",
            f"{lasted_us / 60e6:.0f} min" if last.state == "resolve" else "still open",
        )
    console.print(table)


def _about(own: Sequence[Alert]) -> str:
    if own[0].scope == "symbol":
        return f"{own[0].exchange} {own[0].symbol}"
    return f"market-wide, {max(len(alert.members) for alert in own)} markets"


def by_episode(alerts: Sequence[Alert]) -> dict[str, list[Alert]]:
    """The alerts of each episode, in the order of the openings."""
    episodes: dict[str, list[Alert]] = {}
    for alert in alerts:
        episodes.setdefault(alert.episode_id, []).append(alert)
    return episodes


def show_power(console: Console, powers: Sequence[Power]) -> None:
    """Print the power curve."""
    table = Table(
        title="shocks put into quiet stretches", title_justify="left", title_style="bold", box=box.SIMPLE_HEAD
    )
    for heading in ("size", "within", "told", "delay p50", "longest"):
        table.add_column(heading, justify="right")
    for one in powers:
        table.add_row(*power_cells(one))
    console.print(table)


def power_cells(one: Power) -> list[str]:
    """A size's figures as text: size, within, told, median and longest delay."""
    ordered = sorted(one.delays_s)
    middle = ordered[len(ordered) // 2] if ordered else None
    return [
        f"{one.size:.1%}", f"{one.over_s // 60} min", f"{len(ordered)} of {one.tried}", _seconds(middle),
        _seconds(ordered[-1] if ordered else None),
    ]  # fmt: skip


def rules_explained() -> list[tuple[str, str]]:
    """(name, what it says) of the naive rules."""
    return [(rule.name, rule.says) for rule in NAIVE_RULES]


def moment(at_us: int) -> str:
    """Date and time of day, UTC, to the second."""
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _titled(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1))


def _told(told: int, events: int) -> str:
    return f"{told} of {events}" if events else "–"


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f} s"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
