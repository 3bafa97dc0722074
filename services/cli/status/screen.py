"""A state as a screen for people, as lines for logs, and as one line. Pure."""

from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from services.cli.status.state import State, Success

_CALM_S, _LATE_S = 10.0, 60.0
_NEAR_RATIO, _FAR_RATIO = 0.25, 0.5


def lines(state: State) -> list[str]:
    """Every figure on a line of its own, columns set apart by tabs."""
    return [
        *(f"kafka\t{flow.topic}\tat {flow.records}\t{_rate(flow.per_s)}" for flow in state.flows),
        *(
            f"{lag.store}\t{lag.topic}\tat {lag.position}\t{lag.behind} behind\t{lag.retention_ratio:.1%} of retention"
            for lag in state.lags
        ),
        *(f"{delay.store}\thas what Kafka holds after {_delay(delay.ms)}" for delay in state.delays),
        *(f"{newest.store}\t{newest.exchange}\tnewest trade {newest.age_s} s old" for newest in state.newest),
        *(
            f"redis\t{reach.exchange}\treaches back {span(reach.age_s)}\t{reach.symbol} has {reach.trades} trades"
            for reach in state.reach
        ),
        *(f"{one.store}\t{one.batches} batches\t{percent(one)} acknowledged at the first try" for one in state.success),
        *(f"{whom}\taway\t{reason}" for whom, reason in state.away.items()),
    ]


def line(state: State) -> str:
    """The whole state in one line."""
    rates = ", ".join(f"{_short(flow.topic)} {_rate(flow.per_s)}" for flow in state.flows)
    parts = [f"{clock(state.at_us)} {rates or '-'}"]
    parts += [_of_store(one.store, state) for one in state.success]
    parts += [f"redis reaches back {span(reach.age_s)} of {reach.exchange}" for reach in state.reach]
    parts += [f"{whom} is away: {reason}" for whom, reason in state.away.items()]
    return "; ".join(parts)


def _of_store(store: str, state: State) -> str:
    lags = [lag for lag in state.lags if lag.store == store]
    delays = {delay.store: _delay(delay.ms) for delay in state.delays}
    ages = ", ".join(f"{one.exchange} {one.age_s:.1f} s" for one in state.newest if one.store == store)
    behind = "- behind"
    if lags:
        behind = (
            f"{sum(one.behind for one in lags)} behind ({max(one.retention_ratio for one in lags):.1%} of retention)"
        )
    return f"{store} {behind}, {delays.get(store, '-')}, newest {ages or 'none'}"


def draw(state: State) -> RenderableType:
    """The whole screen."""
    parts = (_flows(state), _lags(state), _stores(state), _reach(state), _away(state))
    return Group(*(part for part in parts if part is not None))


def _table(*headings: str) -> Table:
    table = Table(box=None, padding=(0, 2), pad_edge=False, header_style="dim")
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="left" if place == 0 else "right", no_wrap=True)
    table.columns[0].header_style = "bold"
    return table


def _flows(state: State) -> Table:
    table = _table(f"Kafka at {clock(state.at_us)} UTC", "records", "a second")
    for flow in state.flows:
        table.add_row(_short(flow.topic), f"{flow.records:,}", "…" if flow.per_s is None else f"{flow.per_s:,.0f}")
    return table


def _lags(state: State) -> Table | None:
    if not state.lags:
        return None
    table = _table("\nStore and topic", "\nposition", "\nbehind", "\nof retention")
    for lag in state.lags:
        style = _style(lag.retention_ratio, _NEAR_RATIO, _FAR_RATIO)
        table.add_row(
            f"{lag.store} {_short(lag.topic)}",
            f"{lag.position:,}",
            f"{lag.behind:,}",
            Text(f"{lag.retention_ratio:.1%}", style=style),
        )
    return table


def _stores(state: State) -> Table:
    exchanges = sorted({newest.exchange for newest in state.newest})
    table = _table(
        "\nStore", "caught up\nwithin", "first try\nof batches", *(f"newest trade\nof {name}" for name in exchanges)
    )
    delays = {delay.store: delay.ms for delay in state.delays}
    ages = {(newest.store, newest.exchange): newest.age_s for newest in state.newest}
    for one in state.success:
        perfect = one.percent is None or one.percent == 100
        table.add_row(
            one.store,
            Text(_delay(delays.get(one.store)), style="" if delays.get(one.store) is not None else "yellow"),
            Text(percent(one), style="" if perfect else "yellow"),
            *(_age(ages.get((one.store, exchange))) for exchange in exchanges),
        )
    return table


def _reach(state: State) -> Table | None:
    if not state.reach:
        return None
    table = _table("\nRedis reaches back", "\nat least", "\nshortest", "\ntrades")
    for reach in state.reach:
        table.add_row(reach.exchange, span(reach.age_s), reach.symbol, f"{reach.trades:,}")
    return table


def _away(state: State) -> Text | None:
    if not state.away:
        return None
    return Text("\n" + "\n".join(f"{whom} is away: {reason}" for whom, reason in state.away.items()), style="bold red")


def _age(age_s: float | None) -> Text:
    if age_s is None:
        return Text("none", style="yellow")
    return Text(f"{age_s:.1f} s" if age_s < _LATE_S else span(age_s), style=_style(age_s, _CALM_S, _LATE_S))


def _style(value: float, near: float, far: float) -> str:
    return "red" if value >= far else "yellow" if value >= near else "green"


def percent(one: Success) -> str:
    """``99.5 %``, or a dash before the first batch."""
    return "-" if one.percent is None else f"{one.percent:g} %"


def span(seconds: float) -> str:
    """``90 s``, ``12 min``, ``5.2 h``, ``3.1 d``."""
    for unit, size, digits in (("d", 86_400, 1), ("h", 3_600, 1), ("min", 60, 0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.{digits}f} {unit}"
    return f"{seconds:.0f} s"


def clock(at_us: int) -> str:
    """Time of day, UTC."""
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).strftime("%H:%M:%S")


def _short(topic: str) -> str:
    return topic.split(".")[1]


def _rate(per_s: float | None) -> str:
    return "-" if per_s is None else f"{per_s:.0f}/s"


def _delay(ms: float | None) -> str:
    return "more than a second" if ms is None else f"{ms:.1f} ms"
