"""How long to gather before the next batches: a request to Kafka costs as much as fifty records. Pure."""

from math import exp

QUIET_RECORDS_PER_S = 700.0
QUIET_FACTOR = 4
_MEMORY_S = 1.0


class Pace:
    """`flush_s` between requests in a busy market; four times as long when it is quiet, to spare the processor."""

    def __init__(self, flush_s: float) -> None:
        self._flush_s = flush_s
        self._recent = 0.0
        self._at_us: int | None = None

    def wait_s(self, records: int, now_us: int) -> float:
        """Seconds to gather after `records` were handed over at `now_us`."""
        passed_s = 0.0 if self._at_us is None else max(0.0, (now_us - self._at_us) / 1e6)
        self._at_us = now_us
        self._recent = self._recent * exp(-passed_s / _MEMORY_S) + records
        quiet = self._recent / _MEMORY_S < QUIET_RECORDS_PER_S
        return self._flush_s * QUIET_FACTOR if quiet else self._flush_s
