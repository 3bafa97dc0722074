"""One symbol: its window, its baseline and its episode, composed. Trades in, state changes out."""

from services.alert_worker.baseline import Baseline
from services.alert_worker.episodes import COOLDOWN_TICKS, Episode, step_of
from services.alert_worker.grid import GRID_US
from services.alert_worker.prices import MAX_PRICE, read_price
from services.alert_worker.records import Market, Moment, alert_of, episode_id
from services.alert_worker.rules import RULES
from services.alert_worker.rules.base import SMALLEST_FLOOR, TIE, Finding, Sight
from services.alert_worker.window import Window
from shared.events import Alert, AlertState, Trade

_QUIET_FALL, _QUIET_RISE = 1 - SMALLEST_FLOOR + TIE, 1 + SMALLEST_FLOOR - TIE
MINUTE_US = 60_000_000
CONFIRM_TICKS = 3
"""A move opens an episode only when it still stands this much later, so that one odd print or sweep does not."""


class Detector:
    """Watches one symbol. The price it goes by is the median of the last three trades: one odd print moves nothing."""

    __slots__ = (
        "baseline", "cooldown", "episode", "era", "is_changed", "last_id", "last_tick", "last_us", "market",
        "next_offset", "prices", "received_at_us", "scale", "sight", "suspicion", "window",
    )  # fmt: skip

    def __init__(self, market: Market) -> None:
        self.market = market
        self.next_offset = 0
        """Records before this one are in the state already."""
        self.is_changed = True
        """Whether the state differs from what was last saved."""
        self.era = 0
        """The exchange's era that the prices belong to, see `grid.Grid.era`."""
        self.baseline = Baseline()
        self.forget()

    def forget(self) -> None:
        """Forget prices and episode, keep what is usual."""
        self.baseline.interrupt()
        self.window = Window()
        self.sight = Sight(self.market.quote, self.window, self.baseline)
        self.episode: Episode | None = None
        self.last_tick = 0
        self.prices: list[int] = []
        self.scale = 0
        self.last_us = self.last_id = self.received_at_us = 0
        self.suspicion: tuple[int, int] | None = None
        """(direction, tick since) of a move that is not confirmed yet."""
        self.cooldown: tuple[int, float] = (0, 0.0)
        """(until tick, depth) of the last episode."""

    def apply(self, traded_at_us: int, trade_id: int, trade: Trade) -> bool | None:
        """Take in a trade; say whether it counted: not if no newer than the last. None: its price does not fit."""
        if (traded_at_us, trade_id) <= (self.last_us, self.last_id):
            return False
        self.is_changed = True
        price, scale = read_price(trade.price)
        if scale != self.scale or price >= MAX_PRICE:
            rescaled = self._scaled(price, scale)
            if rescaled is None:
                return None
            price = rescaled
        self.last_us, self.last_id, self.received_at_us = traded_at_us, trade_id, trade.received_at_us
        prices, baseline, window = self.prices, self.baseline, self.window
        if traded_at_us // MINUTE_US != baseline.minute:
            baseline.begin_minute(traded_at_us // MINUTE_US, window.last / 10**self.scale)
        baseline.spent += float(trade.price) * float(trade.quantity)
        if len(prices) < 2:
            prices.append(price)
            return True
        first, second = prices
        prices[0], prices[1] = second, price
        if first > second:
            first, second = second, first
        window.add(traded_at_us, first if price < first else min(price, second))
        return True

    def apply_late(self, traded_at_us: int, trade: Trade) -> None:
        """Take in a trade whose tick was decided already: it corrects the window and raises nothing."""
        self.is_changed = True
        price = self._scaled(*read_price(trade.price))
        if price is not None:
            self.window.add_late(traded_at_us, price)

    def decide(self, tick: int) -> Alert | None:
        """Judge the symbol at a tick, after its trades up to there were applied."""
        self.last_tick = tick
        window = self.window
        if not window.high:
            return None
        if self.episode is not None:
            return self._continue(self.episode, tick)
        if window.last > window.high * _QUIET_FALL and window.last < window.low * _QUIET_RISE:
            self._drop_suspicion()
            return None
        return self._suspect(tick)

    def expire(self, until_tick: int) -> Alert | None:
        """Resolve the episode if that was due by a tick and no trade came in the way."""
        episode = self.episode
        if episode is None or episode.due_tick > until_tick:
            return None
        self.is_changed = True
        tick = self.last_tick = episode.due_tick
        return self._resolve(episode, tick)

    def give_up(self) -> Alert | None:
        """Resolve the episode, if there is one, where it stands: its time is no more."""
        return None if self.episode is None else self._resolve(self.episode, self.last_tick)

    def _findings(self) -> list[Finding]:
        return [finding for rule in RULES if (finding := rule.judge(self.sight))]

    def _suspect(self, tick: int) -> Alert | None:
        findings = self._findings()
        if self.suspicion is not None and (not findings or findings[0].direction != self.suspicion[0]):
            self._drop_suspicion()
            findings = self._findings()
        findings = [finding for finding in findings if not self._cools(finding, tick)]
        if not findings:
            return None
        if self.suspicion is None:
            self.suspicion = (findings[0].direction, tick)
        if tick - self.suspicion[1] < CONFIRM_TICKS or not self._stands(findings[0]):
            return None
        return self._open(findings, self.suspicion[1], tick)

    def _drop_suspicion(self) -> None:
        """A move went back before it was confirmed: the way back must not look like a move either."""
        if self.suspicion is not None:
            direction, since = self.suspicion
            self.window.disown((since - 1) * GRID_US, direction)
            self.suspicion = None

    def _stands(self, finding: Finding) -> bool:
        """Say whether the newest print itself is beyond half of the move: the median lags behind a return by one."""
        return finding.direction * (self.prices[-1] / finding.before - 1) > abs(finding.change) / 2

    def _cools(self, finding: Finding, tick: int) -> bool:
        until, depth = self.cooldown
        return tick < until and abs(finding.change) < depth

    def _open(self, findings: list[Finding], since: int, tick: int) -> Alert:
        self.suspicion = None
        first, window = findings[0], self.window
        before = max((f.before for f in findings if f.direction == first.direction), key=lambda b: abs(b - window.last))
        depth = abs(window.last / before - 1)
        episode = Episode(
            episode_id=episode_id(self.market, first.direction, since),
            direction=first.direction,
            before=before,
            before_at_us=window.began_us(before),
            started_tick=since,
            kind=first.rule,
            now=window.last,
            extreme=window.last,
            calm_since=tick,
            step=step_of(depth),
            counted=depth,
        )
        episode.join(findings)
        self.episode = episode
        return self._record(episode, "open", tick)

    def _continue(self, episode: Episode, tick: int) -> Alert | None:
        change = episode.move(self.window.last, tick)
        if change is None:
            return None
        episode.join(self._findings())
        return self._resolve(episode, tick) if change == "resolve" else self._record(episode, change, tick)

    def _resolve(self, episode: Episode, tick: int) -> Alert:
        record = self._record(episode, "resolve", tick)
        self.episode = None
        self.cooldown = (tick + COOLDOWN_TICKS, episode.deepest)
        # Seen from here the move is history. When the price went past its origin, the way from there still counts.
        seed = [episode.before, episode.now] if episode.outcome() == "crossed" else [episode.now]
        self.window.restart(tick * GRID_US, seed)
        return record

    def _record(self, episode: Episode, state: AlertState, tick: int) -> Alert:
        event_at_us = tick * GRID_US if state == "resolve" else self.last_us
        moment = Moment(event_at_us, self.received_at_us)
        return alert_of(episode, state, self.market, self.scale, moment)

    def _scaled(self, price: int, scale: int) -> int | None:
        """The price at the symbol's scale; None when that needs more digits than there is room for."""
        if scale < self.scale:
            fitting = price * 10 ** (self.scale - scale)
            if fitting >= MAX_PRICE > price and self.episode is None:
                # What the symbol began with was no price: nothing else is so many orders of magnitude away.
                self.forget()
                self.scale, fitting = scale, price
            price = fitting
        elif scale > self.scale and not self._rescale(scale):
            return None
        return price if price < MAX_PRICE else None

    def _rescale(self, scale: int) -> bool:
        factor = 10 ** (scale - self.scale)
        if max(self.window.high, *self.prices, 0) * factor >= MAX_PRICE:
            return False
        self.scale = scale
        self.prices = [price * factor for price in self.prices]
        self.window.multiply(factor)
        if self.episode is not None:
            self.episode.multiply(factor)
        return True
