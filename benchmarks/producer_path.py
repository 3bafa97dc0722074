"""Socket to acknowledged Kafka record: µs of the producer's cpu a message. `python -m benchmarks.producer_path`.

A real Kafka, a feed and a publisher as the service wires them, one connection with trades of 40 symbols; the exchange
is a process of its own. Flooded: as fast as it is read. Paced: 5,000 and 500 messages a second.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from benchmarks.exchange_flood import symbols
from devstack.stack import ServerAddresses, Stack
from services.producer.exchanges import ADAPTERS
from services.producer.exchanges.base import AdapterOptions, Listing, Stream
from services.producer.feed import Feed
from services.producer.plan import Connection
from services.producer.publisher import Publisher
from services.producer.session import Means
from services.producer.tokens import Budget
from shared import metrics
from shared.clock import now_us
from shared.kafka import create_topics, make_producer, wait_until_reachable
from shared.settings import KafkaSettings
from shared.topics import TRADES

SYMBOLS = 40
FLUSH_MS = 5


@dataclass
class Run:
    """One measured run."""

    name: str
    count: int
    rate: int
    bar_us: float | None
    cpu_us: float = 0.0
    seconds: float = 0.0


async def _measure(run: Run, kafka: KafkaSettings) -> None:
    names = symbols(SYMBOLS)
    command = [sys.executable, "-m", "benchmarks.exchange_flood", str(run.count), str(SYMBOLS), str(run.rate)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as exchange:  # noqa: ASYNC220  # nothing else runs yet
        assert exchange.stdout is not None
        url = f"ws://127.0.0.1:{int(exchange.stdout.readline())}"
        adapter = ADAPTERS["binance"](AdapterOptions(url, {name: Listing(name, name[:-4], "USDT") for name in names}))
        publisher = Publisher(
            lambda: make_producer(kafka, "benchmark", max_batch_size=256 << 10, compression_type="snappy"),
            "binance",
            FLUSH_MS,
            now_us,
        )
        work = Connection("benchmark", "binance", tuple(Stream("trade", name) for name in names))
        feed = Feed(work, Means(adapter, publisher, now_us, time.monotonic, Budget([])), {}, 0)
        acknowledged = metrics.EVENTS_PUBLISHED.labels(TRADES.name)
        before = _value(acknowledged)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(publisher.run()), group.create_task(feed.run())]
            await _until(lambda: _value(acknowledged) - before >= 100)  # connected, and Kafka's client is warm
            began, began_s, cpu_s = _value(acknowledged), time.perf_counter(), time.process_time()
            await _until(lambda: _value(acknowledged) - before >= run.count)
            done = _value(acknowledged) - began
            run.cpu_us = (time.process_time() - cpu_s) / done * 1e6
            run.seconds = (time.perf_counter() - began_s) * run.count / done
            for task in tasks:
                task.cancel()


async def _until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110  # an event for every batch would be measured too
        await asyncio.sleep(0.05)


def _value(counter: object) -> int:
    return int(counter._value.get())  # type: ignore[attr-defined]


def main() -> int:
    """Print the table; 1 when a bar is missed."""
    runs = [Run("flooded", 600_000, 0, 9.0), Run("5,000/s", 40_000, 5000, 45.0), Run("500/s", 4_000, 500, 200.0)]
    with Stack(given=ServerAddresses(postgres="-", redis="-")) as stack:
        kafka = KafkaSettings(bootstrap_servers=stack.kafka_bootstrap_servers)
        asyncio.run(wait_until_reachable(kafka, 60))
        asyncio.run(create_topics(kafka))
        for run in runs:
            asyncio.run(_measure(run, kafka))
    table = Table("producer, socket to acknowledged", "messages/s", "cpu µs a message", "bar", "")
    for run in runs:
        held = "held" if run.bar_us is None or run.cpu_us <= run.bar_us else "MISSED"
        table.add_row(run.name, f"{run.count / run.seconds:,.0f}", f"{run.cpu_us:.1f}", f"{run.bar_us}", held)
    Console(width=100).print(table)
    return int(any(run.bar_us is not None and run.cpu_us > run.bar_us for run in runs))


if __name__ == "__main__":
    sys.exit(main())
