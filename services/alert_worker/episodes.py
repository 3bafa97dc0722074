"""One abnormal episode of one symbol as a state machine: open, escalate any number of times, resolve.

Percentages are distances from `before`, the price before the move.

| severity | from |
|---|---|
| notice | the rule's own threshold, where that is less |
| warning | 2 % |
| danger | 4 %; told again at 8, 16, 32 and 64 % |

It is over when the price stayed for three seconds within a quarter of the move's depth (at least half of the smallest
floor) from where it came, when it shot past that to the other side, or when it made no new extreme for half an hour and
so found a new level.

Wild markets move again and again. What belongs to an episode that was told is an escalation of it, not a message of its
own: a move of a rule's size that goes on five minutes after the last word; one the other way, once the extreme is a
minute old (what snaps back sooner is the same event); one after ten minutes without a new extreme; and one within half
a day after the episode was over, though no later than two days after it began. All but the first are a new leg, with a
price before of its own. So a market that never rests is a message every other day, however wild it is.

That it is over makes nobody forget the way back: what began before and goes on is told like any move, from where the
price stood for a minute.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from services.alert_worker.rules.base import SMALLEST_FLOOR, TIE, Finding
from services.alert_worker.volume import CONFIRMS_SIGMAS, Compared
from shared.events import AlertState, Severity

STEPS: tuple[tuple[float, Severity], ...] = (
    (0.0, "notice"), (0.02, "warning"), (0.04, "danger"), (0.08, "danger"), (0.16, "danger"), (0.32, "danger"),
    (0.64, "danger"),
)  # fmt: skip

RECOVERED_TICKS = 30
SETTLED_TICKS = 18_000
TURN_TICKS = 600
GOES_ON_TICKS = 3_000
PAUSE_TICKS = 6_000
REJOIN_TICKS = 432_000
LONGEST_TICKS = 1_728_000

_BAND_OF_DEPTH = 0.25
_NEW_EXTREME = 0.002

Outcome = Literal["recovered", "crossed", "settled"]


def step_of(depth: float) -> int:
    """Number of the step that a depth (a fraction) reaches."""
    return max(number for number, (least, _) in enumerate(STEPS) if depth >= least - TIE or number == 0)


@dataclass(slots=True)
class Episode:
    """A move that was told, until it is over. Prices are integers of the symbol's scale."""

    episode_id: str
    rule_version: str
    """Of the rules by which it opened: part of its id, so rules that change meanwhile leave it as it is."""
    direction: int
    before: int
    before_at_us: int
    started_tick: int
    kind: str
    now: int
    extreme: int
    calm_since: int
    step: int
    counted: float
    floor: float = SMALLEST_FLOOR
    """The smallest move, as a fraction, for which a rule of that version fires."""
    sigma: float | None = None
    volume_ratio: float | None = None
    """The most money of a minute so far, in multiples of what is usual at that time."""
    is_traded: bool = False
    """Whether that is unusual, and so speaks for the move."""
    detectors: list[str] = field(default_factory=list)
    in_band_since: int | None = None
    opened_tick: int = 0
    """When its first leg began."""
    words: int = 0
    """State changes so far, over all legs."""
    word_tick: int = 0
    """When the last one was."""

    @property
    def depth(self) -> float:
        """How far the price is now in the episode's direction, as a fraction; negative beyond where it came from."""
        return self.direction * (self.now / self.before - 1)

    @property
    def deepest(self) -> float:
        """The largest depth so far."""
        return self.direction * (self.extreme / self.before - 1)

    @property
    def severity(self) -> Severity:
        """Never falls while the episode lasts."""
        return STEPS[self.step][1]

    @property
    def due_tick(self) -> int:
        """When it resolves if nothing more happens."""
        settled = self.calm_since + SETTLED_TICKS
        return settled if self.in_band_since is None else min(settled, self.in_band_since + RECOVERED_TICKS)

    def join(self, findings: list[Finding]) -> None:
        """Let further detectors name themselves in the next record."""
        for finding in findings:
            if finding.direction == self.direction:
                if finding.rule not in self.detectors:
                    self.detectors.append(finding.rule)
                if finding.sigma is not None:
                    self.sigma = max(self.sigma or 0.0, finding.sigma)

    def note_volume(self, volume: Compared | None) -> None:
        """Let volume enrich the next records: what counts is the most of the whole episode."""
        if volume is not None:
            self.volume_ratio = max(self.volume_ratio or 0.0, volume.times)
            self.is_traded = self.is_traded or volume.sigmas >= CONFIRMS_SIGMAS

    def move(self, now: int, tick: int) -> AlertState | None:
        """Take in the price at a tick; say which state change follows from it."""
        self.now = now
        depth = self.depth
        if self.direction * (now - self.extreme) > 0:
            self.extreme = now
        if depth >= self.counted + _NEW_EXTREME:
            self.counted, self.calm_since = depth, tick
        if depth > max(self.floor / 2, _BAND_OF_DEPTH * self.deepest):
            self.in_band_since = None
        elif self.in_band_since is None:
            self.in_band_since = tick
        if depth <= -self.floor:
            return "resolve"
        step = step_of(depth)
        if step > self.step:
            self.step = step
            return "escalate"
        return None

    def may_turn(self, tick: int) -> bool:
        """Say whether a move the other way would be news by now."""
        return tick - self.calm_since >= TURN_TICKS

    def may_go_on(self, tick: int) -> bool:
        """Say whether a further move the same way would be news by now."""
        return tick - self.word_tick >= GOES_ON_TICKS

    def has_paused(self, tick: int) -> bool:
        """Say whether a further move the same way would begin anew."""
        return tick - self.calm_since >= PAUSE_TICKS

    def takes_up(self, over_tick: int, tick: int) -> bool:
        """Say whether a move at `tick` still belongs to it, when it was over at `over_tick`."""
        return tick - over_tick < REJOIN_TICKS and tick - self.opened_tick < LONGEST_TICKS

    def outcome(self) -> Outcome:
        """How it ended, once it did."""
        if self.depth <= -self.floor:
            return "crossed"
        return "settled" if self.in_band_since is None else "recovered"

    def multiply(self, factor: int) -> None:
        """Change the scale of all prices."""
        self.before *= factor
        self.now *= factor
        self.extreme *= factor

    def packed(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return asdict(self)
