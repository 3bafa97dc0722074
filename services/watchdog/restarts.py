"""Ends of a part that is back within seconds: those of one night are one story, told ever more rarely. Pure."""

from dataclasses import dataclass, field, replace

from services.watchdog.absences import NIGHT_US, Absences

RARE_US = 3_600_000_000
"""One that comes so long after the one before is told in any case; and so long there must be none before it is over."""


@dataclass(frozen=True)
class Restarts:
    """`all` of one night; of `said` people know."""

    all: Absences = field(default_factory=Absences)
    said: int = 0

    def and_one(self, now_us: int) -> tuple["Restarts", bool]:
        """With another one, and whether people are to hear of it: the number has doubled, or it was quiet before."""
        one_more = self.all.and_one(now_us)
        is_first, is_rare = one_more.count == 1, now_us - self.all.last_at_us >= RARE_US
        is_told = is_first or is_rare or one_more.count >= 2 * self.said
        return Restarts(one_more, one_more.count if is_told else self.said), is_told

    def is_over(self, now_us: int) -> bool:
        """Whether there were no more for long, and some that people have not heard of."""
        return self.all.count > self.said and now_us - self.all.last_at_us >= RARE_US

    def once_told(self) -> "Restarts":
        """People have heard of all of them."""
        return replace(self, said=self.all.count)

    def goes_on(self, now_us: int) -> bool:
        """Whether what happens now belongs to the same night."""
        return self.all.count > 0 and now_us - self.all.first_at_us <= NIGHT_US
