"""PostgreSQL on a disk of its own that fills up. Linux lets only root make one."""

import asyncio
import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from shared.errors import WrongUse
from tests.faults.fault import Fault, Struck

if TYPE_CHECKING:
    from tests.faults.world import World

_SIZE = "500m"
_BALLAST = "ballast"
_FULL_FOR_S = 8.0
_STEPS_BYTES = (1 << 20, 1 << 12)


@contextmanager
def small_disk(directory: Path) -> Iterator[None]:
    """A file system in memory at `directory`. Raises WrongUse without the right to make one."""
    if os.geteuid() != 0:
        raise WrongUse("a disk that fills up takes root: name the other faults by ONLY=, or run it as root")
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_SIZE},mode=755", "tmpfs", directory], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", directory], check=True)


async def postgres_disk_full(world: "World", _random: Random) -> Struck:
    """Not a byte is left for some seconds. PostgreSQL refuses rows, or ends for want of its log; then there is room."""
    ballast = world.postgres.recipe.root / _BALLAST
    log = world.directory / "consumer-postgres.log"
    said_before = log.stat().st_size
    await asyncio.to_thread(_fill, ballast)
    try:
        await asyncio.sleep(_FULL_FOR_S)
    finally:
        ballast.unlink()
    if not world.postgres.running:
        await asyncio.to_thread(world.postgres.start)
    said = log.read_bytes()[said_before:].decode(errors="replace")
    told = "No space left" in said or "disk" in said
    return Struck(broken=[] if told else ["the consumer did not say that the disk is full"])


def _fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file:
        for step in _STEPS_BYTES:
            try:
                while True:
                    file.write(bytes(step))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise


FAULTS = [
    Fault("F20", "postgres-disk-full", "not a byte for 8 s", postgres_disk_full, bound_s=8, stage="small disk"),
]
