"""Memory of producer and consumers while an exchange floods them. `python -m benchmarks.overload [SECONDS]`.

The exchange sends as fast as it is read: the socket holds it back, and the consumers may fall behind in Kafka. It is
an overload once ten times of what a busy market has came to Kafka each second. What Kafka took must be in both stores
at the end, and no process may grow.
"""

import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from benchmarks.flooded import PRODUCER, Flood, flood
from benchmarks.published import trade_ends
from benchmarks.rig import CONSUMERS, SINKS, Rig, rig, until
from services.cli.demo.supervision import resident_mb

SECONDS = 60
TRADES = 20_000_000
BAR_MB = 300.0
OVERLOAD_RATE = 50_000
"""Ten times the 5,000 trades a second that the whole is made for."""
FLAT = 1.1
"""The last third of the time may take so much of what the second third took."""


async def _sizes(one: Rig, seconds: int) -> dict[str, list[float]]:
    pids = await one.pids()
    sizes: dict[str, list[float]] = {name: [] for name in pids}
    for _ in range(seconds):
        await asyncio.sleep(1)
        for name, pid in pids.items():
            sizes[name].append(resident_mb(pid) or float("inf"))  # a process that ended did not hold
    return sizes


async def _measure(exchange: Flood, seconds: int) -> tuple[dict[str, list[float]], int, int]:
    """Megabytes second by second, trades that came to Kafka meanwhile, and how many a store lacked at the end of it."""
    async with rig((PRODUCER, *CONSUMERS), **exchange.settings) as one:
        await until(lambda: all(one.journals.upto(sink) for sink in SINKS))
        before = sum((await trade_ends(one.settings.kafka)).values())
        sizes = await _sizes(one, seconds)
        came = sum((await trade_ends(one.settings.kafka)).values()) - before
        await one.supervisor.stop([PRODUCER.name])
        ends = await trade_ends(one.settings.kafka)
        behind = sum(ends.values()) - min(map(one.journals.stored, SINKS))
        await one.journals.until(ends)
        return sizes, came, behind


def main(seconds: int) -> int:
    """Print the table; 1 when a process grew or is too large, or when it was no overload."""
    with TemporaryDirectory() as directory, flood(TRADES, 0, Path(directory) / "truth") as exchange:
        sizes, came, behind = asyncio.run(_measure(exchange, seconds))
    table = Table(f"flooded for {seconds} s", "MB at most", "bar", "second third", "last third", "")
    missed = False
    for name, every in sizes.items():
        third = len(every) // 3
        middle, last = max(every[third : 2 * third]), max(every[2 * third :])
        held = max(every) <= BAR_MB and last <= FLAT * middle
        missed = missed or not held
        cells = [f"{figure:.0f}" for figure in (max(every), BAR_MB, middle, last)]
        table.add_row(name, *cells, "held" if held else "missed")
    console = Console(width=100)
    console.print(table)
    console.print(
        f"{came:,} trades, {came / seconds:,.0f} a second; {behind:,} not in a store at its end, all of them later."
    )
    if came < OVERLOAD_RATE * seconds:
        console.print(f"missed: that is no overload, which begins at {OVERLOAD_RATE:,} a second")
        missed = True
    return int(missed)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else SECONDS))
