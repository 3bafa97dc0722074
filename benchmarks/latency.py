"""From published on the exchange to stored, in ms, at three rates. `python -m benchmarks.latency [RATE…]`.

The real producer and both real consumers with all servers on this machine's cores. The exchange is a process that does
nothing but send prepared frames over a WebSocket, so that making up a market takes none of the cores measured on.
"""

import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from aiokafka.structs import TopicPartition
from rich.console import Console
from rich.table import Table

from benchmarks.flooded import PRODUCER, Flood, flood
from benchmarks.rig import CONSUMERS, SINKS, Rig, cpu_s, rig, until
from services.reconcile.latency import Partition, Percentiles, latencies_us, percentiles
from shared.events import Trade
from shared.kafka import PartitionReader
from shared.settings import KafkaSettings
from shared.topics import TRADES
from shared.wire import decode

SECONDS = 20
WARM_UP_S = 60
"""A broker that has just been started compiles its code for so long."""
BARS_MS = {1_000: (10, 10), 5_000: (20, 25), 20_000: (40, 50)}


async def _places(kafka: KafkaSettings, count: int) -> dict[int, tuple[Partition, int]]:
    """Where each of `count` trades lies in Kafka, by its id."""
    reader = PartitionReader(kafka, "benchmark")
    partitions = [TopicPartition(TRADES.name, number) for number in range(TRADES.partitions)]
    await reader.start(dict.fromkeys(partitions, 0))
    places: dict[int, tuple[Partition, int]] = {}
    try:
        while len(places) < count:
            found = await reader.batch(10_000, 10_000)
            if not found:
                raise TimeoutError(f"Kafka has {len(places)} of {count} trades")
            for (topic, partition), records in found.items():
                for record in records:
                    places[int(decode(Trade, record.value).trade_id)] = ((topic, partition), record.offset)
    finally:
        await reader.close()
    return places


async def _measure(exchange: Flood, rate: int) -> tuple[dict[str, Percentiles | None], dict[str, float]]:
    count = rate * (WARM_UP_S + SECONDS)
    async with rig((PRODUCER, *CONSUMERS), **exchange.settings) as one:
        busy = await _busy(one, exchange, count)
        places = await _places(one.settings.kafka, count)
        published = exchange.published()
        since_us = published[0] + WARM_UP_S * 1_000_000
        heard = [(at_us, *places[number]) for number, at_us in published.items() if at_us >= since_us]
        written = {sink: one.journals.written_at(sink) for sink in SINKS}
        found = latencies_us(heard, written)
        missing = {sink: len(heard) - len(values) for sink, values in found.items() if len(values) != len(heard)}
        if missing:
            raise AssertionError(f"not in the stores' journals: {missing}")
        return {sink: percentiles(values) for sink, values in found.items()}, busy


async def _busy(one: Rig, exchange: Flood, count: int) -> dict[str, float]:
    """Wait until both stores have everything; the share of a core that each service took after the warm-up."""
    await until(lambda: bool(one.journals.upto("redis")))
    await asyncio.sleep(WARM_UP_S)
    pids = await one.pids()
    before = {name: cpu_s(pid) for name, pid in pids.items()}
    began_s = asyncio.get_running_loop().time()
    await asyncio.sleep(0.9 * SECONDS)
    passed_s = asyncio.get_running_loop().time() - began_s
    busy = {name: (cpu_s(pid) - before[name]) / passed_s for name, pid in pids.items()}
    for sink in SINKS:
        await until(lambda sink=sink: _trades(one, sink) >= count)  # type: ignore[misc]
    await until(lambda: exchange.truth.stat().st_size > 0)
    return busy


def _trades(one: Rig, sink: str) -> int:
    return sum(end for (topic, _), end in one.journals.upto(sink).items() if topic == TRADES.name)


def main(rates: list[int]) -> int:
    """Print the table; 1 when a bar is missed."""
    table = Table(
        "trades/s", "to Redis p50 / p99 / max", "bar", "to Postgres p50 / p99 / max", "bar", "", "cores taken"
    )
    missed = False
    with TemporaryDirectory() as directory:
        for rate in rates:
            with flood(rate * (WARM_UP_S + SECONDS), rate, Path(directory) / "truth") as exchange:
                found, busy = asyncio.run(_measure(exchange, rate))
            bars = BARS_MS.get(rate, (float("inf"),) * 2)
            figures = [found[sink] for sink in SINKS]
            held = all(one is not None and one.p99 <= bar for one, bar in zip(figures, bars, strict=True))
            missed = missed or not held
            cells = [cell for one, bar in zip(figures, bars, strict=True) for cell in (_text(one), f"{bar:g}")]
            cores = ", ".join(f"{name.removeprefix('consumer-')} {share:.2f}" for name, share in busy.items())
            table.add_row(f"{rate:,}", *cells, "held" if held else "missed", cores)
    Console(width=140).print(table)
    return int(missed)


def _text(found: Percentiles | None) -> str:
    return "-" if found is None else f"{found.p50:.1f} / {found.p99:.1f} / {found.max:.1f}"


if __name__ == "__main__":
    sys.exit(main([int(text) for text in sys.argv[1:]] or list(BARS_MS)))
