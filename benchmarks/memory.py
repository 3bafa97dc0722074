"""Memory, cpu and disk of all services with every market of both exchanges. `python -m benchmarks.memory [RATE]`.

The whole set under its supervisor, real servers, the simulated exchanges with 1,100 markets each (together as many as
both exchanges list), every trade and ticker and the twenty busiest order books of each. RATE messages a second (1,450)
for a minute; a third are books that nobody reads, so that each producer hears about 500. Resident memory is the most
that was seen; a server's is what its processes do not share, and their share of the rest.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import urlopen

import asyncpg
from rich.console import Console
from rich.table import Table

from benchmarks.rig import CONSUMERS, Rig, cpu_s, rig
from devstack.ports import Port
from devstack.stack import Options
from services.cli.demo.options import DemoOptions
from services.cli.demo.services import Service
from services.cli.demo.simulated import Simulated
from services.cli.demo.supervision import resident_mb

COINS = 1_100
"""Each on both exchanges: 2,200 markets, as 700 of Upbit and 1,500 of Binance."""
BOOKS = 20
SETTLE_S, MEASURE_S = 20, 60
_SUBSCRIBED_WITHIN_S = 90.0
MOST_MB, MOST_CPU, CPU_AT = 600, 0.10, 500
_DAY_S = 86_400


@dataclass
class Figures:
    """What was seen: MB at most by service, cores taken, frames a second of producers; MB of servers, bytes a day."""

    mb: dict[str, float] = field(default_factory=dict)
    cores: dict[str, float] = field(default_factory=dict)
    frames_per_s: dict[str, float] = field(default_factory=dict)
    servers_mb: dict[str, float] = field(default_factory=dict)
    servers_cores: dict[str, float] = field(default_factory=dict)
    bytes_a_day: dict[str, float] = field(default_factory=dict)


def services(directory: Path) -> tuple[list[Service], dict[str, int]]:
    """All of them with health pages, which the watchdog asks; and where each page is."""
    own = [
        *(Service(f"producer-{one}", ("producer", one), _state(directory, one)) for one in ("upbit", "binance")),
        *CONSUMERS,
        Service("alert-worker", ("alert-worker",), _state(directory, "alert-worker")),
    ]
    pages = {one.name: Port().pick("a health page") for one in own}
    paged = [
        Service(one.name, one.arguments, {**one.environment, "TAPEWATCH_METRICS__PORT": str(pages[one.name])})
        for one in own
    ]
    probes = ",".join(f"{name}=http://127.0.0.1:{port}" for name, port in pages.items())
    watching = {**_state(directory, "watchdog"), "TAPEWATCH_WATCHDOG__PROBES": probes}
    return [*paged, Service("watchdog", ("watchdog",), watching)], pages


def _state(directory: Path, name: str) -> dict[str, str]:
    (directory / name).mkdir()
    return {"TAPEWATCH_STATE__DIRECTORY": str(directory / name)}


@asynccontextmanager
async def market(directory: Path, rate: int) -> AsyncIterator[Simulated]:
    """The simulated exchanges, still closed."""
    simulated = Simulated(directory)
    try:
        await simulated.start(DemoOptions(scenario="calm", rate=float(rate), symbols=COINS, seed=7))
        yield simulated
    finally:
        await simulated.close()


async def measure(rate: int) -> Figures:
    """Run everything; what was seen."""
    with TemporaryDirectory() as scratch:
        directory = Path(scratch)
        wanted, pages = services(directory)
        async with market(directory, rate) as simulated, rig(wanted, servers=Options(), **_told(simulated)) as one:
            async with asyncio.timeout(_SUBSCRIBED_WITHIN_S):
                while (await simulated.status())["subscriptions"] < 2 * (2 * COINS + BOOKS):  # noqa: ASYNC110
                    await asyncio.sleep(0.2)  # in another process
            await simulated.open_market()
            await asyncio.sleep(SETTLE_S)
            return await _look(one, pages)


def _told(simulated: Simulated) -> dict[str, str]:
    at = simulated.addresses
    addresses = {
        f"TAPEWATCH_{exchange}__{kind}_URL": at[f"{exchange}_{kind}_url".lower()]
        for exchange in ("UPBIT", "BINANCE")
        for kind in ("WEBSOCKET", "REST")
    }
    return addresses | {
        "TAPEWATCH_UPBIT__SYMBOLS": "quote:KRW",
        "TAPEWATCH_BINANCE__SYMBOLS": "quote:USDT",
        "TAPEWATCH_SLACK__API_URL": at["slack_api_url"],
        "TAPEWATCH_SLACK__BOT_TOKEN": "xoxb-simulated",
    }


async def _look(one: Rig, pages: dict[str, int]) -> Figures:
    found, pids = Figures(), await one.pids()
    servers = {server.name: server.pid for server in one.stack.servers if server.pid}
    names = {**pids, **servers}
    before = {name: cpu_s(pid) for name, pid in names.items()}
    frames = {name: _frames(pages[name]) for name in pages if name.startswith("producer-")}
    held, began_s = await _held(one), asyncio.get_running_loop().time()
    while (passed_s := asyncio.get_running_loop().time() - began_s) < MEASURE_S:
        for name, pid in pids.items():
            family = sum(resident_mb(each) or 0.0 for each in _family(pid))
            found.mb[name] = max(found.mb.get(name, 0.0), family)
        await asyncio.sleep(1)
    cores = {name: (cpu_s(pid) - before[name]) / passed_s for name, pid in names.items()}
    found.cores = {name: cores[name] for name in pids}
    found.servers_cores = {name: cores[name] for name in servers}
    found.frames_per_s = {name: (_frames(pages[name]) - count) / passed_s for name, count in frames.items()}
    found.servers_mb = {name: sum(map(_share_mb, _family(pid))) for name, pid in servers.items()}
    found.bytes_a_day = {name: (now - held[name]) / passed_s * _DAY_S for name, now in (await _held(one)).items()}
    return found


async def _held(one: Rig) -> dict[str, int]:
    """Bytes that each server holds on disk. Redis holds so much a market and no more: see `redis_memory`."""
    connection = await asyncpg.connect(one.settings.postgres.dsn.get_secret_value())
    rows = await connection.fetchval("SELECT pg_database_size(current_database())")
    await connection.close()
    logs = (one.stack.root / "kafka" / "data").rglob("tape.*/*.log")
    return {"Kafka": sum(log.stat().st_size for log in logs), "PostgreSQL": rows}


def _frames(port: int) -> float:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:
        lines = page.read().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("tapewatch_frames_received_total"))


def _family(pid: int) -> Iterator[int]:
    yield pid
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split():
        yield from _family(int(child))


def _share_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024 / 1e6


def show(found: Figures, rate: int) -> bool:
    """Print the tables; whether the bars are held."""
    table = Table("service", "MB at most", "% of a core", "frames/s", "% at 500/s", title=_title(rate))
    at_500 = {name: found.cores[name] * CPU_AT / per_s for name, per_s in found.frames_per_s.items() if per_s}
    for name, mb in found.mb.items():
        per_s, scaled = found.frames_per_s.get(name), at_500.get(name)
        table.add_row(
            name, f"{mb:.0f}", f"{100 * found.cores[name]:.1f}",
            "" if per_s is None else f"{per_s:.0f}", "" if scaled is None else f"{100 * scaled:.1f}",
        )  # fmt: skip
    total, cores = sum(found.mb.values()), sum(found.cores.values())
    table.add_row("all services", f"{total:.0f} of {MOST_MB}", f"{100 * cores:.1f}", "", "", style="bold")
    servers = Table("server", "MB", "% of a core", "GB of disk a day")
    for name, mb in found.servers_mb.items():
        key = next((key for key in found.bytes_a_day if key in name), name)
        a_day = found.bytes_a_day.get(key)
        servers.add_row(
            name, f"{mb:.0f}", f"{100 * found.servers_cores[name]:.1f}", "" if a_day is None else f"{a_day / 1e9:.1f}"
        )
    console = Console(width=100)
    console.print(table)
    console.print(servers)
    return total <= MOST_MB and all(share <= MOST_CPU for share in at_500.values())


def _title(rate: int) -> str:
    return f"{2 * COINS:,} markets, {rate} messages/s"


def main(rate: int = 1_450) -> int:
    """Print the tables; 1 when a bar is missed."""
    return int(not show(asyncio.run(measure(rate)), rate))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:2])))
