"""Memory of producer and consumers while an exchange floods them. `python -m benchmarks.overload [SECONDS]`.

The exchange sends as fast as it is read: the socket holds it back, and the consumers may fall behind in Kafka. What
Kafka took must be in both stores at the end, and no process may grow.
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
    """Megabytes second by second, trades in Kafka at the end of it, and the most that a store was behind."""
    async with rig((PRODUCER, *CONSUMERS), **exchange.settings) as one:
        await until(lambda: all(one.journals.upto(sink) for sink in SINKS))
        sizes = await _sizes(one, seconds)
        await one.supervisor.stop([PRODUCER.name])
        ends = await trade_ends(one.settings.kafka)
        published = sum(ends.values())
        behind = published - min(map(one.journals.stored, SINKS))
        await one.journals.until(ends)
        return sizes, published, behind


def main(seconds: int) -> int:
    """Print the table; 1 when a process grew or is too large."""
    with TemporaryDirectory() as directory, flood(TRADES, 0, Path(directory) / "truth") as exchange:
        sizes, published, behind = asyncio.run(_measure(exchange, seconds))
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
    console.print(f"{published:,} trades, {behind:,} of them not in a store at the end of it, all of them later.")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else SECONDS))
