"""Which alert is the first word of a leg: an opening, or a move with which an episode begins anew. Pure."""

from shared.events import Alert

MOST_EPISODES = 5_000


class Legs:
    """When the newest leg of every episode that is going on began."""

    def __init__(self) -> None:
        self._begun: dict[str, int] = {}

    def begins(self, alert: Alert) -> bool:
        """Whether the next state change of an episode begins a leg."""
        known = self._begun.pop(alert.episode_id, None)
        if alert.state == "resolve":
            return False
        self._begun[alert.episode_id] = alert.started_at_us
        if len(self._begun) > MOST_EPISODES:
            del self._begun[next(iter(self._begun))]
        return known != alert.started_at_us

    def packed(self) -> dict[str, int]:
        """Everything, as plain values."""
        return self._begun

    def unpack(self, packed: dict[str, int]) -> None:
        """The inverse of `packed`."""
        self._begun = packed
