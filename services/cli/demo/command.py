"""The arguments of `tapewatch demo`."""

from pathlib import Path
from typing import Annotated

import typer


def demo(  # noqa: PLR0913, PLR0917  one parameter a flag
    seconds: Annotated[
        float | None, typer.Option(min=1, max=86_400, help="Stop the market after so many seconds, check, and end.")
    ] = None,
    scenario: Annotated[
        str, typer.Option(help="flash-crash (one market falls and recovers), calm, upbit-crash or market-crash.")
    ] = "flash-crash",
    recordings: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PREFIX", help="Play recorded frames instead, e.g. …/ws/upbit/20210405_simple. Repeatable."
        ),
    ] = None,
    speed: Annotated[float, typer.Option(min=0.01, max=1_000, help="How fast recordings are played.")] = 1.0,
    live: Annotated[
        bool, typer.Option("--live", help="The real exchanges instead; the stores are held against what was received.")
    ] = False,
    rate: Annotated[float, typer.Option(min=1, max=50_000, help="Messages a second of the synthetic market.")] = 500.0,
    symbols: Annotated[int, typer.Option(min=1, max=1_500, help="Coins, each on both exchanges.")] = 10,
    seed: Annotated[int | None, typer.Option(help="Makes the market repeatable.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write the report there, as JSON.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the data and the logs, and say where.")] = False,
    screenshot: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run the whole product on this machine, with simulated exchanges and a simulated Slack, and show it live.

    Real Kafka, PostgreSQL and Valkey are started for it, and every service as a process of its own. At the end, by
    --seconds or Ctrl-C, all that the exchanges published is compared with what Kafka, Redis and Postgres hold; the
    exit status is 1 if anything is lost, doubled, out of order or wrong.

    Example: tapewatch demo --seconds 20 --report report.json
    """
    from services.cli.demo.app import run
    from services.cli.demo.options import DemoOptions

    options = DemoOptions(
        seconds=seconds,
        scenario=scenario,
        recordings=tuple(recordings or ()),
        speed=speed,
        live=live,
        rate=rate,
        symbols=symbols,
        seed=seed,
        report=report,
        keep=keep,
        screenshot=screenshot,
    )
    raise typer.Exit(run(options))
