"""A market that is always traded falls silent while the others of its exchange go on. Minutes in, alerts out. Pure.

How long a silence has to be follows from how few minutes of the market pass without a trade; never less than five
minutes, and counted from when the others trade again: after a hole everybody begins one after the other.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from services.alert_worker.grid import GRID_US
from services.alert_worker.prices import price_text
from services.alert_worker.records import halt_episode_id
from services.alert_worker.rules.ruleset import DEFAULTS, Ruleset
from services.alert_worker.samples import Sample
from shared.events import Alert, AlertState

NAME = "halt"
REPORT_TICKS = 600
"""A minute."""

ACTIVE_US = 120_000_000
"""Who traded within this goes on trading."""

LEAST_PEERS = 3
LEAST_SHARE = 0.8
_MOST_BETWEEN_REPORTS_TICKS = 1_200


class Silence(NamedTuple):
    """A busy market without trades for longer than it ever is, and how long that is."""

    market: Sample
    limit_us: int


class Report(NamedTuple):
    """An exchange's share of a partition at a boundary: how many markets usually are busy, how many traded lately."""

    tick: int
    exchange: str
    busy: int
    active: int
    silences: tuple[Silence, ...]


class Going(msgspec.Struct, array_like=True):
    """A market that stands still."""

    episode_id: str
    rule_version: str
    partition: int
    market: Sample
    since: int


class Halts:
    """All exchanges."""

    def __init__(self) -> None:
        self._alive: dict[str, tuple[int, int]] = {}
        """Since which tick an exchange's markets trade without a break, and the newest report, by exchange."""
        self._going: dict[str, Going] = {}

    def look(self, tick: int, reports: Iterable[tuple[int, Report]], rules: Ruleset = DEFAULTS) -> list[Alert]:
        """What follows from the (partition, report)s of a tick."""
        told: list[Alert] = []
        of_exchange: dict[str, list[tuple[int, Report]]] = {}
        for partition, report in reports:
            of_exchange.setdefault(report.exchange, []).append((partition, report))
        for exchange, own in sorted(of_exchange.items()):
            alive_since = self._alive_since(exchange, tick, [report for _, report in own])
            for partition, report in own:
                told += self._ended(tick, partition, report)
                if alive_since is not None:
                    told += self._begun(tick, partition, report, alive_since, rules)
        return told

    def packed(self) -> list[Any]:
        """Everything, as plain values."""
        return [self._alive, msgspec.to_builtins(self._going)]

    def unpack(self, packed: list[Any]) -> None:
        """The inverse of `packed`."""
        alive, going = packed
        self._alive = {exchange: (since, newest) for exchange, (since, newest) in alive.items()}
        self._going = msgspec.convert(going, dict[str, Going])

    def _alive_since(self, exchange: str, tick: int, reports: list[Report]) -> int | None:
        busy, active = sum(report.busy for report in reports), sum(report.active for report in reports)
        # The share is of the others: of four, three that go on show that the fourth stands still by itself.
        if active < LEAST_PEERS or active < LEAST_SHARE * (busy - 1):
            self._alive.pop(exchange, None)
            return None
        since, newest = self._alive.get(exchange, (tick, tick))
        if not 0 <= tick - newest <= _MOST_BETWEEN_REPORTS_TICKS:
            since = tick
        self._alive[exchange] = (since, tick)
        return since

    def _ended(self, tick: int, partition: int, report: Report) -> list[Alert]:
        silent = {silence.market.symbol for silence in report.silences}
        over = [
            name
            for name, going in self._going.items()
            if going.partition == partition
            and going.market.exchange == report.exchange
            and going.market.symbol not in silent
        ]
        return [_record(self._going.pop(name), "resolve", tick) for name in sorted(over)]

    def _begun(self, tick: int, partition: int, report: Report, alive_since: int, rules: Ruleset) -> list[Alert]:
        told = []
        for market, limit_us in report.silences:
            name = f"{market.exchange}:{market.symbol}"
            since = max(market.traded_at_us // GRID_US, alive_since)
            if not rules.halt.enabled or name in self._going or (tick - since) * GRID_US < limit_us:
                continue
            since = market.traded_at_us // GRID_US
            episode_id = halt_episode_id(market.exchange, market.symbol, since, rules.version)
            going = self._going[name] = Going(episode_id, rules.version, partition, market, since)
            told.append(_record(going, "open", tick))
        return told


def _record(going: Going, state: AlertState, tick: int) -> Alert:
    market = going.market
    return Alert(
        alert_id=f"{going.episode_id}-{state}",
        episode_id=going.episode_id,
        state=state,
        kind=NAME,
        detectors=[NAME],
        scope="symbol",
        direction="none",
        severity="warning",
        started_at_us=going.since * GRID_US,
        decided_at_us=0,
        rule_version=going.rule_version,
        exchange=market.exchange,
        symbol=market.symbol,
        base=market.base,
        quote=market.quote,
        event_at_us=tick * GRID_US,
        price_now=price_text(market.price, market.scale),
        window_s=max(1, (tick - going.since) * GRID_US // 1_000_000),
    )
