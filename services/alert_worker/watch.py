"""The whole watch, pure: trades of any partition in, alerts out; the same live, replayed, and in a backtest.

Each partition decides about its own symbols in its own event time. What concerns several symbols (a market-wide
storm, one coin on two exchanges) is decided on the merged state changes, in order of (tick, exchange, symbol). A tick
is merged when every partition has closed it, so that the order in which partitions are read does not matter.
"""

import base64
import zlib
from collections import deque
from collections.abc import Iterable
from typing import Any

import msgspec

from services.alert_worker.divergence import Divergences
from services.alert_worker.elsewhere import Elsewhere
from services.alert_worker.gap_past import Close
from services.alert_worker.grid import tick_of
from services.alert_worker.halts import Halts, Report
from services.alert_worker.joining import JOINED, Joining, name_of
from services.alert_worker.legs import Legs
from services.alert_worker.partition import Decided, Partition
from services.alert_worker.rules.base import Reading
from services.alert_worker.rules.ruleset import DEFAULTS, Ruleset
from services.alert_worker.samples import Place, Sample
from services.alert_worker.storms import Member, Storm
from shared.events import Alert, Candle, Trade

MOST_CLOSES = 20_000
"""So many are saved in a few hundred KB."""

MOST_WAIT_TICKS = 20
"""A partition that is further behind is not waited for, once everything was caught up with."""

_SEEN_TICKS = 36_000


