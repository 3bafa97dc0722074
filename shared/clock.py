"""Our own clock, for latency, stamps and timeouts only; decisions use event time. Passed in, so tests own it."""

import time
from collections.abc import Callable

NowMicros = Callable[[], int]
"""Returns integer microseconds UTC."""


def now_us() -> int:
    """Microseconds UTC by this machine's clock."""
    return time.time_ns() // 1000
