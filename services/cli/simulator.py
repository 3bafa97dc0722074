"""`tapewatch simulator`: the simulated exchanges and Slack alone."""

from pathlib import Path
from typing import Annotated

import typer


def simulator(  # noqa: PLR0913, PLR0917  # one parameter a flag
    scenario: Annotated[str, typer.Option(help="What happens in the synthetic market.")] = "flash-crash",
    recordings: Annotated[
        list[Path] | None,
        typer.Option(help="Play recorded frames instead, e.g. …/ws/upbit/20210405_simple. Repeatable."),
    ] = None,
    speed: Annotated[float, typer.Option(min=0.01, max=1000, help="How fast recordings are played.")] = 1.0,
    rate: Annotated[float, typer.Option(min=1, max=50_000, help="Messages a second of the synthetic market.")] = 300.0,
    symbols: Annotated[int, typer.Option(min=1, max=1_500, help="Coins, each on both exchanges.")] = 10,
    seed: Annotated[int | None, typer.Option(help="Makes the market repeatable; drawn and logged if absent.")] = None,
    truth: Annotated[Path | None, typer.Option(help="Where to write what was published, as JSON lines.")] = None,
    expect: Annotated[
        int, typer.Option(min=0, help="Open the market once so many (channel, symbol) are subscribed; 0 at once.")
    ] = 1,
    listen: Annotated[str, typer.Option(help="The address, or this machine's own name, to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="One port for everything; 0 a free one.")] = 0,
    slack_channel: Annotated[
        list[str] | None, typer.Option(help="A channel of the simulated Slack. Repeatable.")
    ] = None,
    upbit_idle_seconds: Annotated[float, typer.Option(min=0.1, help="Upbit drops who is idle for so long.")] = 60.0,
    binance_ping_seconds: Annotated[float, typer.Option(min=0.1, help="Binance pings this often.")] = 20.0,
    binance_lifetime_seconds: Annotated[
        float, typer.Option(min=0.1, help="Binance hangs up after so long.")
    ] = 86_400.0,
) -> None:
    """Run the simulated Upbit, Binance and Slack; print one JSON line that says where they are.

    Example: tapewatch simulator --scenario calm --truth truth.jsonl
    """
    import random

    from services.simulator.app import SimulatorOptions, serve
    from services.simulator.binance.socket import BinanceLimits
    from services.simulator.upbit.socket import UpbitLimits
    from shared import lifecycle

    chosen_seed = random.randrange(1 << 31) if seed is None else seed
    options = SimulatorOptions(
        scenario=scenario,
        recordings=tuple(recordings or ()),
        speed=speed,
        rate=rate,
        seed=chosen_seed,
        symbols=symbols,
        truth=truth,
        expect=expect,
        listen=listen,
        port=port,
        slack_channels=tuple(slack_channel or ("tapewatch", "tapewatch-ops")),
        upbit_limits=UpbitLimits(idle_s=upbit_idle_seconds),
        binance_limits=BinanceLimits(
            ping_every_s=binance_ping_seconds,
            pong_within_s=3 * binance_ping_seconds,
            lifetime_s=binance_lifetime_seconds,
        ),
    )
    raise typer.Exit(lifecycle.run("simulator", lambda _, stop, liveness: serve(options, stop, liveness)))
