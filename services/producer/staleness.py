"""Silence told from quiet, of a connection or a symbol: by how often it usually speaks. Pure; a look a second."""

from math import log1p

MEMORY_S = 300
SHORTEST_S = 10.0
FIRST_DATA_S = 60.0
_UNLIKELY = 41.4  # twice -ln(1e-9): trades come in clusters, not independently
_PRIOR_S = 5


class Silence:
    """Watches one connection or symbol. Call `look` once a second with what changes whenever data comes.

    The share of seconds that had data tells how busy it is, and bursts do not fool it. Too long is a silence of a
    length that this share makes unlikely, -ln of which is `unlikely`, and never less than `shortest_s`. Before the
    first data it is `first_data_s`.
    """

    def __init__(
        self, shortest_s: float = SHORTEST_S, first_data_s: float = FIRST_DATA_S, unlikely: float = _UNLIKELY
    ) -> None:
        self._shortest_s, self._first_data_s, self._unlikely = shortest_s, first_data_s, unlikely
        self._seen = 0
        self.silent_s = 0
        """For how many looks nothing has come by now."""
        self._known_s = 0
        self._busy_share = 1 / first_data_s

    def look(self, data: int) -> bool:
        """Whether the silence is longer than the habit allows. `data`: such as the number of frames so far."""
        if data == self._seen:
            self.silent_s += 1
            return self.silent_s >= self.limit_s
        self._seen = data
        if self._known_s == 0:  # the time before the first data says nothing about habits
            self._known_s, self.silent_s = _PRIOR_S, 0
        # Silent seconds count once they are over: a silence must not lengthen its own limit.
        self._known_s = min(MEMORY_S, self._known_s + self.silent_s + 1)
        self._busy_share *= (1 - 1 / self._known_s) ** (self.silent_s + 1)
        self._busy_share += 1 / self._known_s
        self.silent_s = 0
        return False

    @property
    def limit_s(self) -> float:
        """Seconds of silence that are too long now."""
        if self._known_s == 0:
            return self._first_data_s
        return max(self._shortest_s, self._unlikely / -log1p(-min(self._busy_share, 0.999)))
