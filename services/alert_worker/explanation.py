"""What the detectors saw of one market around a time, and what they made of it: the very code, watched at work. Pure.

Trades go through a watch as they do live; only the market that is asked about has a detector that takes notes.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from services.alert_worker.detector import BUSY_MINUTES, BUSY_SHARE, CONFIRM_TICKS, Detector
from services.alert_worker.episodes import GOES_ON_TICKS, STEPS
from services.alert_worker.grid import GRID_US
from services.alert_worker.halts import NAME as HALT
from services.alert_worker.pair import NAME
from services.alert_worker.partition import Exchange
from services.alert_worker.prices import price_text
from services.alert_worker.records import Market
from services.alert_worker.rules.base import UP, Measure, Reading, Rule, ShowsReadings, Sight
from services.alert_worker.rules.parameters import Tier
from services.alert_worker.rules.ruleset import Ruleset
from services.alert_worker.volume import Compared
from services.alert_worker.watch import Watch
from shared.events import Alert, Candle, Trade

_RUN_OUT_US = 1_000_000
_MOST_NOTES = 200
_TIE = 1e-6


class Span(NamedTuple):
    """From a time until another, both included."""

    from_us: int
    to_us: int

    def holds(self, at_us: int) -> bool:
        """Whether a time lies within."""
        return self.from_us <= at_us <= self.to_us


@dataclass(frozen=True, slots=True)
class Strongest:
    """Where a rule was nearest to firing within the span, and whether it fired anywhere in it."""

    rule: str
    reading: Reading
    at_us: int
    price: str
    fired_at_us: int | None


class Note(NamedTuple):
    """What the detector made of it."""

    at_us: int
    text: str


@dataclass
class Explanation:
    """Everything about one market within a span of time."""

    market: Market
    span: Span
    version: str
    trades: int = 0
    """How many trades of the market lie within the span,"""
    warm_up_us: int = 0
    """and how long before it the first one of the market came that was played."""
    tier: Tier | None = None
    sigma_percent: float = 0.0
    """What a minute usually moves the price by."""
    minutes: int = 0
    """How many minutes that rests on."""
    volume: Compared | None = None
    """The most money of a minute, beside what is usual; it confirms and never fires."""
    strongest: list[Strongest] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    """Of the market, and of all markets when it was among them."""

    @property
    def has_fired(self) -> bool:
        """Whether any rule fired within the span."""
        return any(one.fired_at_us is not None for one in self.strongest)


def explain(
    trades: Iterable[Trade], market: Market, span: Span, rules: Ruleset, candles: Iterable[Candle] = ()
) -> Explanation:
    """Play trades, in the order of their arrival, some time before the span included.

    `candles`, as they were on Kafka, say what was usual before that, each from when it was there.
    """
    found = Explanation(market, span, rules.version)
    watch = Watch(rules=rules)
    noting = _Noting(market, rules, found)
    exchange = watch.partitions[0].exchanges[market.exchange] = Exchange()
    exchange.detectors[market.symbol] = noting
    newest_us, first_us = 0, None
    told = deque(candles)
    for offset, trade in enumerate(trades):
        while told and told[0].received_at_us <= trade.received_at_us:
            watch.hear(told.popleft(), 0)
        newest_us = max(newest_us, trade.received_at_us)
        if (trade.exchange, trade.symbol) == (market.exchange, market.symbol):
            first_us = trade.traded_at_us if first_us is None else first_us
            found.trades += span.holds(trade.traded_at_us)
        found.alerts += [one.alert for one in watch.observe(trade, offset) if _is_about(one.alert, market, span)]
        if noting.is_leg and span.holds(trade.traded_at_us):
            noting.compare(*watch.divergence(market.base))
    decided = watch.run_on(newest_us + _RUN_OUT_US)
    found.alerts += [one.alert for one in decided if _is_about(one.alert, market, span)]
    noting.hear_silence(newest_us, found.alerts)
    found.warm_up_us = 0 if first_us is None else max(0, span.from_us - first_us)
    found.strongest = list(noting.strongest.values())
    return found


class _Noting(Detector):
    """A detector that writes down what it sees within the span."""

    def __init__(self, market: Market, rules: Ruleset, found: Explanation) -> None:
        super().__init__(market, rules)
        self.strongest: dict[tuple[str, str], Strongest] = {}
        self._found = found
        self._said_going: str | None = None
        self._silence: tuple[Reading, int] | None = None
        """The longest beside what is usual, and when it ended."""

    def apply(self, traded_at_us: int, trade_id: int, trade: Trade) -> bool | None:
        """See `Detector`."""
        self._measure_silence(traded_at_us)
        return super().apply(traded_at_us, trade_id, trade)

    def decide(self, tick: int) -> Alert | None:
        """See `Detector`."""
        at_us = tick * GRID_US
        if not self._found.span.holds(at_us):
            return super().decide(tick)
        fired = self._read(at_us) if self.window.high else False
        suspicion, episode = self.suspicion, self.episode
        alert = super().decide(tick)
        if alert is None:
            self._note_suspicion(at_us, suspicion)
            if fired and episode is not None and self._said_going != episode.episode_id:
                self._said_going = episode.episode_id
                self._note(at_us, self._why_not_again(tick))
        return alert

    def compare(self, tick: int, reading: Reading) -> None:
        """Take in what was seen of the gap to the other exchange at a boundary."""
        if self._found.span.holds(tick * GRID_US) or reading.missing:
            self._keep(NAME, reading, tick * GRID_US, fires=reading.share >= 1 - _TIE)

    def hear_silence(self, until_us: int, alerts: Iterable[Alert]) -> None:
        """Take in that nothing more came until then, and what was made of the silences: that takes the others, too."""
        self._measure_silence(until_us)
        if self._silence is not None:
            reading, at_us = self._silence
            told = (
                one for one in alerts if one.kind == HALT and one.state == "open" and one.symbol == self.market.symbol
            )
            fired_at_us = next((one.event_at_us for one in told), None)
            price = price_text(self.window.last, self.scale)
            self.strongest[HALT, reading.span] = Strongest(HALT, reading, at_us, price, fired_at_us)
            if fired_at_us is None and reading.share >= 1:
                self._note(
                    at_us, "so long a silence is a halt where others of the exchange trade on, and at a full minute"
                )

    def _measure_silence(self, until_us: int) -> None:
        span, at_us = self._found.span, min(until_us, self._found.span.to_us)
        if not self.rules.halt.enabled or not 0 < self.last_us < at_us or not span.holds(at_us):
            return
        limit_us, minutes = self.silence_limit_us, self.baseline.minutes
        if not limit_us:
            missing = f"it traded in {100 * self.baseline.busy_share:.0f} % of {minutes} minutes known"
            reading = Reading("", missing=f"{missing}; {100 * BUSY_SHARE:.0f} % of {BUSY_MINUTES} make a busy one")
        else:
            reading = Reading("", measures=(Measure((at_us - self.last_us) / 60e6, limit_us / 60e6, "min"),))
        if self._silence is None or reading.share >= self._silence[0].share:
            self._silence = reading, at_us

    def _read(self, at_us: int) -> bool:
        """Take readings; say whether any rule fires."""
        found, baseline = self._found, self.baseline
        opens = self.earlier(at_us // GRID_US) is None
        sight = Sight(self.market.quote, self.window, baseline, 0, self.rules.tiers, opens)
        found.tier, found.minutes, found.sigma_percent = sight.tier, baseline.minutes, 100 * baseline.sigma
        volume = baseline.volume_now()
        if volume is not None and (found.volume is None or volume.times > found.volume.times):
            found.volume = volume
        fired = False
        for rule in self.rules.rules:
            fires = rule.judge(sight) is not None
            fired = fired or fires
            for reading in _readings(rule, sight):
                is_it = not reading.measures or reading.share >= 1 - _TIE
                self._keep(rule.name, reading, at_us, fires=fires and is_it)
        return fired

    def _keep(self, rule: str, reading: Reading, at_us: int, *, fires: bool) -> None:
        place = (rule, reading.span)
        known = self.strongest.get(place)
        fired_at_us = None if known is None else known.fired_at_us
        if fires and fired_at_us is None:
            fired_at_us = at_us
        price = price_text(self.window.last, self.scale)
        if known is None or (known.reading.missing and not reading.missing) or reading.share > known.reading.share:
            self.strongest[place] = Strongest(rule, reading, at_us, price, fired_at_us)
        elif fired_at_us != known.fired_at_us:
            self.strongest[place] = Strongest(rule, known.reading, known.at_us, known.price, fired_at_us)

    def _note_suspicion(self, at_us: int, before: tuple[int, int] | None) -> None:
        if before is not None and (self.suspicion is None or self.suspicion[0] != before[0]):
            self._note(at_us, f"the move {_way(before[0])} went back before it was confirmed: nobody is told")
        if self.suspicion is not None and self.suspicion != before:
            needs_s = CONFIRM_TICKS * GRID_US / 1e6
            self._note(
                at_us, f"a move {_way(self.suspicion[0])} is suspected: told if it still stands {needs_s} s later"
            )

    def _why_not_again(self, tick: int) -> str:
        episode = self.episode
        if episode is None:
            return "it belongs to the episode that ends here"
        step = next((f"{100 * least:g} %" for least, _ in STEPS[episode.step + 1 :]), None)
        wait_s = max(0, episode.word_tick + GOES_ON_TICKS - tick) * GRID_US / 1e6
        words = [f"it belongs to an episode that goes on ({_way(episode.direction)}), which is told again"]
        words += [f"at {step} from the price before"] if step else []
        words += [f"or when it moves on in {wait_s:.0f} s or later"]
        return " ".join(words)

    def _note(self, at_us: int, text: str) -> None:
        if len(self._found.notes) < _MOST_NOTES:
            self._found.notes.append(Note(at_us, text))


def _readings(rule: Rule, sight: Sight) -> list[Reading]:
    return rule.readings(sight) if isinstance(rule, ShowsReadings) else [Reading("")]


def _way(direction: int) -> str:
    return "up" if direction == UP else "down"


def _is_about(alert: Alert, market: Market, span: Span) -> bool:
    name = f"{market.exchange}:{market.symbol}"
    is_ours = f"{alert.exchange}:{alert.symbol}" == name or name in alert.members
    return is_ours and span.holds(alert.event_at_us or alert.started_at_us)
