"""An exchange's stated limits, kept by construction: nobody acts before `reserve` says so. Pure."""

from collections import deque
from collections.abc import Sequence

from services.producer.exchanges.base import Rate


class Budget:
    """Several rolling limits at once. Within any window of a rate, at most its count of actions are granted."""

    def __init__(self, rates: Sequence[Rate]) -> None:
        self._granted = [(rate, deque[float](maxlen=rate.count)) for rate in rates]

    @classmethod
    def shared(cls, rates: Sequence[Rate], processes: int) -> "Budget":
        """The part of one of so many processes of an exchange: they may share an address, which is what it counts."""
        return cls([Rate(rate.count, rate.seconds * processes) for rate in rates])

    def reserve(self, now_s: float) -> float:
        """Reserve the next action and return the seconds to wait before it. `now_s` never goes back."""
        at = now_s
        for rate, granted in self._granted:
            if granted:
                at = max(at, granted[-1])
            if len(granted) == rate.count:
                at = max(at, granted[0] + rate.seconds)
        for _, granted in self._granted:
            granted.append(at)
        return at - now_s
