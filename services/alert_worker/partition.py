"""All symbols of one partition of the trades topic: records in, alerts out; the same live and replayed."""

from collections import deque
from collections.abc import Iterable, Iterator
from sys import intern
from typing import NamedTuple

from services.alert_worker.baseline import MINUTE_US
from services.alert_worker.detector import Detector
from services.alert_worker.gap_past import Close
from services.alert_worker.grid import GRID_US, Grid, tick_of
from services.alert_worker.halts import ACTIVE_US, REPORT_TICKS, Report, Silence
from services.alert_worker.records import Market
from services.alert_worker.rules.ruleset import DEFAULTS, Ruleset
from services.alert_worker.samples import SAMPLE_TICKS, Sample
from services.alert_worker.storms import Member
from shared.events import Alert, Candle, Trade

HOLD_US = 2_000_000
"""A candle counts so long after it was received: by then everybody has read it, whatever came between. So it counts
between the same two ticks live, replayed and after a restart."""

MOST_CANDLES = 20_000
"""Of one exchange wait at most; further ones count at once."""

SILENT_US = 500_000
"""Records of two exchanges are in the order of their receipt to about this much."""


SECOND_TICKS = 10


class Decided(NamedTuple):
    """An alert, and the exchange's running clock offset (received - traded) when it was decided."""

    alert: Alert
    delay_us: int
    members: tuple[Member, ...] = ()
    """Of a market-wide one, each with what decides whether people hear of it."""
    beside: tuple[Alert, ...] = ()
    """See `joining.Word`."""


_AHEAD_TICKS = 36_000
"""Candles of another time than the trades' wait for nothing."""

Entry = tuple[int, int, int, Detector, Trade]
"""(traded_at_us, trade_id, offset, detector, trade) of one that waits for its tick; the offset is unique, so the order
is settled before the detector. A plain tuple, because there is one for every trade."""


class Exchange:
    """One exchange's share of a partition: its own event time and its symbols."""

    def __init__(self) -> None:
        self.grid: Grid[Entry] = Grid()
        self.detectors: dict[str, Detector] = {}
        self.open: dict[Detector, None] = {}
        """Those with an episode, which may resolve without a trade."""
        self.suspected: dict[Detector, None] = {}
        """Those with a move that is not confirmed yet, which may be confirmed without a trade."""
        self.traded: dict[Detector, None] = {}
        """Those compared with another exchange that traded since the last boundary."""
        self.boundary = 0
        """The tick up to which samples were taken."""
        self.moved: dict[Detector, None] = {}
        """Those of them that traded since the last second."""
        self.second = 0
        """The tick up to which their prices were noted."""
        self.candles: deque[tuple[int, int, Candle]] = deque()
        """(tick, offset, candle) of those that wait for their tick."""


