"""When nearly everything is unreadable, the reader is wrong and not the records. Pure."""

from collections import deque
from collections.abc import Sequence

WINDOW_RECORDS = 1000


class Flood:
    """Counts unreadable records among the last thousand."""

    def __init__(self) -> None:
        self._batches: deque[tuple[int, int]] = deque()
        self._records = 0
        self._poison = 0

    @property
    def knows_enough(self) -> bool:
        """Whether a thousand records were seen, so that what was before them no longer counts."""
        return self._records >= WINDOW_RECORDS

    def recall(self, unreadable: Sequence[bool]) -> None:
        """Put records before everything seen so far, oldest first: whether each was unreadable.

        A process that begins has seen nothing; without its past a flood that comes in small batches would pass, half
        a thousand records with each restart.
        """
        for one in reversed(unreadable):
            if self.knows_enough:
                return
            self._batches.appendleft((1, int(one)))
            self._records += 1
            self._poison += one

    def see(self, records: int, poison: int) -> bool:
        """Note a batch. True when more than half of the last thousand records or so were unreadable."""
        self._batches.append((records, poison))
        self._records += records
        self._poison += poison
        while self._records - self._batches[0][0] >= WINDOW_RECORDS:
            gone, gone_poison = self._batches.popleft()
            self._records -= gone
            self._poison -= gone_poison
        return self._poison > max(self._records, WINDOW_RECORDS) // 2