class Watch:
    """All partitions, and what their symbols have to do with each other."""

    def __init__(self, partitions: int = 1, rules: Ruleset = DEFAULTS) -> None:
        self.rules = rules
        self.partitions = [Partition(rules) for _ in range(partitions)]
        self.is_live = True
        """Whether a partition that is far behind is left behind; not while what was missed is being read."""
        self.not_compared = 0
        """How often a coin's prices on two exchanges were not compared, because one side is read too slowly."""
        self._legs = Legs()
        self._joining = Joining()
        self._storms: dict[str, Storm] = {"down": Storm("down"), "up": Storm("up")}
        self._pending: dict[str, Decided] = {}
        self._divergences = Divergences()
        self._elsewhere = Elsewhere()
        self._merged = 0
        """The newest tick of which everything was told."""
        self._halts = Halts()
        self._samples: dict[int, dict[tuple[str, str], Sample]] = {}
        """Those that wait for all partitions, by tick and market."""
        self._reports: dict[int, dict[tuple[str, int], Report]] = {}
        """The same by exchange and partition."""
        self._closes: deque[Close] = deque()
        """Minutes of the past that count at a later comparison; the oldest of more than `MOST_CLOSES` at once."""
        self._compared = 0
        """The newest boundary at which prices were compared."""
        self._seen: dict[str, int] = {}
        """Tick of the newest state change that was merged, by market: replayed after a restart, it is not new."""

    def change_rules(self, rules: Ruleset) -> None:
        """Judge by other rules from the next decision on."""
        self.rules = rules
        for partition in self.partitions:
            partition.change_rules(rules)

    def observe(self, trade: Trade, offset: int, partition: int = 0) -> list[Decided]:
        """Take in the trade at `offset` of a partition; return what was decided by then."""
        return self.observe_all([(offset, trade)], partition)

    def observe_all(self, records: Iterable[tuple[int, Trade]], partition: int = 0) -> list[Decided]:
        """Take in (offset, trade)s of a partition, in their order; return what was decided by then."""
        part, told, rest = self.partitions[partition], list[Decided](), iter(records)
        while (decided := part.observe_some(rest)) is not None:
            waits = self._pending or self._samples or self._reports
            if decided or waits or part.samples or part.reports:
                told += self.merge(decided)
        if part.prices:  # nothing waits that could ask for older ones
            self._merged = self.frontier() or 0
            self._fetch_prices(part)
        return told

    def hear(self, candle: Candle, offset: int, partition: int = 0) -> None:
        """Take in the candle at `offset` of a partition."""
        self.partitions[partition].hear(candle, offset)
        self._fetch_closes(self.partitions[partition])

    def run_on(self, now_us: int, partitions: Iterable[int] = (0,)) -> list[Decided]:
        """Decide what is due by our clock in partitions with nothing left to read."""
        decided: list[Decided] = []
        for number in partitions:
            decided += self.partitions[number].run_on(now_us)
        return self.merge(decided)

    def merge(self, decided: Iterable[Decided]) -> list[Decided]:
        """Take in state changes of symbols; return what all partitions have closed, in order."""
        for one in decided:
            self._pending[one.alert.alert_id] = one
        for number, partition in enumerate(self.partitions):
            self._fetch(number, partition)
        frontier = self.frontier()
        if frontier is None:
            return []
        due = sorted(
            (one for one in self._pending.values() if _tick(one) <= frontier),
            key=lambda one: (_tick(one), one.alert.exchange or "", one.alert.symbol or ""),
        )
        of_tick: dict[int, list[Decided]] = {tick: [] for tick in (*self._samples, *self._reports) if tick <= frontier}
        for one in due:
            del self._pending[one.alert.alert_id]
            of_tick.setdefault(_tick(one), []).append(one)
        told: list[Decided] = []
        for tick in sorted(of_tick):
            told += self._of_tick(tick, of_tick[tick], self._compare(tick))
        told += self._expired(frontier)
        self._merged = frontier
        return told

    def frontier(self) -> int | None:
        """The newest tick that all partitions have closed; None when none has closed any."""
        closed = [
            exchange.grid.closed
            for partition in self.partitions
            for exchange in partition.exchanges.values()
            if exchange.grid.closed
        ]
        if not closed:
            return None
        return max(min(closed), max(closed) - MOST_WAIT_TICKS) if self.is_live else min(closed)

    def divergence(self, base: str) -> tuple[int, Reading]:
        """The tick at which prices were compared last, and what was seen of a coin."""
        return self._compared, self._divergences.reading(base, self.rules)

    def packed(self) -> str:
        """What concerns several symbols, as text."""
        for number, partition in enumerate(self.partitions):
            self._fetch(number, partition)
        newest = max(self._seen.values(), default=0)
        self._seen = {name: tick for name, tick in self._seen.items() if abs(newest - tick) <= _SEEN_TICKS}
        elsewhere = self._elsewhere.packed()
        state: list[Any] = [
            self._legs.packed(),
            self._joining.packed(),
            {name: storm.packed() for name, storm in self._storms.items()},
            [[one.alert, one.delay_us] for one in self._pending.values()],
            self._seen,
            zlib_text(
                [self._divergences.packed(), self._halts.packed(), self._compared, list(self._closes), elsewhere]
            ),
            [sample for samples in self._samples.values() for sample in samples.values()],
            [(number, report) for of in self._reports.values() for (_, number), report in of.items()],
        ]
        return msgspec.json.encode(state).decode()

    def unpack(self, packed: str) -> None:
        """The inverse of `packed`."""
        legs, joining, storms, pending, self._seen, compared, samples, reports = msgspec.json.decode(packed)
        self._legs.unpack(legs)
        divergences, halts, self._compared, closes, elsewhere = of_zlib_text(compared)
        self._halts.unpack(halts)
        self._elsewhere.unpack(elsewhere)
        self._divergences.unpack(divergences)
        self._closes = deque(Close(*close) for close in closes)
        for sample in samples:
            self._keep(Sample(*sample))
        for number, report in msgspec.convert(reports, list[tuple[int, Report]]):
            self._keep_report(number, report)
        self._joining.unpack(joining)
        for name, state in storms.items():
            self._storms[name].unpack(state)
        alerts = [Decided(msgspec.convert(alert, Alert), delay_us) for alert, delay_us in pending]
        self._pending = {one.alert.alert_id: one for one in alerts}

    def _fetch(self, number: int, partition: Partition) -> None:
        for sample in partition.samples:
            self._keep(sample)
        for report in partition.reports:
            self._keep_report(number, report)
        partition.samples.clear()
        partition.reports.clear()
        self._fetch_prices(partition)
        self._fetch_closes(partition)

    def _fetch_prices(self, partition: Partition) -> None:
        for sample in partition.prices:
            self._divergences.note(sample, self._merged)
        partition.prices.clear()

    def _fetch_closes(self, partition: Partition) -> None:
        for close in partition.closes:
            if not close.tick:
                self._divergences.hear(close)
            elif not self._was_compared(close.tick) and self._divergences.may_count(close):
                self._closes.append(close)
                if len(self._closes) > MOST_CLOSES:
                    self._divergences.hear(self._closes.popleft())
        partition.closes.clear()

    def _keep(self, sample: Sample) -> None:
        if self._was_compared(sample.tick):
            self._divergences.correct(sample)
        else:
            self._samples.setdefault(sample.tick, {})[sample.exchange, sample.symbol] = sample

    def _keep_report(self, number: int, report: Report) -> None:
        if not self._was_compared(report.tick):
            self._reports.setdefault(report.tick, {})[report.exchange, number] = report

    def _was_compared(self, tick: int) -> bool:
        """Whether what comes of a boundary is a repeat, or comes from a partition that was not waited for."""
        return 0 <= self._compared - tick <= _SEEN_TICKS

    def _compare(self, tick: int) -> list[Decided]:
        """What follows from the samples and reports of a tick."""
        samples, reports = self._samples.pop(tick, {}), self._reports.pop(tick, {})
        if not samples and not reports:
            return []
        if tick < self._compared:
            self._divergences, self._halts, self._closes = Divergences(), Halts(), deque()
        self._compared = tick
        self._learn_until(tick)
        found, behind = [samples[market] for market in sorted(samples)], self._behind(tick)
        self.not_compared += self._divergences.left_out(behind)
        alerts = self._divergences.look(tick, found, self.rules, behind)
        alerts += self._halts.look(tick, [(of[1], reports[of]) for of in sorted(reports)], self.rules)
        return [Decided(alert, self._delay_us()) for alert in alerts]

    def _behind(self, tick: int) -> set[Place]:
        """Markets whose partition was not waited for at a tick, because it is read too slowly."""
        return {
            (name, symbol)
            for partition in self.partitions
            for name, exchange in partition.exchanges.items()
            if exchange.grid.closed < tick
            for symbol in exchange.detectors
        }

    def _learn_until(self, tick: int) -> None:
        if not self._closes:
            return
        waiting = list(self._closes)
        self._closes = deque(close for close in waiting if close.tick > tick)
        for close in waiting:
            if close.tick <= tick:
                self._divergences.hear(close)

    def _is_new(self, tick: int, one: Decided) -> bool:
        if tick <= self._seen.get(name_of(one.alert), -1) and self._is_repeat(one):
            return False
        self._seen[name_of(one.alert)] = tick
        return True

    def _of_tick(self, tick: int, changes: list[Decided], compared: list[Decided]) -> list[Decided]:
        told, market = self._expired(tick - 1), []
        for one in [*(one for one in changes if self._is_new(tick, one)), *compared]:
            completed = self._elsewhere.complete(one.alert, tick, self._divergences, self._behind(tick))
            begins = self._legs.begins(completed)
            own, *more = self._joining.take(completed, begins=begins)
            market += [Decided(word.alert, one.delay_us, beside=word.beside) for word in (own, *more)]
            if begins and own.alert.suppressed_by != JOINED and own.alert.direction in self._storms:
                self._storms[own.alert.direction].join(_member(own.alert, tick))
        for storm in self._storms.values():
            about_all = storm.decide(tick, self.rules) if market else None
            if about_all is not None:
                told.append(Decided(about_all, market[0].delay_us, storm.shown))
        return told + market

    def _is_repeat(self, one: Decided) -> bool:
        """Whether an old tick means that it was merged before; a recording of another time begins at old ticks too."""
        return self._seen[name_of(one.alert)] - _tick(one) <= _SEEN_TICKS

    def _expired(self, until_tick: int) -> list[Decided]:
        """What market-wide episodes do by themselves."""
        told: list[Decided] = []
        for storm in self._storms.values():
            while (alert := storm.expire(until_tick)) is not None:
                told.append(Decided(alert, self._delay_us(), storm.shown))
        return told

    def _delay_us(self) -> int:
        delays = [e.grid.delay_us for partition in self.partitions for e in partition.exchanges.values()]
        return max(delays, default=0)


def zlib_text(value: object) -> str:
    """A large value as short text."""
    return base64.b64encode(zlib.compress(msgspec.json.encode(value), 1)).decode()


def of_zlib_text(text: str) -> Any:
    """The inverse of `zlib_text`."""
    return msgspec.json.decode(zlib.decompress(base64.b64decode(text)))


def _tick(one: Decided) -> int:
    return tick_of(one.alert.event_at_us or 0)


def _member(alert: Alert, tick: int) -> Member:
    change = float(alert.change_pct or 0)
    return Member(
        tick, name_of(alert), alert.base or "", change, alert.severity, alert.received_at_us or 0,
        tuple(alert.detectors),
    )  # fmt: skip
