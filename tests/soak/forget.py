"""Keeps a soak bounded: after each count, what was counted is forgotten, but for the calm at its end.

That calm is counted once more with the next period: after a kill, exchanges repeat what they said last, and a count
must know it.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import msgspec
from msgspec import Struct

# Candles are compared by the trades of their minute, so those stay for some minutes.
_ROWS_STAY = timedelta(minutes=10)
_OLD_ROWS = "DELETE FROM trade WHERE traded_at < $1"


class _Line(Struct):
    published_at_us: int


def forget_lines(truth: Path, before_us: int) -> int:
    """Cut off what was published before; how many lines stay. Nothing may be written to the log meanwhile."""
    kept = lines_since(truth.read_bytes().splitlines(keepends=True), before_us)
    truth.write_bytes(b"".join(kept))  # the same file: its writer appends
    return len(kept)


def lines_since(lines: list[bytes], since_us: int) -> list[bytes]:
    """The lines published at `since_us` or later."""
    decoder = msgspec.json.Decoder(_Line)
    return [line for line in lines if decoder.decode(line).published_at_us >= since_us]


async def forget_rows(dsn: str, before_us: int) -> None:
    """Delete trades that no later count looks at."""
    before = datetime.fromtimestamp(before_us / 1e6, UTC) - _ROWS_STAY
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(_OLD_ROWS, before)
    finally:
        await connection.close()
