"""Whether memory and open files stay as they are in the calm: a slope, and how much of it may be noise. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.soak.record import Calm
from tests.soak.slope import slope

MOST_GROWTH_MB_PER_H = 1.0
MOST_MORE_FILES_PER_H = 1.0
_HOUR_S = 3_600.0


@dataclass(frozen=True)
class Trend:
    """One process in the calm. `noise_mb_per_h`: so wrong its slope may be either way."""

    name: str
    first_mb: float
    last_mb: float
    mb_per_h: float
    noise_mb_per_h: float
    first_files: int
    last_files: int
    files_per_h: float

    @property
    def grows(self) -> bool:
        """Whether its memory grows faster than it may, and it is not noise that says so."""
        return self.mb_per_h - self.noise_mb_per_h >= MOST_GROWTH_MB_PER_H

    @property
    def is_flat(self) -> bool:
        """Whether its memory grows more slowly than it may, whatever the noise is."""
        return self.mb_per_h + self.noise_mb_per_h < MOST_GROWTH_MB_PER_H

    @property
    def leaves_files_open(self) -> bool:
        """Whether it has ever more files open."""
        return self.files_per_h >= MOST_MORE_FILES_PER_H


def trends(calm: Calm) -> Iterator[Trend]:
    """Of every process that was there all the time, by name."""
    first, last = calm.looks[0], calm.looks[-1]
    for name in sorted(name for name in first.memory_mb if all(name in look.memory_mb for look in calm.looks)):
        memory = [(look.at_s / _HOUR_S, look.memory_mb[name]) for look in calm.looks]
        files = [(look.at_s / _HOUR_S, float(look.open_files.get(name, 0))) for look in calm.looks]
        mb_per_h = slope(memory)
        yield Trend(
            name,
            first.memory_mb[name],
            last.memory_mb[name],
            mb_per_h,
            _noise(memory, mb_per_h),
            first.open_files.get(name, 0),
            last.open_files.get(name, 0),
            slope(files),
        )


def _noise(points: Sequence[tuple[float, float]], slope_of_all: float) -> float:
    """What the points' scatter about the slope's line would be as a slope: that of the middle 80 %, over all the time.

    Looks that follow each other are alike, so that their number makes nothing more certain.
    """
    apart = sorted(y - slope_of_all * x for x, y in points)
    tenth = len(apart) // 10
    return (apart[-1 - tenth] - apart[tenth]) / max(1e-9, points[-1][0] - points[0][0])
