"""From kill -9 of a consumer to its next durable batch, in ms, its supervisor's pause included. `… [KILLS]`.

Both consumers in turn, under 500 trades a second, with all servers on this machine's cores.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from benchmarks.flooded import PRODUCER, Flood, flood
from benchmarks.rig import CONSUMERS, SINKS, Rig, rig, until
from services.reconcile.latency import percentiles
from shared.clock import now_us

KILLS = 200
RATE = 500
BAR_P99_MS = 1_000


async def _measure(exchange: Flood, kills: int) -> dict[str, list[int]]:
    """Microseconds of each recovery by sink."""
    random, found = Random(7), {sink: list[int]() for sink in SINKS}
    async with rig((PRODUCER, *CONSUMERS), **exchange.settings) as one:
        for sink in SINKS:
            await until(lambda sink=sink: bool(one.journals.upto(sink)))  # type: ignore[misc]
        for number in range(kills):
            await asyncio.sleep(random.uniform(0.2, 0.7))
            found[SINKS[number % 2]].append(await _recovery_us(one, SINKS[number % 2]))
    return found


async def _recovery_us(one: Rig, sink: str) -> int:
    pid = (await one.pids())[f"consumer-{sink}"]
    one.journals.upto(sink)
    killed_at_us = now_us()
    os.kill(pid, signal.SIGKILL)
    before = len(one.journals.lines[sink])

    def stored_again() -> bool:
        one.journals.upto(sink)
        return any(line.done_at_us > killed_at_us for line in one.journals.lines[sink][before:])

    await until(stored_again)
    return next(line.done_at_us for line in one.journals.lines[sink][before:] if line.done_at_us > killed_at_us) - (
        killed_at_us
    )


def main(kills: int) -> int:
    """Print the table; 1 when the bar is missed."""
    count = int(RATE * kills * 3) + RATE * 30
    with TemporaryDirectory() as directory, flood(count, RATE, Path(directory) / "truth") as exchange:
        found = asyncio.run(_measure(exchange, kills))
    table = Table("killed", "kills", "ms p50 / p99 / max", "bar of p99")
    missed = False
    for sink, values in found.items():
        if (one := percentiles(values)) is None:
            raise AssertionError(f"{sink} was never killed")
        missed = missed or one.p99 > BAR_P99_MS
        figures = f"{one.p50:,.0f} / {one.p99:,.0f} / {one.max:,.0f}"
        table.add_row(f"consumer-{sink}", str(len(values)), figures, f"{BAR_P99_MS:,}")
    Console(width=100).print(table)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else KILLS))
