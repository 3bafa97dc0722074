"""Of all records of what was told, those that a start needs; it reads one after another and keeps few. Pure."""

from services.alert_worker.told import is_last, is_past, owner_of
from shared.events import Notification


class Remembered:
    """Records, oldest first, of which the newest of a key counts while anything may follow what it tells of.

    They are compacted and kept for ever, because `tapewatch explain` reads them, too.
    """

    def __init__(self, now_us: int) -> None:
        self._now_us = now_us
        self.newest: dict[str, Notification] = {}
        self.resume: int | None = None
        """All alerts before this offset of their topic need nothing more; None: nothing was ever told."""

    def take(self, record: Notification) -> None:
        """The next record."""
        self.resume = max(self.resume or 0, record.settled_offset)
        if is_past(record.at_us, self._now_us, is_over=_is_over(record)):
            self.newest.pop(record.episode_id, None)
        else:
            self.newest[record.episode_id] = record


def _is_over(record: Notification) -> bool:
    """Whether people know that all of it is over."""
    if record.stage == "intent":
        return False
    if not record.episodes:
        return is_last(record.alert_id)
    members = frozenset(record.episodes)
    newest = {owner_of(alert_id, members): alert_id for alert_id in record.alert_ids}
    return all(is_last(newest.get(name, "")) for name in members)
