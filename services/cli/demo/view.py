"""Draws the picture for a terminal. Pure: the same picture gives the same screen."""

from datetime import UTC, datetime
from decimal import Decimal

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from services.cli.demo.picture import AlertRow, Picture, PriceRow, ServiceRow

SEVERITY_STYLES = {"notice": "yellow", "warning": "dark_orange", "danger": "bold red"}
_ALERTS_SHOWN = 5
_WIDE = 104
_EXCHANGES = {"upbit": "Upbit", "binance": "Binance", "binance_agg": "Binance"}


def draw(picture: Picture, width: int) -> RenderableType:
    """The whole screen, side by side where the terminal is wide enough."""
    if width < _WIDE:
        return Group(
            _header(picture), _flows(picture), _services(picture.services), _prices(picture.prices), _alerts(picture)
        )
    grid = Table.grid(expand=True, padding=(0, 1, 0, 0))
    grid.add_column(ratio=5)
    grid.add_column(ratio=4)
    grid.add_row(Group(_flows(picture), _services(picture.services)), _prices(picture.prices))
    return Group(_header(picture), grid, _alerts(picture))


def _header(picture: Picture) -> RenderableType:
    clock = f"{picture.market_s:.0f} s" + (f" of {picture.seconds:.0f}" if picture.seconds else "")
    line = Text.assemble(
        ("tapewatch demo", "bold"), "  ", (picture.title, "bold cyan"), "   ", picture.phase, "   ", (clock, "bold")
    )
    link = Text.assemble(
        "Slack channel in your browser: ", (picture.slack_page, f"underline link {picture.slack_page}")
    )
    leave = Text("Ctrl-C stops the market and checks every trade", style="dim")
    return Panel(Group(line, link, leave), box=box.ROUNDED, border_style="cyan")


def _table(title: str, *headings: str) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, expand=True, padding=(0, 1)
    )
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="left" if place == 0 else "right", no_wrap=True)
    return table


def _flows(picture: Picture) -> RenderableType:
    table = _table(
        "Exchanges → Kafka → stores", "", "published", "a second", "in Kafka", "Redis behind", "Postgres behind"
    )
    for channel, flow in picture.flows.items():
        table.add_row(
            {"trade": "trades", "ticker": "tickers", "orderbook": "order books"}[channel],
            f"{flow.published.count:,}",
            f"{flow.published.per_s:,.0f}",
            f"{flow.in_kafka.count:,}",
            *(_behind(flow.behind.get(sink)) for sink in ("redis", "postgres")),
        )
    for sink, name in (("redis", "Redis"), ("postgres", "Postgres")):
        if sink in picture.latency:
            figures = picture.latency[sink]
            table.add_row(
                Text(f"socket to {name}, sampled: half within {figures.p50:.1f} ms, 99 % within {figures.p99:.1f} ms"),
                end_section=False,
            )
    return table


def _behind(records: int | None) -> Text:
    if records is None:
        return Text("not kept", style="dim")
    return Text(f"{records:,}", style="green" if records < 1_000 else "yellow" if records < 10_000 else "red")


def _services(services: list[ServiceRow]) -> RenderableType:
    table = _table("Services", "", "state", "pid", "restarts", "memory", "cpu")
    for row in services:
        style = "green" if row.state == "running" else "yellow"
        table.add_row(
            row.name,
            Text(row.state, style=style),
            str(row.pid or ""),
            Text(str(row.restarts), style="yellow" if row.restarts else ""),
            f"{row.memory_mb:.0f} MB",
            f"{row.cpu_pct:.0f} %",
        )
    return table


def _prices(prices: list[PriceRow]) -> RenderableType:
    table = _table("Last trades, read from Redis", "", "price", "since start")
    for row in prices:
        change = row.change_pct()
        style = "green" if change > 0.05 else "red" if change < -0.05 else "dim"
        price = f"{Decimal(row.price).normalize():,f}" if row.price else "…"
        name = Text.assemble((f"{_EXCHANGES.get(row.exchange, row.exchange):8}", "dim"), row.symbol)
        table.add_row(name, price, Text(f"{change:+.2f} %", style=style))
    return table


def _alerts(picture: Picture) -> RenderableType:
    rows = list(picture.alerts.values())[-_ALERTS_SHOWN:]
    if not rows:
        body: RenderableType = Text("none so far", style="dim")
    else:
        body = Table.grid(padding=(0, 2), expand=True)
        for row in reversed(rows):
            body.add_row(*_alert(row))
    counts = f"Slack: {picture.slack.get('messages', 0)} messages, {picture.slack.get('updates', 0)} updates"
    return Panel(body, title="Alerts", title_align="left", subtitle=counts, subtitle_align="right", box=box.ROUNDED)


def _alert(row: AlertRow) -> list[Text]:
    style = "green" if row.is_over else SEVERITY_STYLES[row.severity]
    told = "in Slack" if row.told_at_us else "being told"
    return [
        Text(clock(row.opened_at_us), style="dim"),
        Text(" RESOLVED " if row.is_over else f" {row.severity.upper()} ", style=f"{style} reverse"),
        Text(headline(row)),
        Text(told, style="dim", justify="right"),
    ]


def headline(row: AlertRow) -> str:
    """One alert in one line: where, how far, since when."""
    alert = row.newest
    where = f"{alert.symbol or 'whole market'} on {_EXCHANGES.get(alert.exchange or '', alert.exchange or 'both')}"
    moved = "" if alert.change_pct is None else f" {_signed(alert.change_pct)} %"
    window = "" if alert.window_s is None else f" in {alert.window_s} s"
    now = "" if alert.price_now is None else f", now {Decimal(alert.price_now):,f} {alert.quote or ''}".rstrip()
    return f"{where}{moved}{window}{now}"


def _signed(text: str) -> str:
    return text if text.startswith("-") else f"+{text}"


def clock(at_us: int) -> str:
    """Time of day, UTC."""
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).strftime("%H:%M:%S")
