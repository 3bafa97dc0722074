"""Real servers of this machine and the real services under a supervisor, for what measures more than one process."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from devstack.stack import Options, ServerAddresses, Stack
from services.cli.demo.database import bring_up_to_date
from services.cli.demo.services import Service, journal
from services.cli.demo.supervision import Supervisor, cpu_seconds
from services.reconcile.latency import JournalLine, Partition, WrittenAt, read_journal
from shared.kafka import create_topics, wait_until_reachable
from shared.settings import Settings, load_settings

SINKS = ("redis", "postgres")
CONSUMERS = tuple(Service(f"consumer-{sink}", ("consumer", sink)) for sink in SINKS)
SERVERS = Options(kafka_heap_mb=1024, lives_long=True)
"""A broker as it runs for months: with the heap that Kafka's own start script gives it, and compiled well."""

_POLL_S = 0.02
_PATIENCE_S = 300.0


class Journals:
    """The batch journals of both sinks, read on as they grow."""

    def __init__(self, directory: Path) -> None:
        self._files = {sink: journal(directory, sink) for sink in SINKS}
        self._read = dict.fromkeys(SINKS, 0)
        self.lines: dict[str, list[JournalLine]] = {sink: [] for sink in SINKS}

    def upto(self, sink: str) -> dict[Partition, int]:
        """The offset that comes next, by partition, once everything new is read."""
        self._read_on(sink)
        return {(topic, partition): upto for line in self.lines[sink] for topic, partition, _, upto in line.slices}

    def written_at(self, sink: str) -> WrittenAt:
        """When the sink had each offset."""
        self._read_on(sink)
        return WrittenAt(self.lines[sink])

    def stored(self, sink: str) -> int:
        """How many records the sink has taken, in a log that begins at 0."""
        return sum(self.upto(sink).values())

    def done_at_us(self, sink: str) -> int:
        """When the newest batch was acknowledged."""
        return self.lines[sink][-1].done_at_us

    async def until(self, ends: dict[Partition, int], sinks: Sequence[str] = SINKS) -> None:
        """Wait until these sinks have everything before `ends`."""
        for sink in sinks:
            await until(lambda sink=sink: all(self.upto(sink).get(p, 0) >= end for p, end in ends.items()))  # type: ignore[misc]

    def _read_on(self, sink: str) -> None:
        if not self._files[sink].exists():
            return
        with self._files[sink].open("rb") as file:
            file.seek(self._read[sink])
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._read[sink] += len(whole)
        self.lines[sink] += read_journal(whole.splitlines(keepends=True)).get(sink, [])


@dataclass
class Rig:
    """What runs."""

    stack: Stack
    directory: Path
    settings: Settings
    supervisor: Supervisor
    journals: Journals

    async def pids(self) -> dict[str, int]:
        """Process ids of the services that run."""
        return {process.name: process.pid for process in await self.supervisor.processes() if process.pid}


@asynccontextmanager
async def rig(
    services: Sequence[Service] = CONSUMERS, *, servers: Options = SERVERS, **told: str
) -> AsyncIterator[Rig]:
    """Servers with topics and tables, and `services` over them, told the settings `told`; all of it temporary."""
    async with Stack(given=ServerAddresses(), options=servers) as stack:
        directory = stack.root / "services"
        directory.mkdir(mode=0o700)
        own = {name: value for name, value in os.environ.items() if not name.startswith("TAPEWATCH_")}
        environment = own | stack.environment() | told
        settings = load_settings(environment)
        await wait_until_reachable(settings.kafka, 60)
        await create_topics(settings.kafka)
        await asyncio.to_thread(bring_up_to_date, settings.postgres)
        journaled = [_with_journal(service, directory) for service in services]
        supervisor = Supervisor(directory, journaled, environment)
        try:
            await supervisor.start()
            yield Rig(stack, directory, settings, supervisor, Journals(directory))
        finally:
            await supervisor.close()


def _with_journal(service: Service, directory: Path) -> Service:
    if service.arguments[0] != "consumer":
        return service
    file = journal(directory, service.arguments[1])
    return Service(service.name, service.arguments, {"TAPEWATCH_LOG__BATCH_JOURNAL": str(file)})


def cpu_s(pid: int) -> float:
    """Processor time of a process and all that it started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return (cpu_seconds(pid) or 0.0) + sum(cpu_s(int(child)) for child in children)


async def until(holds: Callable[[], bool], patience_s: float = _PATIENCE_S) -> None:
    """Wait until something holds. Raises TimeoutError."""
    until_s = monotonic() + patience_s
    while not holds():
        if monotonic() > until_s:
            raise TimeoutError(f"it did not come true within {patience_s:g} s")
        await asyncio.sleep(_POLL_S)
