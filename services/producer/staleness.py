"""A silent connection told from a quiet one: by how often it usually speaks. Pure; looked at once a second."""

MEMORY_S = 300.0
SHORTEST_S = 10.0
USUAL_PAUSES = 50.0
FIRST_DATA_S = 60.0


class Silence:
    """Watches one connection. Call `look` once a second with the number of data frames received so far.

    The share of seconds that had data tells how busy the connection is; bursts do not fool it. Silence for fifty
    times the usual pause, and never less than ten seconds, is too long. Before the first data: a minute.
    """

    def __init__(self) -> None:
        self._seen = 0
        self._silent_s = 0.0
        self._busy_share: float | None = None

    def look(self, data_frames: int) -> bool:
        """Whether the silence is longer than this connection's habit allows."""
        active = data_frames > self._seen
        self._seen = data_frames
        self._silent_s = 0.0 if active else self._silent_s + 1.0
        if self._busy_share is None:
            if active:
                self._busy_share = 1.0 / FIRST_DATA_S
            return self._silent_s >= FIRST_DATA_S
        too_long = self._silent_s >= self.limit_s
        self._busy_share += (float(active) - self._busy_share) / MEMORY_S
        return too_long

    @property
    def limit_s(self) -> float:
        """Seconds of silence that are too long now."""
        return FIRST_DATA_S if self._busy_share is None else max(SHORTEST_S, USUAL_PAUSES / self._busy_share)

    @property
    def heard(self) -> bool:
        """Whether any data came yet."""
        return self._busy_share is not None
