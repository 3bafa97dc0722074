"""Times when nobody watched, the host off, asleep, or started anew, when it was silent, or when a part ended and was
back at once: those of one night are one story. Pure."""

from dataclasses import dataclass

NIGHT_US = 12 * 3_600_000_000
"""An absence that ends so long after the first one of a story begins another."""


@dataclass(frozen=True)
class Absences:
    """Absences that people hear of in one thread: how many, since when, and when the last one was over."""

    count: int = 0
    first_at_us: int = 0
    last_at_us: int = 0

    def and_one(self, now_us: int) -> "Absences":
        """With another that is told now; alone when the first of the others lies too far back."""
        if self.count == 0 or now_us - self.first_at_us > NIGHT_US:
            return Absences(1, now_us, now_us)
        return Absences(self.count + 1, self.first_at_us, now_us)
