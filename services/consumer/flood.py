"""When nearly everything is unreadable, the reader is wrong and not the records. Pure."""

from collections import deque

WINDOW_RECORDS = 1000


class Flood:
    """Counts unreadable records among the last thousand."""

    def __init__(self) -> None:
        self._batches: deque[tuple[int, int]] = deque()
        self._records = 0
        self._poison = 0

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
