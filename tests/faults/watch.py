"""Memory and open files of the services, looked at while faults strike."""

import asyncio
from pathlib import Path

from services.cli.demo.supervision import resident_mb
from tests.faults.processes import Processes

_EVERY_S = 0.3


class Watch:
    """Run `run` beside everything else."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._peak_mb: dict[str, float] = {}

    async def run(self) -> None:
        """Look again and again."""
        while True:
            for name, pid in (await self._processes.pids()).items():
                size_mb = resident_mb(pid)
                if size_mb is not None:
                    self._peak_mb[name] = max(size_mb, self._peak_mb.get(name, 0.0))
            await asyncio.sleep(_EVERY_S)

    def peaks(self) -> dict[str, float]:
        """The most memory of each service since the last call."""
        found, self._peak_mb = self._peak_mb, {}
        return found

    async def sizes(self) -> dict[str, float]:
        """Memory in MB of each service now."""
        sizes = {name: resident_mb(pid) for name, pid in (await self._processes.pids()).items()}
        return {name: size_mb for name, size_mb in sizes.items() if size_mb}

    async def open_files(self) -> dict[str, int]:
        """Descriptors that each service has open now."""
        counts = {name: count_open_files(pid) for name, pid in (await self._processes.pids()).items()}
        return {name: count for name, count in counts.items() if count}


def count_open_files(pid: int) -> int:
    """Descriptors of a process; 0 when it is gone."""
    try:
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except FileNotFoundError:
        return 0


def family(pid: int) -> list[int]:
    """A process and all that it started, and they."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except FileNotFoundError:
        return []
    return [pid, *(one for child in children for one in family(int(child)))]


def proportional_mb(pid: int) -> float:
    """Memory of a process in MB, of pages that n processes share an nth; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("Pss:"))
