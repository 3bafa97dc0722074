"""The three figures that each part of the tape says of itself: rate, lag, and age of the newest trade. Pure."""

_MINUTE_S, _HOUR_S = 60, 3_600


def figures(rate: str, lag: str, newest_us: int, now_us: int) -> str:
    """As ``1,200 records/s, 0 behind, newest trade 4 min old``.

    `newest_us` is when the newest trade was received by its producer, 0 before the first one. Not when it was traded:
    the exchange's clock is its own matter, and a recording of another year that is replayed now is not old.
    """
    return f"{rate}, {lag}, {_newest(newest_us, now_us)}"


def _newest(newest_us: int, now_us: int) -> str:
    return f"newest trade {_spelled(now_us - newest_us)} old" if newest_us else "no trade since the start"


def _spelled(age_us: int) -> str:
    seconds = max(0, age_us) // 1_000_000  # the producer's host may be a little ahead
    if seconds < 2 * _MINUTE_S:
        return f"{seconds} s"
    return f"{seconds // _MINUTE_S} min" if seconds < 2 * _HOUR_S else f"{seconds // _HOUR_S} h"
