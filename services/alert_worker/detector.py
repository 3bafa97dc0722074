"""One symbol: its window, its baseline and its episode, composed. Trades in, state changes out."""

import math

import msgspec

from services.alert_worker.baseline import MINUTE_US, Baseline
from services.alert_worker.episodes import Episode, step_of
from services.alert_worker.grid import GRID_US
from services.alert_worker.prices import MAX_PRICE, read_price
from services.alert_worker.records import Market, Moment, alert_of, episode_id
from services.alert_worker.rules.base import DOWN, UP, Finding
from services.alert_worker.rules.ruleset import DEFAULTS, Ruleset
from services.alert_worker.samples import LEGS
from services.alert_worker.window import SILENCE_US, Window
from shared.events import Alert, AlertState, Candle, Trade

CONFIRM_TICKS = 3
"""A move opens an episode only when it still stands this much later, so that one odd print or sweep does not."""

BUSY_MINUTES, BUSY_SHARE = 120, 0.9
"""Who was traded in nine of ten minutes, of some hours, is busy."""

_UNLIKELY = 41.4
"""Twice -ln(1e-9): trades come in clusters."""

ODD_TIMES, ODD_US = 5, 60_000_000
"""A price five times or a fifth of the last one is a bad print until it stood for a minute."""
_ODD_SQUARE = ODD_TIMES**2


