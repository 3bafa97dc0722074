"""Liveness means progress: a process lives while it gets on, or proves that there is nothing to get on with. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field

from shared.waiting import Wait

STARTING = "starting"
KAFKA_GETS_S = 30.0
"""So long Kafka may be silent before whoever needs it starts over: a broker started anew is back within 17 s."""


@dataclass(frozen=True)
class Lack:
    """What a process is without: `what`, `why` and `in_part` as in `Wait`, `since_s` on the clock of its `Liveness`.

    None: since something last went all the way.
    """

    what: str
    why: str
    since_s: float | None = None
    in_part: bool = False


@dataclass
class Liveness:
    """What one process says of itself, and the judgement of it.

    `seconds` is a clock that never goes back. Once ready, `within_s` may pass without progress; before, it is
    `start_within_s`, for a start may wait long for what it needs, visibly and within bounds of its own. Who begins
    something that may take longer, and ends by itself, says so: until its next word `next_within_s` may pass.
    """

    seconds: Callable[[], float]
    within_s: float
    start_within_s: float
    status: str = STARTING
    is_ready: bool = False
    moves: int = 0
    _moved_at_s: float = field(init=False)
    _went_at_s: float = field(init=False)
    _next_within_s: float = field(default=0.0, init=False)
    _lack: Lack | None = field(default=None, init=False)
    _lack_since_s: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._moved_at_s = self._went_at_s = self.seconds()

    def moved(self, status: str | None = None, next_within_s: float = 0.0) -> None:
        """Something went all the way, or it is proven that nothing waits: the first time makes the process ready."""
        self._note(status, next_within_s)
        self._went_at_s = self._moved_at_s
        self.is_ready = True

    def waits(self, status: str | None = None, next_within_s: float = 0.0) -> None:
        """What the process waits for is away, which is seen, bounded and told: a restart would not help.

        It makes nobody ready, and who only waits for too long serves nobody: see `serves`.
        """
        self._note(status, next_within_s)

    def tells(self, status: str) -> None:
        """What it says of itself, which is no progress: a start that only tells is bounded by `start_within_s`."""
        self.status = status

    def lacks(self, lack: Lack | None) -> None:
        """What it is without by now, which it says before all else until the next word of it. No word on progress."""
        if lack is not None and self._lack is None:
            self._lack_since_s = self._went_at_s if lack.since_s is None else lack.since_s
        elif lack is not None and self._lack is not None and lack.what != self._lack.what:
            self._lack_since_s = self.seconds()
        self._lack = lack

    @property
    def says(self) -> str:
        """Its line about itself: what it waits for, where it does, and how it is."""
        lack = self._lack  # a thread asks
        if lack is None:
            return self.status
        return f"{Wait(lack.what, self.seconds() - self._lack_since_s, lack.why, lack.in_part)}; {self.status}"

    def _note(self, status: str | None, next_within_s: float) -> None:
        self._moved_at_s = self.seconds()
        self._next_within_s = next_within_s
        self.moves += 1
        if status is not None:
            self.status = status

    @property
    def still_s(self) -> float:
        """Seconds since it last got on."""
        return self.seconds() - self._moved_at_s

    @property
    def waits_s(self) -> float:
        """Seconds since something last went all the way, or nothing was left to wait for; before, since the start."""
        return self.seconds() - self._went_at_s

    @property
    def serves(self) -> bool:
        """Whether it does its work: it is ready, and has not only waited for longer than a Kafka needs to be back."""
        return self.is_alive and self.is_ready and self.waits_s <= max(self.within_s, KAFKA_GETS_S)

    @property
    def is_alive(self) -> bool:
        """Whether that is not too long ago."""
        return self.still_s <= self.limit_s

    @property
    def limit_s(self) -> float:
        """How long it may go without getting on now."""
        return max(self.within_s if self.is_ready else self.start_within_s, self._next_within_s)