class Partition:
    """The watch over one partition."""

    def __init__(self, rules: Ruleset = DEFAULTS) -> None:
        self.rules = rules
        self.exchanges: dict[str, Exchange] = {}
        self.position = 0
        """Offset of the next record."""
        self.candle_position = 0
        """The same of the candles' partition."""
        self.heard_until = 0
        """Records before this one have moved the clocks already (set when restored)."""
        self.ignored = 0
        """Trades that took no part: their time is far off the exchange's clock, or their price has too many digits."""
        self.samples: list[Sample] = []
        """What the watch has not fetched yet."""
        self.prices: list[Sample] = []
        """The same of seconds."""
        self.reports: list[Report] = []
        """The same of minutes."""
        self.closes: list[Close] = []
        """The same of candles that are compared with another exchange."""

    def change_rules(self, rules: Ruleset) -> None:
        """Judge by other rules from the next decision on; episodes that are open go on as they are."""
        self.rules = rules
        for detector in self.symbols():
            detector.rules = rules

    def observe(self, trade: Trade, offset: int) -> list[Decided]:
        """Take in the record at `offset`; return what was decided by then."""
        return self.observe_some(iter([(offset, trade)])) or []

    def observe_some(self, records: Iterator[tuple[int, Trade]]) -> list[Decided] | None:
        """Take in (offset, trade)s until ticks close, and return what was decided; None when none is left before that.

        One loop for all of a batch, because what is asked of every trade costs most.
        """
        exchanges, heard_until, offset = self.exchanges, self.heard_until, self.position - 1
        for offset, trade in records:
            exchange = exchanges.get(trade.exchange) or self._exchange(trade.exchange)
            grid, traded_at_us, received_at_us = exchange.grid, trade.traded_at_us, trade.received_at_us
            decided = None
            is_live = trade.origin == "stream"
            if is_live and offset >= heard_until and grid.hear(traded_at_us, received_at_us):
                decided = self._close(exchange)
                decided += self._run_others_on(exchange, received_at_us)
            detector = exchange.detectors.get(trade.symbol) or self._detector(exchange, trade)
            if offset >= detector.next_offset:
                if is_live and not grid.least_delay_us <= received_at_us - traded_at_us <= grid.most_delay_us:
                    self.ignored += 1
                else:
                    tick = -(-traded_at_us // GRID_US)
                    entry = (traded_at_us, int(trade.trade_id), offset, detector, trade)
                    if tick in grid.waiting_at:
                        grid.waiting_at[tick].append(entry)
                    else:
                        grid.waiting_at[tick] = [entry]
            if decided is not None:
                self.position = offset + 1
                return decided
        self.position = offset + 1
        return None

    def hear(self, candle: Candle, offset: int) -> None:
        """Take in the record at `offset` of the candles' partition."""
        self.candle_position = offset + 1
        exchange = self.exchanges.get(candle.exchange) or self._exchange(candle.exchange)
        tick = tick_of(candle.received_at_us + HOLD_US)
        if not 0 < tick - exchange.grid.closed <= _AHEAD_TICKS or not exchange.grid.closed:
            self._take_candle(exchange, candle, 0)
            return
        exchange.candles.append((tick, offset, candle))
        if len(exchange.candles) > MOST_CANDLES:
            self._take_candle(exchange, exchange.candles.popleft()[2], 0)

    @property
    def candles_resume(self) -> int:
        """The first record of the candles' partition that does not count yet."""
        waiting = (exchange.candles[0][1] for exchange in self.exchanges.values() if exchange.candles)
        return min(waiting, default=self.candle_position)

    def run_on(self, now_us: int) -> list[Decided]:
        """Decide what is due by our clock, while nothing is left to read."""
        decided: list[Decided] = []
        for exchange in self.exchanges.values():
            if exchange.grid.run_on(now_us):
                decided += self._close(exchange)
        return decided

    def symbols(self) -> Iterator[Detector]:
        """Every symbol that was seen."""
        for exchange in self.exchanges.values():
            yield from exchange.detectors.values()

    def waiting(self) -> dict[Detector, int]:
        """First offset that waits for its tick, by symbol."""
        first: dict[Detector, int] = {}
        for exchange in self.exchanges.values():
            for entry in exchange.grid.waiting():
                _, _, offset, detector, _ = entry
                first[detector] = min(offset, first.get(detector, offset))
        return first

    def _run_others_on(self, heard: Exchange, received_at_us: int) -> list[Decided]:
        """An exchange that is silent must not keep the others waiting: what it sent by now would be here."""
        decided: list[Decided] = []
        for exchange in self.exchanges.values():
            if exchange is not heard and exchange.grid.run_on(received_at_us - SILENT_US):
                decided += self._close(exchange)
        return decided

    def _take_candles(self, exchange: Exchange, tick: int) -> None:
        while exchange.candles and exchange.candles[0][0] <= tick:
            counts_at, _, candle = exchange.candles.popleft()
            self._take_candle(exchange, candle, counts_at)

    def _take_candle(self, exchange: Exchange, candle: Candle, tick: int) -> None:
        detector = exchange.detectors.get(candle.symbol) or self._detector(exchange, candle)
        detector.take_candle(candle)
        is_past = candle.opened_at_us <= candle.received_at_us  # one of the future would hide all that comes before it
        if detector.is_leg and is_past and (price := float(candle.close)) > 0:
            minute = candle.opened_at_us // MINUTE_US
            self.closes.append(Close(tick, candle.exchange, candle.base, candle.quote, minute, price))

    def _exchange(self, name: str) -> Exchange:
        exchange = self.exchanges[name] = Exchange()
        return exchange

    def _detector(self, exchange: Exchange, event: Trade | Candle) -> Detector:
        # Every record has texts of its own, and those of the first would stay: one of a name is enough.
        market = Market(intern(event.exchange), event.symbol, intern(event.base), intern(event.quote))
        detector = exchange.detectors[event.symbol] = Detector(market, self.rules)
        return detector

    def _close(self, exchange: Exchange) -> list[Decided]:
        decided: list[Decided] = []
        if exchange.grid.closed < exchange.boundary:
            exchange.traded.clear()
            exchange.moved.clear()
            exchange.boundary = exchange.second = 0
        for tick, entries in exchange.grid.take():
            self._pass(exchange, tick - 1, decided)
            if exchange.candles:
                self._take_candles(exchange, tick)
            if len(entries) > 1:
                entries.sort()
            for detector in self._apply(exchange, tick, entries, decided):
                if detector.is_leg:
                    exchange.moved[detector] = None
                if (alert := detector.decide(tick)) is not None:
                    self._tell(exchange, detector, alert, decided)
                if detector.suspicion is not None:
                    exchange.suspected[detector] = None
        self._pass(exchange, exchange.grid.closed, decided)
        self._take_candles(exchange, exchange.grid.closed)
        for detector in list(exchange.open):
            self._tell(exchange, detector, detector.expire(exchange.grid.closed), decided)
        return decided

    def _pass(self, exchange: Exchange, until_tick: int, decided: list[Decided]) -> None:
        """Do what is due by a tick without a trade."""
        if until_tick >= exchange.second + SECOND_TICKS:
            self._note_prices(exchange, until_tick)
        if until_tick >= exchange.boundary + SAMPLE_TICKS:
            self._sample(exchange, until_tick)
        if exchange.suspected:
            self._confirm(exchange, until_tick, decided)

    def _confirm(self, exchange: Exchange, until_tick: int, decided: list[Decided]) -> None:
        """Judge again, each at its tick, whose move is suspected and who was not traded since."""
        for detector in sorted(exchange.suspected, key=lambda one: one.confirms_at):
            tick = detector.confirms_at
            if tick > until_tick:
                continue
            del exchange.suspected[detector]
            if tick:
                self._take_candles(exchange, tick)
                self._tell(exchange, detector, detector.expire(tick - 1), decided)
                self._tell(exchange, detector, detector.confirm(tick), decided)

    def _note_prices(self, exchange: Exchange, tick: int) -> None:
        """The same as `_sample` for a second."""
        at = exchange.second + SECOND_TICKS
        self.prices += [sample_of(detector, at) for detector in exchange.moved if detector.window.last]
        exchange.traded.update(exchange.moved)
        exchange.moved.clear()
        exchange.second = tick - tick % SECOND_TICKS

    def _sample(self, exchange: Exchange, tick: int) -> None:
        """All ticks up to this one are decided: note the prices of what traded up to the boundary that is in them."""
        at = exchange.boundary + SAMPLE_TICKS
        self.samples += [sample_of(detector, at) for detector in exchange.traded if detector.window.last]
        exchange.traded.clear()
        before, exchange.boundary = exchange.boundary, tick - tick % SAMPLE_TICKS
        minute = before - before % REPORT_TICKS + REPORT_TICKS
        if before and minute <= exchange.boundary and exchange.detectors:
            self.reports.append(report_of(exchange, minute))

    def _apply(self, exchange: Exchange, tick: int, entries: list[Entry], decided: list[Decided]) -> Iterable[Detector]:
        """Apply a tick's trades; return the symbols that have to be judged."""
        judged: dict[Detector, None] = {}
        era = exchange.grid.era
        for traded_at_us, trade_id, _, detector, trade in entries:
            if detector.era != era:
                self._begin_era(exchange, detector, decided)
            if detector.episode is not None:
                self._tell(exchange, detector, detector.expire(tick - 1), decided)
            is_live = trade.origin == "stream"
            if not is_live:
                detector.note_refill(traded_at_us)
            if tick <= detector.last_tick:
                detector.apply_late(traded_at_us, trade)
            elif counted := detector.apply(traded_at_us, trade_id, trade):
                if is_live:
                    judged[detector] = None
            elif counted is None:
                self.ignored += 1
        return judged

    def _begin_era(self, exchange: Exchange, detector: Detector, decided: list[Decided]) -> None:
        if detector.episode is not None:
            self._tell(exchange, detector, detector.give_up(), decided)
        detector.forget()
        detector.era = exchange.grid.era

    def _tell(self, exchange: Exchange, detector: Detector, alert: Alert | None, decided: list[Decided]) -> None:
        if alert is None:
            return
        if detector.episode is None:
            exchange.open.pop(detector, None)
        else:
            exchange.open[detector] = None
        decided.append(Decided(alert, exchange.grid.delay_us))


def sample_of(detector: Detector, tick: int) -> Sample:
    """The price that a symbol goes by."""
    market = detector.market
    return Sample(
        tick, market.exchange, market.symbol, market.base, market.quote, detector.window.last, detector.scale,
        detector.last_us, detector.received_at_us,
    )  # fmt: skip


def report_of(exchange: Exchange, tick: int) -> Report:
    """Which of an exchange's busy markets trade, and which fell silent."""
    busy = active = 0
    silences: list[Silence] = []
    name = ""
    for detector in exchange.detectors.values():
        name, limit_us = detector.market.exchange, detector.silence_limit_us
        if not limit_us or not detector.last_us:  # a market that has not traded since we look may never have
            continue
        busy += 1
        silent_us = tick * GRID_US - detector.last_us
        if silent_us < ACTIVE_US:
            active += 1
        elif silent_us >= limit_us:
            silences.append(Silence(sample_of(detector, tick), limit_us))
    return Report(tick, name, busy, active, tuple(sorted(silences, key=lambda one: one.market.place)))
