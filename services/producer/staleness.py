"""A silent connection told from a quiet one: by how often it usually speaks. Pure; looked at once a second."""

from math import log1p

MEMORY_S = 300
SHORTEST_S = 10.0
FIRST_DATA_S = 60.0
_UNLIKELY = 41.4  # twice -ln(1e-9): trades come in clusters, not independently
_PRIOR_S = 5


class Silence:
    """Watches one connection. Call `look` once a second with the number of data frames received so far.

    The share of seconds that had data tells how busy the connection is, and bursts do not fool it. Too long is a
    silence of a length that this share makes next to impossible, and never less than ten seconds. Before the first
    data it is a minute.
    """

    def __init__(self) -> None:
        self._seen = 0
        self._silent_s = 0
        self._known_s = 0
        self._busy_share = 1 / FIRST_DATA_S

    def look(self, data_frames: int) -> bool:
        """Whether the silence is longer than this connection's habit allows."""
        if data_frames == self._seen:
            self._silent_s += 1
            return self._silent_s >= self.limit_s
        self._seen = data_frames
        if self._known_s == 0:  # the time before the first data says nothing about habits
            self._known_s, self._silent_s = _PRIOR_S, 0
        # Silent seconds count once they are over: a silence must not lengthen its own limit.
        self._known_s = min(MEMORY_S, self._known_s + self._silent_s + 1)
        self._busy_share *= (1 - 1 / self._known_s) ** (self._silent_s + 1)
        self._busy_share += 1 / self._known_s
        self._silent_s = 0
        return False

    @property
    def limit_s(self) -> float:
        """Seconds of silence that are too long now."""
        if self._known_s == 0:
            return FIRST_DATA_S
        return max(SHORTEST_S, _UNLIKELY / -log1p(-min(self._busy_share, 0.999)))
