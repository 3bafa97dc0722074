"""Finds and reads the files of a recording: which channels there are, which are played, in which order."""

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.simulator.recordings.frames import Frame, read_frame
from shared.errors import WrongUse

_EXCHANGES = {"upbit": "upbit", "binance_spot": "binance"}
_REFUSED = {"binance_usdm": "futures", "bithumb_legacy": "Bithumb's old protocol"}
_SUFFIXES = (".jsonl.gz", ".jsonl")
# Streams of Binance that tapewatch does not read: changes to a book, best prices without a time, candles.
_SKIPPED_CHANNELS = ("depth_100ms", "depth_0ms", "bookTicker", "kline_1m", "status")
_EVEN_PACE_S = 0.01


@dataclass(slots=True)
class Recording:
    """The frames of one or more sets in the order in which they are played, and what is left out."""

    frames: list[Frame] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Line:
    seq: int
    received_s: float | None
    text: str


def read_recordings(prefixes: tuple[Path, ...]) -> Recording:
    """Read every set; each begins at 0 s. Raises WrongUse with one line for a set that cannot be played."""
    recording = Recording()
    for prefix in prefixes:
        _read_set(prefix, recording)
    if not recording.frames:
        raise WrongUse(f"--recordings: nothing in {', '.join(map(str, prefixes))} is of a channel that is played")
    recording.frames.sort(key=lambda frame: frame.due_s)
    return recording


def find_set(prefix: Path) -> tuple[str, list[Path]]:
    """A set's exchange and files. Raises WrongUse with one line where there is none."""
    exchange = _exchange_of(prefix)
    files = sorted(
        path
        for path in prefix.parent.glob(f"{prefix.name}*")
        if path.name.endswith(_SUFFIXES) and not path.name.endswith("_session.json")
    )
    if not files:
        raise WrongUse(f"--recordings {prefix}: no file begins like this")
    return exchange, files


def _read_set(prefix: Path, recording: Recording) -> None:
    exchange, files = find_set(prefix)
    played: list[_Line] = []
    for path in files:
        channel = next((c for c in _SKIPPED_CHANNELS if path.name.split(".")[0].endswith(f"_{c}")), None)
        if channel is None:
            played += _lines(path)
        else:
            recording.skipped[f"{exchange} {channel}"] += sum(1 for _ in _lines(path))
    _read_lines(exchange, played, recording)


def _exchange_of(prefix: Path) -> str:
    venue = prefix.parent.name
    if venue in _REFUSED:
        raise WrongUse(f"--recordings {prefix}: {_REFUSED[venue]} cannot be played, only Upbit and Binance spot")
    if venue not in _EXCHANGES:
        raise WrongUse(f"--recordings {prefix}: must lie in a folder named {' or '.join(_EXCHANGES)}")
    return _EXCHANGES[venue]


def _lines(path: Path) -> Iterator[_Line]:
    opener: Any = gzip.open if path.name.endswith(".gz") else open
    try:
        with opener(path, "rt", encoding="utf-8") as file:
            for line in file:
                row = json.loads(line)
                yield _Line(row["seq"], row["received_at"], row["frame"])
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise WrongUse(f"--recordings: cannot read {path}: {error}") from None


def _read_lines(exchange: str, lines: list[_Line], recording: Recording) -> None:
    """Merge one connection's channels: by receive time, and by place on the connection where times are equal."""
    timed = [line for line in lines if line.received_s is not None]
    first_s = min((line.received_s for line in timed if line.received_s is not None), default=0.0)
    lines.sort(key=lambda line: (line.received_s or 0.0, line.seq))
    frames = []
    for line in lines:
        frame = read_frame(exchange, line.text, (line.received_s or first_s) - first_s)
        if frame is None:
            recording.skipped[f"{exchange} other frames"] += 1
        else:
            frames.append(frame)
    recording.frames += frames if timed else _evenly(frames)


def _evenly(frames: list[Frame]) -> list[Frame]:
    """Where the source kept no receive time: the same distance everywhere, over the span of the frames' own times."""
    times = [frame.event_ms for frame in frames]
    span_s = (max(times) - min(times)) / 1000 if len(times) > 1 else 0.0
    step_s = span_s / (len(frames) - 1) if span_s else _EVEN_PACE_S
    return [
        Frame(f.key, f.data, f.fields, place * step_s, f.event_ms, f.trade, f.price) for place, f in enumerate(frames)
    ]
