"""An episode's state change as the Alert record that Kafka keeps. Ids follow from the trades alone."""

import hashlib
from dataclasses import dataclass

import msgspec

from services.alert_worker.episodes import Episode
from services.alert_worker.grid import GRID_US
from services.alert_worker.prices import price_text
from services.alert_worker.rules.base import UP
from services.alert_worker.volume import NAME as VOLUME
from shared.events import Alert, AlertState


class Market(msgspec.Struct, frozen=True, gc=False):
    """What is traded where."""

    exchange: str
    symbol: str
    base: str
    quote: str


def episode_id(market: Market, direction: int, started_tick: int, rule_version: str) -> str:
    """Same trades, same id: replayed, after a restart, and in a second worker."""
    name = "\n".join((rule_version, market.exchange, market.symbol, str(direction), str(started_tick)))
    return hashlib.blake2b(name.encode(), digest_size=10).hexdigest()


def divergence_episode_id(base: str, direction: int, started_tick: int, rule_version: str) -> str:
    """The same for a gap between exchanges that changed."""
    name = "\n".join((rule_version, "divergence", base, str(direction), str(started_tick)))
    return hashlib.blake2b(name.encode(), digest_size=10).hexdigest()


def halt_episode_id(exchange: str, symbol: str, since_tick: int, rule_version: str) -> str:
    """The same for a market that stands still."""
    name = "\n".join((rule_version, "halt", exchange, symbol, str(since_tick)))
    return hashlib.blake2b(name.encode(), digest_size=10).hexdigest()


def notice_episode_id(exchange: str, symbol: str, at_us: int, rule_version: str) -> str:
    """The same for what an exchange said of a market; `at_us` is of the record that says it."""
    name = "\n".join((rule_version, "notice", exchange, symbol, str(at_us)))
    return hashlib.blake2b(name.encode(), digest_size=10).hexdigest()


def market_episode_id(direction: str, started_tick: int, rule_version: str) -> str:
    """The same for an episode of the whole market."""
    name = "\n".join((rule_version, "market", direction, str(started_tick)))
    return hashlib.blake2b(name.encode(), digest_size=10).hexdigest()


@dataclass(frozen=True, slots=True)
class Moment:
    """When a state change happened, on the exchange's clock, and when we had received the trade that caused it."""

    event_at_us: int
    received_at_us: int


def alert_of(episode: Episode, state: AlertState, market: Market, scale: int, moment: Moment) -> Alert:
    """The record. `decided_at_us` is the shell's to fill in.

    Prices come back exactly as they were read, percentages are rounded to two places.
    """
    return Alert(
        alert_id=f"{episode.episode_id}-{episode.words}-{state}",
        episode_id=episode.episode_id,
        state=state,
        kind=episode.kind,
        detectors=[*episode.detectors, *([VOLUME] if episode.is_traded else [])],
        scope="symbol",
        direction="up" if episode.direction == UP else "down",
        severity=episode.severity,
        started_at_us=episode.started_tick * GRID_US,
        decided_at_us=0,
        rule_version=episode.rule_version,
        exchange=market.exchange,
        symbol=market.symbol,
        base=market.base,
        quote=market.quote,
        event_at_us=moment.event_at_us,
        received_at_us=moment.received_at_us,
        price_before=price_text(episode.before, scale),
        price_now=price_text(episode.now, scale),
        price_extreme=price_text(episode.extreme, scale),
        change_pct=f"{100 * (episode.now / episode.before - 1):.2f}",
        window_s=max(1, -((episode.before_at_us - moment.event_at_us) // 1_000_000)),
        sigma=None if episode.sigma is None else f"{min(episode.sigma, 9_999.0):.1f}",
        volume_ratio=None if episode.volume_ratio is None else f"{episode.volume_ratio:.1f}",
    )
