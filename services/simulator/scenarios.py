"""What happens in the synthetic market besides noise. A scenario is one row of the table: moves in time."""

from bisect import bisect_right
from dataclasses import dataclass

Points = tuple[tuple[float, float], ...]
"""(seconds since the market opened, percent off the quiet price), in order of time; straight lines between."""


@dataclass(frozen=True, slots=True)
class Move:
    """One abnormal move. `exchange` or `base` None means all. `crowd` is the share of all messages that it draws."""

    exchange: str | None
    base: str | None
    points: Points
    crowd: float = 0.0

    def concerns(self, exchange: str, base: str) -> bool:
        """Say whether the move happens in this market."""
        return self.exchange in (None, exchange) and self.base in (None, base)

    def percent_at(self, seconds: float) -> float:
        """Give the distance from the quiet price in percent."""
        place = bisect_right(self.points, seconds, key=lambda point: point[0])
        if place == 0:
            return 0.0
        if place == len(self.points):
            return self.points[-1][1]
        (from_s, from_percent), (to_s, to_percent) = self.points[place - 1 : place + 1]
        return from_percent + (to_percent - from_percent) * (seconds - from_s) / (to_s - from_s)

    def is_on(self, seconds: float) -> bool:
        """Say whether the price is being moved right now."""
        return self.points[0][0] <= seconds < self.points[-1][0]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A name that can be typed, a line that says what happens, and the moves."""

    name: str
    says: str
    moves: tuple[Move, ...] = ()


# Down by 5 % within three and a half seconds and nearly all the way back, so that an alert can open within the first
# ten seconds and resolve within the first twenty.
_CRASH: Points = ((4.0, 0.0), (5.5, -1.8), (7.5, -5.0), (8.0, -5.0), (9.5, -1.5), (11.0, -0.2))


def crash(exchange: str, base: str, from_s: float) -> Move:
    """The same of one market, beginning `from_s` seconds after the markets opened."""
    late_s = from_s - _CRASH[0][0]
    return Move(exchange, base, tuple((seconds + late_s, percent) for seconds, percent in _CRASH))


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            "flash-crash",
            "KRW-BTC on Upbit falls by 5 % from second 4 on and recovers by second 11",
            (Move("upbit", "BTC", _CRASH, crowd=0.15),),
        ),
        Scenario("calm", "no abnormal move"),
        Scenario("upbit-crash", "every market of Upbit falls, Binance stays", (Move("upbit", None, _CRASH),)),
        Scenario("market-crash", "every market of both exchanges falls", (Move(None, None, _CRASH),)),
    )
}
DEFAULT_SCENARIO = "flash-crash"
