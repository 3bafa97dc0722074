"""Draws the picture for a terminal. Pure: the same picture gives the same screen."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from services.cli.demo.picture import AlertRow, Flow, Picture, PriceRow, ServiceRow

SEVERITY_STYLES = {"notice": "yellow", "warning": "dark_orange", "danger": "bold red"}
_ALERTS_SHOWN = 5
_WIDE = 116
_ON_THE_WAY_S = 0.5
_BARS = "▁▂▃▄▅▆▇█"
EXCHANGES = {"upbit": "Upbit", "binance": "Binance", "binance_agg": "Binance"}


def draw(picture: Picture, width: int) -> RenderableType:
    """The whole screen, side by side where the terminal is wide enough; what matters most is on top."""
    flows, services, latency = _flows(picture), _services(picture.services), _latency(picture)
    prices = _prices(picture.prices)
    if width < _WIDE:
        return Group(_header(picture), _alerts(picture), flows, prices, services, latency)
    grid = Table.grid(expand=True, padding=(0, 4, 0, 0))
    grid.add_column(ratio=6)
    grid.add_column(ratio=5)
    grid.add_row(Group(flows, "", services), Group(prices, "", latency))
    return Group(_header(picture), _alerts(picture), grid)


def _header(picture: Picture) -> RenderableType:
    clock = f"{picture.market_s:.0f} s" + (f" of {picture.seconds:.0f}" if picture.seconds else "")
    line = Text.assemble(
        ("tapewatch demo", "bold"), "  ", (picture.title, "bold cyan"), "   ", picture.phase, "   ", (clock, "bold")
    )
    link = Text.assemble(
        "Slack channel in your browser: ", (picture.slack_page, f"underline link {picture.slack_page}")
    )
    elsewhere = Text(f"in another shell: {picture.look} tapewatch status --watch", style="dim", overflow="fold")
    lines = [line, link, elsewhere, Text("Ctrl-C stops the market and checks every trade", style="dim")]
    if picture.not_played:
        lines.append(Text(f"in the recording and not played: {', '.join(picture.not_played)}", style="dim"))
    return Panel(Group(*lines), box=box.ROUNDED, border_style="cyan")


def _table(*headings: str) -> Table:
    table = Table(box=None, expand=True, padding=(0, 1), pad_edge=False, header_style="dim")
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="left" if place == 0 else "right", no_wrap=True)
    table.columns[0].header_style = "bold"
    return table


def _flows(picture: Picture) -> RenderableType:
    table = _table("Published", "total", "a second", "in Kafka", "Redis", "Postgres")
    for channel, flow in picture.flows.items():
        table.add_row(
            {"trade": "trades", "ticker": "tickers", "orderbook": "order books"}[channel],
            f"{flow.published.count:,}",
            f"{flow.published.per_s:,.0f}",
            f"{flow.in_kafka.count:,}",
            *(_behind(flow, sink) for sink in ("redis", "postgres")),
        )
    return table


def _latency(picture: Picture) -> RenderableType:
    table = _table("Socket to store, sampled", "half within", "99 % within")
    for sink, name in (("redis", "visible in Redis"), ("postgres", "committed in Postgres")):
        figures = picture.latency.get(sink)
        table.add_row(name, *((f"{figures.p50:.1f} ms", f"{figures.p99:.1f} ms") if figures else ("…", "…")))
    return table


def _behind(flow: Flow, sink: str) -> Text:
    """Records between Kafka and a store; what is on its way for a moment is no lag."""
    records = flow.behind.get(sink)
    if records is None:
        return Text("not kept", style="dim")
    if records <= _ON_THE_WAY_S * flow.in_kafka.per_s:
        return Text("live", style="green")
    return Text(f"{records:,} behind", style="yellow" if records < 10_000 else "red")


def _services(services: list[ServiceRow]) -> RenderableType:
    table = _table("Services", "state", "pid", "restarts", "memory", "cpu")
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
    table = _table("Newest in Redis", "price", "change", "30 s")
    for row in prices:
        change = row.change_pct()
        style = "green" if change > 0.1 else "red" if change < -0.1 else "dim"
        price = f"{Decimal(row.price):,f}" if row.price else "…"
        price = price.rstrip("0").rstrip(".") if "." in price else price
        name = Text.assemble((f"{EXCHANGES.get(row.exchange, row.exchange):8}", "dim"), row.symbol)
        bars = sparkline(list(row.recent)[::-2][::-1])
        table.add_row(name, price, Text(f"{change:+.2f} %", style=style), Text(bars, style=style))
    return table


def sparkline(values: Sequence[float], least_span: float = 0.005) -> str:
    """A line of bars; a span below `least_span` of the value is drawn flat, so that noise does not look like news."""
    if not values:
        return ""
    middle = (min(values) + max(values)) / 2
    span = max(max(values) - min(values), least_span * middle)
    return "".join(_BARS[min(7, int(((value - middle) / span + 0.5) * 8))] for value in values)


def _alerts(picture: Picture) -> RenderableType:
    rows = list(picture.alerts.values())[-_ALERTS_SHOWN:]
    body: RenderableType = Text("none so far", style="dim")
    if rows:
        body = grid = Table.grid(padding=(0, 2), expand=True)
        for ratio in (None, None, 1, None):
            grid.add_column(ratio=ratio)
        for row in reversed(rows):
            grid.add_row(*_alert(row))
    counts = f"Slack: {picture.slack.get('messages', 0)} messages, {picture.slack.get('updates', 0)} updates"
    return Panel(body, title="Alerts", title_align="left", subtitle=counts, subtitle_align="right", box=box.ROUNDED)


def _alert(row: AlertRow) -> list[Text]:
    style = "green" if row.is_over else SEVERITY_STYLES[row.severity]
    return [
        Text(clock(row.opened_at_us), style="dim"),
        Text(" resolved " if row.is_over else f" {row.severity} ", style=f"{style} reverse"),
        Text(headline(row)),
        Text(_whereabouts(row), style="dim", justify="right"),
    ]


def _whereabouts(row: AlertRow) -> str:
    if row.told_at_us is not None:
        return "in Slack"
    return "being told" if row.is_for_people else "no message of its own"


def headline(row: AlertRow) -> str:
    """One alert in one line: where, how far at worst, where it is now."""
    alert = row.newest
    where = f"{alert.symbol or 'the whole market'} on {EXCHANGES.get(alert.exchange or '', 'both exchanges')}"
    worst = "" if row.worst_pct is None else f" {row.worst_pct:+.2f} %"
    now = "" if alert.price_now is None else f", now {Decimal(alert.price_now):,f} {alert.quote or ''}".rstrip()
    if not row.is_over:
        return f"{where}{worst}{now}"
    return (
        f"{where}: {row.severity},{worst} at worst, over after {(alert.decided_at_us - row.opened_at_us) / 1e6:.0f} s"
    )


def clock(at_us: int) -> str:
    """Time of day, UTC."""
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).strftime("%H:%M:%S")
