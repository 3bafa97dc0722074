"""When the next page of candles may be asked for. Pure."""

from services.producer.candles import Minutes
from services.producer.stretches import Page
from services.producer.tokens import Budget


class Turns:
    """The pace of one of `processes` that read an exchange: they may share an address, which is what it counts."""

    def __init__(self, minutes: Minutes, processes: int) -> None:
        self._all = Budget.shared([minutes.rate], processes)
        self._older = Budget.shared([minutes.older_rate], processes)

    def wait_s(self, page: Page, now_s: float) -> float:
        """Reserve the turn of a page and return the seconds before it. `now_s` never goes back."""
        wait_s = self._older.reserve(now_s) if page.is_older else 0.0
        return wait_s + self._all.reserve(now_s + wait_s)
