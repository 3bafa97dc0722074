"""`tapewatch status`: how far each store is behind Kafka, how fresh it is, and how often it took a batch at once."""

import json
from dataclasses import asdict, dataclass
from math import floor
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from shared.settings import Settings

_WAIT_S = 2


@dataclass(frozen=True)
class TopicLag:
    """One topic in one store: the sum of its positions, and how many records Kafka has beyond them."""

    store: str
    topic: str
    position: int
    behind: int


@dataclass(frozen=True)
class NewestTrade:
    """The newest trade of one exchange in one store, by our stamp of its arrival."""

    store: str
    exchange: str
    age_s: float


@dataclass(frozen=True)
class Success:
    """Batches that a store was given since it began, restarts included, and how many it acknowledged at the first try.

    A consumer that ended without giving up in good order counts as one batch that was not. `percent` is None before
    the first batch, and never rounded up to 100.
    """

    store: str
    batches: int
    first_try: int
    percent: float | None

    @classmethod
    def of(cls, store: str, acknowledged: int, unacknowledged: int) -> "Success":
        """From what the store counted."""
        batches = acknowledged + unacknowledged
        percent = floor(acknowledged * 100_000 / batches) / 1000 if batches else None
        return cls(store, batches, acknowledged, percent)


@dataclass(frozen=True)
class State:
    """What is shown."""

    lags: list[TopicLag]
    newest: list[NewestTrade]
    success: list[Success]


def status(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for programs.")] = False,
) -> None:
    """Show how far Redis and Postgres are behind Kafka, and how fresh each exchange's trades are there.

    Example: tapewatch status --json
    """
    import asyncio

    from shared import logs
    from shared.settings import load_settings

    in_force = load_settings()
    logs.configure(in_force.log.model_copy(update={"level": "error"}), "status")
    state = asyncio.run(_look(in_force))
    if as_json:
        typer.echo(json.dumps(asdict(state), indent=1))
    else:
        _show(state)


async def _look(in_force: "Settings") -> State:
    from services.cli.stores import TOPICS_OF_SINK, Stores, told
    from shared.clock import now_us
    from shared.kafka import wait_until_reachable
    from shared.topic_ids import wait_for_topic_ids
    from shared.topics import TOPICS

    await wait_until_reachable(in_force.kafka, min(_WAIT_S, in_force.start.wait_s))
    await wait_for_topic_ids(in_force.kafka, TOPICS, 0)
    with told():
        async with Stores.connect(in_force) as stores:
            progress = await stores.progress()
            newest = await stores.newest_received_us()
            batches = await stores.batches()
    lags = [
        TopicLag(sink, topic.name, progress.position(sink, topic), progress.behind(sink, topic))
        for sink, topics in TOPICS_OF_SINK.items()
        for topic in topics
    ]
    now = now_us()
    ages = [
        NewestTrade(store, exchange, round((now - received_at_us) / 1_000_000, 3))
        for (store, exchange), received_at_us in sorted(newest.items())
    ]
    success = [Success.of(store, found.acknowledged, found.unacknowledged) for store, found in batches.items()]
    return State(lags, ages, success)


def _show(state: State) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        for lag in state.lags:
            typer.echo(f"{lag.store}\t{lag.topic}\tat {lag.position}\t{lag.behind} behind")
        for newest in state.newest:
            typer.echo(f"{newest.store}\t{newest.exchange}\tnewest trade {newest.age_s} s old")
        for one in state.success:
            typer.echo(f"{one.store}\t{one.batches} batches\t{_percent(one)} acknowledged at the first try")
        return
    table = Table("store", "topic", "position", "behind", box=None)
    for lag in state.lags:
        table.add_row(
            lag.store, lag.topic, f"{lag.position:,}", f"{lag.behind:,}", style="yellow" if lag.behind else ""
        )
    console.print(table)
    for newest in state.newest:
        console.print(f"{newest.store}: newest trade of {newest.exchange} came in {newest.age_s:.1f} s ago")
    for one in state.success:
        style = "yellow" if one.percent is not None and one.percent < 100 else ""
        console.print(
            f"{one.store}: {_percent(one)} of {one.batches:,} batches acknowledged at the first try", style=style
        )


def _percent(one: Success) -> str:
    return "-" if one.percent is None else f"{one.percent:g} %"
