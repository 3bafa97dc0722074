"""A report as tables for people."""

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from services.reconcile.episodes import Episode
from services.reconcile.report import Figures, Report

_HEADINGS = ("expected", "found", "lost", "duplicated", "out_of_order", "stale", "wrong")
_CHANNELS = {"trade": "trades", "ticker": "tickers", "orderbook": "order books", "candle_1m": "1-minute candles"}
_HARMLESS = {("kafka", "duplicated")}


def show_report(console: Console, report: Report) -> None:
    """Print everything that a person wants to know of a run, the verdict last."""
    console.print(_tables(report))
    console.print(_verdict(report))


def _tables(report: Report) -> RenderableType:
    table = Table(title=_title(report), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    table.add_column("", no_wrap=True)
    for heading in _HEADINGS:
        table.add_column(heading.replace("_", " "), justify="right", no_wrap=True)
    for store, channels in (("kafka", report.kafka), ("redis", report.redis), ("postgres", report.postgres)):
        for channel, figures in channels.items():
            table.add_row(f"{store.capitalize()} {_CHANNELS.get(channel, channel)}", *_cells(store, figures))
    return Group(table, _facts(report))


def _title(report: Report) -> str:
    return (
        f"{report.scenario or 'reconciliation'}: {_counted(report.published)} {report.truth} in {report.seconds:.1f} s"
    )


def _cells(store: str, figures: Figures) -> list[Text]:
    cells = []
    for heading in _HEADINGS:
        figure = figures.get(heading)
        is_fault = bool(figure) and heading not in {"expected", "found"} and (store, heading) not in _HARMLESS
        cells.append(Text("" if figure is None else f"{figure:,}", style="bold red" if is_fault else ""))
    return cells


def _facts(report: Report) -> RenderableType:
    facts = Table.grid(padding=(0, 2))
    facts.add_row("gaps told", f"{report.gaps['open']} open, {report.gaps['closed']} closed")
    facts.add_row("published unheard", _counted(report.unheard))
    facts.add_row("given up for newer ones", _counted(report.conflated))
    for sink, figures in report.latency_ms.items():
        facts.add_row(
            f"{report.truth} → {sink}",
            f"half within {figures['p50']} ms, 99 % within {figures['p99']} ms, longest {figures['max']} ms",
        )
    for alert in report.alerts:
        facts.add_row(f"alert {alert.symbol or 'market'}", _alert(alert))
    if report.slack:
        facts.add_row("Slack", ", ".join(f"{count} {name}" for name, count in report.slack.items()))
    if report.memory_mb:
        used = ", ".join(f"{name} {size:.0f} MB" for name, size in report.memory_mb.items())
        facts.add_row("most memory", used)
    restarted = ", ".join(f"{name} {count} ×" for name, count in report.restarts.items() if count)
    if report.restarts:
        facts.add_row("restarted", restarted or "nothing")
    return facts


def _counted(figures: Figures) -> str:
    return ", ".join(f"{count:,} {channel}s" for channel, count in figures.items() if count) or "none"


def _alert(alert: Episode) -> str:
    since_us, over_us = alert.opened_at_us, alert.resolved_at_us
    parts = [alert.severity, "still open" if over_us is None else f"resolved after {(over_us - since_us) / 1e6:.1f} s"]
    if alert.decision_ms is not None:
        parts.append(f"decided {alert.decision_ms:.0f} ms after its trade came in")
    if alert.slack_ms is not None:
        parts.append(f"in Slack {alert.slack_ms:.0f} ms later")
    return ", ".join(parts)


def _verdict(report: Report) -> Text:
    if report.ok:
        return Text("ok: nothing lost outside a gap, doubled, out of order or wrong", style="bold green")
    return Text("\n".join(["not ok:", *(f"  {fault}" for fault in report.faults)]), style="bold red")
