"""Kafka to both stores at once: µs of cpu a trade, and trades a second. `python -m benchmarks.consumer_path [BACKLOG]`.

Kafka, PostgreSQL (synchronous_commit=on, numeric, candles kept) and Valkey share this machine's cores with both
consumers, which are the real processes. A backlog is published while they are frozen; then they drain it. Beside it
the same trades by way of the usual first attempt, which reads nothing from Kafka and keeps no position.
"""

import asyncio
import os
import signal
import sys
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from benchmarks.naive_sinks import Cost, postgres_executemany, redis_pipeline
from benchmarks.published import Market, publish, trade_ends
from benchmarks.rig import SINKS, Rig, cpu_s, rig
from shared.clock import now_us

WARM_UP = 20_000
BACKLOG = 400_000
NAIVE = 20_000
ROUNDS = 3
CPU_BAR_US = 15.0
RATE_BAR = 40_000.0


@dataclass(frozen=True)
class Drained:
    """What a trade cost each process in µs of cpu, and how many each sink took a second."""

    cpu_us: dict[str, float]
    rates: dict[str, float]

    @property
    def clients_us(self) -> float:
        """Both consumers added up."""
        return sum(self.cpu_us[f"consumer-{sink}"] for sink in SINKS)

    @property
    def rate(self) -> float:
        """Trades a second that both stores had."""
        return min(self.rates.values())


async def _drain(one: Rig, market: Market, count: int) -> Drained:
    consumers = await one.pids()
    watched = consumers | {server.name: server.pid for server in one.stack.servers}
    _signal(consumers, signal.SIGSTOP)
    await publish(one.settings.kafka, market, count)
    ends = await trade_ends(one.settings.kafka)
    before = {name: cpu_s(pid) for name, pid in watched.items()}
    began_us = now_us()
    _signal(consumers, signal.SIGCONT)
    await one.journals.until(ends)
    cpu_us = {name: (cpu_s(pid) - before[name]) / count * 1e6 for name, pid in watched.items()}
    return Drained(cpu_us, {sink: count / (one.journals.done_at_us(sink) - began_us) * 1e6 for sink in SINKS})


def _signal(pids: dict[str, int], number: signal.Signals) -> None:
    for pid in pids.values():
        os.kill(pid, number)


async def _measure(backlog: int) -> tuple[list[Drained], dict[str, Cost]]:
    async with rig() as one:
        market = Market(trades_per_s=20_000)
        await publish(one.settings.kafka, market, WARM_UP)
        await one.journals.until(await trade_ends(one.settings.kafka))
        runs = [await _drain(one, market, backlog) for _ in range(ROUNDS)]
        trades = market.trades(NAIVE)
        naive = {
            "redis": await redis_pipeline(one.settings, trades),
            "postgres": await postgres_executemany(one.settings, trades),
        }
        return runs, naive


def main(backlog: int) -> int:
    """Print the table; 1 when the bar of the cpu is missed."""
    runs, naive = asyncio.run(_measure(backlog))
    console = Console(width=110)
    table = Table(f"backlog of {backlog:,} trades", "redis", "postgres", "both", "at least", "")
    for number, run in enumerate(runs, start=1):
        cpu, rates = (run.cpu_us[f"consumer-{sink}"] for sink in SINKS), (run.rates[sink] for sink in SINKS)
        held = "held" if run.clients_us <= CPU_BAR_US else "missed"
        bar = f"{CPU_BAR_US:g}"
        table.add_row(f"{number}. cpu µs a trade", *map("{:.1f}".format, cpu), f"{run.clients_us:.1f}", bar, held)
        held = "held" if run.rate >= RATE_BAR else "missed"
        table.add_row("   trades/s", *map("{:,.0f}".format, rates), f"{run.rate:,.0f}", f"{RATE_BAR:,.0f}", held)
    first = [naive[sink] for sink in SINKS]
    total_us = sum(cost.cpu_us for cost in first)
    table.add_row("first attempt, cpu µs a trade", *(f"{cost.cpu_us:.1f}" for cost in first), f"{total_us:.1f}", "", "")
    table.add_row("first attempt, trades/s, each alone", *(f"{cost.trades_per_s:,.0f}" for cost in first), "", "", "")
    console.print(table)
    best = min(runs, key=lambda run: run.clients_us)
    servers = ", ".join(f"{name} {us:.1f}" for name, us in best.cpu_us.items() if not name.startswith("consumer-"))
    console.print(
        f"Servers, cpu µs a trade: {servers}. Clients {total_us / best.clients_us:.1f} x below the first attempt."
    )
    return int(best.clients_us > CPU_BAR_US)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else BACKLOG))
