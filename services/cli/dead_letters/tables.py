"""Dead letters for people and for programs."""

from base64 import b64decode
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.cli.dead_letters.choice import Kept
from services.producer.exchanges.base import readable

_COLUMNS = ("number", "at (UTC)", "reader", "where", "bytes", "left out", "reason")


def as_json(kept: Kept, *, with_payload: bool = False) -> dict[str, Any]:
    """All fields of a letter under their names in the contract, and its number."""
    fields: dict[str, Any] = msgspec.to_builtins(kept.letter)
    if not with_payload:
        del fields["payload"]
    return {"number": kept.number, **fields}


def show_list(newest: Sequence[Kept], found: int) -> None:
    """A table on a terminal, else a line each with tabs."""
    console = Console()
    if console.is_terminal:
        table = Table(*_COLUMNS, box=box.SIMPLE_HEAD)
        for kept in newest:
            table.add_row(*(Text(cell) for cell in _cells(kept)))
        console.print(table)
    else:
        for kept in newest:
            print("\t".join(_cells(kept)))
    if found > len(newest) or console.is_terminal:
        Console(stderr=not console.is_terminal).print(f"{len(newest):,} of {found:,} dead letters", highlight=False)


def show_one(kept: Kept, most_bytes: int) -> None:
    """Every field, and the payload as text, or as hex where it is none."""
    letter = kept.letter
    payload = b64decode(letter.payload)
    for name, value in as_json(kept).items():
        if value is not None:
            print(f"{name:14} {value if name != 'at_us' else clock(letter.at_us)}")
    shown = payload[:most_bytes]
    try:
        text = readable(shown.decode(), most_bytes)
    except UnicodeDecodeError:
        text = shown.hex(" ")
    print(f"{'payload':14} {text}")
    if len(shown) < letter.payload_bytes:
        print(f"{'':14} … {len(shown):,} of {letter.payload_bytes:,} bytes; {len(payload):,} were kept")


def clock(at_us: int) -> str:
    """UTC to the millisecond."""
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def where(kept: Kept) -> str:
    """Its coordinates in Kafka, or the connection that it came over."""
    letter = kept.letter
    if letter.topic is not None:
        return f"{letter.topic}/{letter.partition}@{letter.offset}"
    return letter.connection or letter.exchange or ""


def _cells(kept: Kept) -> tuple[str, ...]:
    letter = kept.letter
    return (
        str(kept.number),
        clock(letter.at_us),
        letter.reader,
        where(kept),
        f"{letter.payload_bytes:,}",
        f"{letter.suppressed:,}" if letter.suppressed else "",
        readable(letter.reason, 200),
    )