class Detector:
    """Watches one symbol. The price it goes by is the median of the last three trades: one odd print moves nothing."""

    __slots__ = (
        "baseline", "episode", "era", "is_changed", "is_drifting", "is_leg", "last_id", "last_tick", "last_us",
        "market", "newer", "next_offset", "odd_since_us", "older", "over", "received_at_us", "refilled_us", "rules",
        "scale", "suspicion", "window",
    )  # fmt: skip

    def __init__(self, market: Market, rules: Ruleset = DEFAULTS) -> None:
        self.market, self.rules = market, rules
        self.is_leg = (market.exchange, market.quote) in LEGS
        """Whether its price is compared with another exchange's."""
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
        self.is_drifting = False
        """Whether the rule for slow moves has a say, although the window is quiet; renewed every minute."""
        self.episode: Episode | None = None
        self.last_tick = 0
        self.older = self.newer = 0
        """The last two prints; 0 for none."""
        self.scale = 0
        self.last_us = self.last_id = self.received_at_us = self.odd_since_us = 0
        self.refilled_us = 0
        """When the newest trade was traded that came as a refill."""
        self.suspicion: tuple[int, int] | None = None
        """(direction, tick since) of a move that is not confirmed yet."""
        self.over: tuple[Episode, int] | None = None
        """The last episode and the tick at which it was over: a further move soon after still belongs to it."""

    def apply(self, traded_at_us: int, trade_id: int, trade: Trade) -> bool | None:
        """Take in a trade; say whether it counted: not if no newer than the last. None: its price does not fit."""
        last_us = self.last_us
        if traded_at_us <= last_us and (traded_at_us < last_us or trade_id <= self.last_id):
            return False
        self.is_changed = True
        text = trade.price
        whole, _, fraction = text.partition(".")
        price = int(whole + fraction) if len(fraction) == self.scale else MAX_PRICE
        if price >= MAX_PRICE:
            rescaled = self._scaled(*read_price(text))
            if rescaled is None:
                return None
            price = rescaled
        baseline, window = self.baseline, self.window
        if traded_at_us - last_us >= SILENCE_US:
            self.older = self.newer = 0
        self.last_us, self.last_id, self.received_at_us = traded_at_us, trade_id, trade.received_at_us
        usual = window.last
        if usual and not usual < price * ODD_TIMES < usual * _ODD_SQUARE:
            if self._is_odd(traded_at_us):
                return True
        elif self.odd_since_us:
            self.odd_since_us = 0
        if traded_at_us >= baseline.ends_us:
            baseline.begin_minute(traded_at_us // MINUTE_US, usual)
            self.is_drifting = baseline.trend.longest >= self.rules.least_drift
        baseline.trades += 1
        baseline.spent += float(text) * float(trade.quantity)
        low, high = self.older, self.newer
        self.older, self.newer = high, price
        if not low:
            return True
        if low > high:
            low, high = high, low
        window.add(traded_at_us, low if price < low else high if price > high else price)
        return True

    def _is_odd(self, traded_at_us: int) -> bool:
        """A price of another order of magnitude has to stand for a minute before it is one."""
        self.odd_since_us = self.odd_since_us or traded_at_us
        return traded_at_us - self.odd_since_us < ODD_US

    def take_candle(self, candle: Candle) -> None:
        """Learn what is usual from a minute of the past. Nothing is judged by it."""
        close = float(candle.close)
        if close > 0 and self.baseline.take_candle(candle.opened_at_us // MINUTE_US, close, float(candle.turnover)):
            self.is_changed = True

    def apply_late(self, traded_at_us: int, trade: Trade) -> None:
        """Take in a trade whose tick was decided already: it corrects the window and raises nothing."""
        self.is_changed = True
        price = self._scaled(*read_price(trade.price))
        if price is not None:
            self.window.add_late(traded_at_us, price)

    def note_refill(self, traded_at_us: int) -> None:
        """A trade was refilled: alerts over a window that reaches back to it are marked."""
        self.refilled_us = max(self.refilled_us, traded_at_us)

    def decide(self, tick: int) -> Alert | None:
        """Judge the symbol at a tick, after its trades up to there were applied."""
        self.last_tick = tick
        window, rules = self.window, self.rules
        last = window.last
        if not last:
            return None
        if self.episode is not None:
            return self._continue(self.episode, tick)
        if window.high * rules.quiet_fall < last < window.low * rules.quiet_rise and not self.is_drifting:
            if self.suspicion is not None:
                self._drop_suspicion()
            return None
        return self._suspect(tick)

    @property
    def silence_limit_us(self) -> int:
        """How long it is never silent: what minutes without a trade make next to impossible. 0 where it often is."""
        baseline = self.baseline
        share = baseline.busy_share
        if baseline.minutes < BUSY_MINUTES or share < BUSY_SHARE:
            return 0
        return int(max(5.0, _UNLIKELY / -math.log1p(-min(share, 0.999))) * MINUTE_US)

    def expire(self, until_tick: int) -> Alert | None:
        """Resolve the episode if that was due by a tick and no trade came in the way."""
        episode = self.episode
        if episode is None or episode.due_tick > until_tick:
            return None
        self.is_changed = True
        tick = self.last_tick = episode.due_tick
        return self._resolve(episode, tick)

    @property
    def confirms_at(self) -> int:
        """The tick at which a suspicion is confirmed if nothing is traded until then; 0 without one."""
        return 0 if self.suspicion is None else self.suspicion[1] + CONFIRM_TICKS

    def confirm(self, tick: int) -> Alert | None:
        """Judge again what is suspected, at a tick since which nothing was traded, where it belongs to what was told.

        Who was told of the market need not wait for its next trade. What opens a message does: in a thin market two
        prints of one order stand until somebody trades again.
        """
        is_silent = self.last_us <= self.last_tick * GRID_US < tick * GRID_US
        if not is_silent or self.earlier(tick) is None:
            return None
        self.is_changed = True
        return self.decide(tick)

    def give_up(self) -> Alert | None:
        """Resolve the episode, if there is one, where it stands: its time is no more."""
        return None if self.episode is None else self._resolve(self.episode, self.last_tick)

    def _findings(self, direction: int = 0) -> list[Finding]:
        opens = self.earlier(self.last_tick) is None
        return self.rules.findings(self.market.quote, self.window, self.baseline, direction, opens=opens)

    def _suspect(self, tick: int, direction: int = 0) -> Alert | None:
        findings = self._findings(direction)
        if self.suspicion is not None and (not findings or findings[0].direction != self.suspicion[0]):
            self._drop_suspicion()
            findings = self._findings(direction)
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
        return finding.direction * (self.newer / finding.before - 1) > abs(finding.change) / 2

    def _open(self, findings: list[Finding], since: int, tick: int) -> Alert:
        self.suspicion = None
        first, window = findings[0], self.window
        going = self.episode
        if going is not None and first.direction == going.direction and not going.has_paused(tick):
            going.join(findings)
            return self._record(going, "escalate", tick)
        furthest = max(
            (found for found in findings if found.direction == first.direction),
            key=lambda found: abs(found.before - window.last),
        )
        before, depth = furthest.before, abs(furthest.change)
        episode = Episode(
            episode_id=episode_id(self.market, first.direction, since, self.rules.version),
            rule_version=self.rules.version,
            floor=self.rules.floor,
            direction=first.direction,
            before=before,
            before_at_us=furthest.began_us or window.began_us(before),
            started_tick=since,
            opened_tick=since,
            kind=first.rule,
            now=window.last,
            extreme=window.last,
            calm_since=tick,
            step=step_of(depth),
            counted=depth,
        )
        earlier = self.earlier(tick)
        if earlier is not None:
            episode.episode_id, episode.opened_tick = earlier.episode_id, earlier.opened_tick
            episode.rule_version, episode.words = earlier.rule_version, earlier.words
        episode.join(findings)
        self.episode, self.over = episode, None
        self._end_drift()
        return self._record(episode, "open" if earlier is None else "escalate", tick)

    def earlier(self, tick: int) -> Episode | None:
        """The episode that a move at `tick` belongs to, if any."""
        if self.episode is not None or self.over is None:
            return self.episode
        episode, over_tick = self.over
        return episode if episode.takes_up(over_tick, tick) else None

    def _continue(self, episode: Episode, tick: int) -> Alert | None:
        change = episode.move(self.window.last, tick)
        if change is None:
            return self._move_on(episode, tick)
        self.suspicion = None
        episode.join(self._findings(episode.direction))
        return self._resolve(episode, tick) if change == "resolve" else self._record(episode, change, tick)

    def _move_on(self, episode: Episode, tick: int) -> Alert | None:
        """A further leg, if there is one."""
        window, rules = self.window, self.rules
        for direction, is_far in (
            (UP, window.last >= window.low * rules.quiet_rise),
            (DOWN, window.last <= window.high * rules.quiet_fall),
        ):
            is_news = episode.may_go_on if direction == episode.direction else episode.may_turn
            if is_far and is_news(tick):
                return self._suspect(tick, direction)
        self._drop_suspicion()
        return None

    def _resolve(self, episode: Episode, tick: int) -> Alert:
        record = self._record(episode, "resolve", tick)
        self.episode, self.over = None, (episode, tick)
        self._leave_behind(episode, tick)
        self._end_drift()
        return record

    def _leave_behind(self, episode: Episode, tick: int) -> None:
        """The way there was told. The way back counts on, where it would be news: it may go on beyond.

        When the price went past its origin, the way from there counts in any case.
        """
        window, since = self.window, episode.calm_since if episode.may_turn(tick) else tick + 1
        window.leave_only(episode.direction, since * GRID_US)
        if episode.outcome() == "crossed":
            window.add(tick * GRID_US, episode.before)
            window.add(tick * GRID_US, episode.now)

    def _end_drift(self) -> None:
        """What was told of is no news any more."""
        self.baseline.trend.restart()
        self.is_drifting = False

    def _record(self, episode: Episode, state: AlertState, tick: int) -> Alert:
        episode.words += 1
        episode.word_tick = tick
        if state != "resolve":
            episode.note_volume(self.baseline.volume_now())
        is_by_trade = state != "resolve" and self.last_us > (tick - 1) * GRID_US
        event_at_us = self.last_us if is_by_trade else tick * GRID_US
        moment = Moment(event_at_us, self.received_at_us)
        alert = alert_of(episode, state, self.market, self.scale, moment)
        is_refilled = state != "resolve" and self.refilled_us >= episode.before_at_us
        return msgspec.structs.replace(alert, data_quality="gapped") if is_refilled else alert

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
        if max(self.window.high, self.older, self.newer) * factor >= MAX_PRICE:
            return False
        self.scale = scale
        self.older, self.newer = self.older * factor, self.newer * factor
        self.window.multiply(factor)
        self.baseline.multiply(factor)
        if self.episode is not None:
            self.episode.multiply(factor)
        return True
