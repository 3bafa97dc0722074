"""Both stores are away for a minute at 5,000 trades a second: seconds until each is live again. `… [SECONDS]`.

Away means killed with -9 and started again; the market goes on meanwhile and after. Live means that a store lacks less
than a fifth of a second's trades.
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

AWAY_S = 60
RATE = 5_000
BAR_S = 10
_LIVE_RECORDS = RATE // 5
_PATIENCE_S = 120


async def _measure(exchange: Flood, away_s: int) -> dict[str, tuple[int, float]]:
    """Records that each sink lacked when its store was back, and seconds until it was live."""
    async with rig((PRODUCER, *CONSUMERS), **exchange.settings) as one:
        for sink in SINKS:
            await until(lambda sink=sink: one.journals.stored(sink) > RATE)  # type: ignore[misc]
        servers = [server for server in (one.stack.redis, one.stack.postgres) if server]
        for server in servers:
            server.kill()
            await asyncio.to_thread(server.wait)
        await asyncio.sleep(away_s)
        await asyncio.gather(*(asyncio.to_thread(server.start) for server in servers))
        return await _until_live(one)


async def _until_live(one: Rig) -> dict[str, tuple[int, float]]:
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    lacked = {sink: await _lacks(one, sink) for sink in SINKS}
    live: dict[str, tuple[int, float]] = {}
    while len(live) < len(SINKS):
        for sink in [sink for sink in SINKS if sink not in live]:
            if await _lacks(one, sink) < _LIVE_RECORDS:
                live[sink] = lacked[sink], loop.time() - began_s
        if loop.time() - began_s > _PATIENCE_S:
            raise TimeoutError(f"not live within {_PATIENCE_S} s: {SINKS - live.keys()}")
        await asyncio.sleep(0.05)
    return live


async def _lacks(one: Rig, sink: str) -> int:
    ends = await trade_ends(one.settings.kafka)
    upto = one.journals.upto(sink)
    return sum(end - upto.get(place, 0) for place, end in ends.items())


def main(away_s: int) -> int:
    """Print the table; 1 when the bar is missed."""
    count = RATE * (away_s + 90)
    with TemporaryDirectory() as directory, flood(count, RATE, Path(directory) / "truth") as exchange:
        found = asyncio.run(_measure(exchange, away_s))
    table = Table("store", f"lacked after {away_s} s", "live after s", "bar")
    for sink, (lacked, seconds) in found.items():
        table.add_row(sink, f"{lacked:,}", f"{seconds:.1f}", str(BAR_S))
    Console(width=100).print(table)
    return int(any(seconds > BAR_S for _, seconds in found.values()))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else AWAY_S))
