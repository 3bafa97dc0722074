"""The flooding exchange as a process beside us, and a producer of ours that reads it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from services.cli.demo.services import Service

SYMBOLS = 40
PRODUCER = Service("producer", ("producer", "binance"))


@dataclass(frozen=True)
class Flood:
    """An exchange that waits for somebody to subscribe."""

    port: int
    truth: Path

    @property
    def settings(self) -> dict[str, str]:
        """What the producer is told, so that it reads this exchange."""
        return {
            "TAPEWATCH_BINANCE__WEBSOCKET_URL": f"ws://127.0.0.1:{self.port}",
            "TAPEWATCH_BINANCE__REST_URL": f"http://127.0.0.1:{self.port}",
            "TAPEWATCH_BINANCE__SYMBOLS": "quote:USDT",
            "TAPEWATCH_BINANCE__CHANNELS": "trade",
        }

    def published(self) -> dict[int, int]:
        """When each trade was published, in microseconds UTC, by its id. Complete once all are."""
        bursts = (map(int, line.split()) for line in self.truth.read_text(encoding="ascii").splitlines())
        return {number: at_us for first, upto, at_us in bursts for number in range(first, upto)}


@contextmanager
def flood(count: int, rate: int, truth: Path, move_every_s: float = 0) -> Iterator[Flood]:
    """An exchange with `count` trades at `rate` a second; 0: as fast as it is read. See `exchange_flood` for moves."""
    given = count, SYMBOLS, rate, truth, move_every_s
    command = [sys.executable, "-m", "benchmarks.exchange_flood", *map(str, given)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield Flood(int(process.stdout.readline()), truth)
        finally:
            process.kill()
