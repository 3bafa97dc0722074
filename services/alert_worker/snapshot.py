"""Detector state as records, and back: a restart is these plus the tail of the trades topic.

A round writes every symbol that changed and then one mark of the partition. Each symbol says which records it has
taken in; the mark says where reading resumes. A round that was cut short leaves the older mark in force, and the
symbols that it did write skip what they know.
"""

import base64
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from services.alert_worker.baseline import Baseline
from services.alert_worker.detector import Detector
from services.alert_worker.episodes import Episode
from services.alert_worker.notices import Notices
from services.alert_worker.partition import SECOND_TICKS, Exchange, Partition
from services.alert_worker.records import Market
from services.alert_worker.rules import RULE_VERSION
from services.alert_worker.rules.ruleset import Ruleset
from services.alert_worker.watch import Watch, of_zlib_text, zlib_text
from services.alert_worker.window import Window
from shared.events import DetectorSnapshot
from shared.partitioning import symbol_key

STATE_VERSION = f"{RULE_VERSION} state/10"
"""Another one is not read. Numbers of the rules file are not part of it: changing them forgets nothing."""

MARK = "-"
"""What a partition's mark has in the place of an exchange."""

WATCH = "watch"
"""What the record of several symbols' state has in the place of a symbol."""

NOTICES = "notices"
"""The same of what the exchanges said of their markets."""

_NOTICES_VERSION = "notices/1"


def take(partition: Partition, number: int, at_us: int) -> Iterator[tuple[str, DetectorSnapshot]]:
    """(key, record) of each symbol that took in records since it was last taken, then of the partition's mark."""
    waiting = partition.waiting()
    for detector in partition.symbols():
        covered = waiting.get(detector, partition.position)
        if detector.is_changed:
            yield _symbol(detector, number, covered, at_us)
            detector.is_changed = False
    yield _mark(partition, number, min(waiting.values(), default=partition.position), at_us)


def restore(partition: Partition, records: Iterable[DetectorSnapshot]) -> int | None:
    """Fill a new partition from the newest record of each key; return where reading resumes, None without a mark.

    Records of other rules are left out: their symbols begin anew.
    """
    resume, traded = None, []
    for record in records:
        if record.rule_version != STATE_VERSION:
            continue
        if record.exchange == MARK:
            resume = record.next_offset
            partition.heard_until, partition.candle_position, grids = msgspec.json.decode(record.state)
            for name, (grid, boundary, names) in grids.items():
                exchange = partition.exchanges.setdefault(name, Exchange())
                exchange.grid.unpack(grid)
                exchange.boundary = boundary
                exchange.second = exchange.grid.closed - exchange.grid.closed % SECOND_TICKS
                traded += [(name, symbol) for symbol in names]
        else:
            exchange = partition.exchanges.setdefault(record.exchange, Exchange())
            detector = exchange.detectors[record.symbol] = _detector(record, partition.rules)
            if detector.episode is not None:
                exchange.open[detector] = None
            if detector.suspicion is not None:
                exchange.suspected[detector] = None
    for name, symbol in traded:
        if (known := partition.exchanges[name].detectors.get(symbol)) is not None:
            # Noted once more than needed, at the same price.
            partition.exchanges[name].moved[known] = None
    partition.position = resume or 0
    return resume


def take_watch(watch: Watch, at_us: int) -> tuple[str, DetectorSnapshot]:
    """(key, record) of what concerns several symbols."""
    record = DetectorSnapshot(
        exchange=MARK, symbol=WATCH, partition=0, next_offset=0, rule_version=STATE_VERSION, state=watch.packed(),
        at_us=at_us,
    )  # fmt: skip
    return symbol_key(MARK, WATCH), record


def take_notices(notices: Notices, at_us: int) -> tuple[str, DetectorSnapshot]:
    """(key, record) of what the exchanges said, up to its offset of the instruments' topic."""
    record = DetectorSnapshot(
        exchange=MARK, symbol=NOTICES, partition=0, next_offset=notices.position, rule_version=_NOTICES_VERSION,
        state=zlib_text(notices.packed()), at_us=at_us,
    )  # fmt: skip
    return symbol_key(MARK, NOTICES), record


def is_of_notices(record: DetectorSnapshot) -> bool:
    """Whether `restore_notices` reads it."""
    return (record.exchange, record.symbol) == (MARK, NOTICES)


def restore_notices(notices: Notices, record: DetectorSnapshot) -> None:
    """The inverse of `take_notices`. Rules are no part of it: what was said is what was said."""
    if record.rule_version == _NOTICES_VERSION:
        notices.unpack(of_zlib_text(record.state))


def is_of_watch(record: DetectorSnapshot) -> bool:
    """Whether `restore_watch` reads it."""
    return (record.exchange, record.symbol) == (MARK, WATCH)


def restore_watch(watch: Watch, record: DetectorSnapshot) -> None:
    """The inverse of `take_watch`; what other rules wrote is left out."""
    if record.rule_version == STATE_VERSION:
        watch.unpack(record.state)


def _symbol(detector: Detector, number: int, next_offset: int, at_us: int) -> tuple[str, DetectorSnapshot]:
    market = detector.market
    state = msgspec.json.encode(pack(detector)).decode()
    record = DetectorSnapshot(
        exchange=market.exchange, symbol=market.symbol, partition=number, next_offset=next_offset,
        rule_version=STATE_VERSION, state=state, at_us=at_us,
    )  # fmt: skip
    return symbol_key(market.exchange, market.symbol), record


def _mark(partition: Partition, number: int, resume: int, at_us: int) -> tuple[str, DetectorSnapshot]:
    grids = {
        name: [
            exchange.grid.packed(),
            exchange.boundary,
            [one.market.symbol for one in exchange.traded | exchange.moved],
        ]
        for name, exchange in partition.exchanges.items()
    }
    name = f"partition-{number}"
    record = DetectorSnapshot(
        exchange=MARK, symbol=name, partition=number, next_offset=resume, rule_version=STATE_VERSION,
        state=msgspec.json.encode([partition.position, partition.candles_resume, grids]).decode(), at_us=at_us,
    )  # fmt: skip
    return symbol_key(MARK, name), record


def pack(detector: Detector) -> list[Any]:
    """A symbol's state as plain values; about half a kilobyte as JSON."""
    window = detector.window
    return [
        [detector.market.base, detector.market.quote],
        [
            detector.era,
            detector.last_tick,
            detector.last_us,
            detector.last_id,
            detector.received_at_us,
            detector.odd_since_us,
            detector.is_drifting,
            detector.refilled_us,
        ],
        [detector.scale, [print_ for print_ in (detector.older, detector.newer) if print_], detector.suspicion],
        detector.baseline.packed(),
        [window.head, window.last, base64.b64encode(zlib.compress(window.packed(), 1)).decode()],
        None if detector.episode is None else detector.episode.packed(),
        None if detector.over is None else [detector.over[0].packed(), detector.over[1]],
    ]


def _detector(record: DetectorSnapshot, rules: Ruleset) -> Detector:
    names, times, prices, baseline, (head, last, window), episode, over = msgspec.json.decode(record.state)
    detector = Detector(Market(record.exchange, record.symbol, *names), rules)
    detector.next_offset = record.next_offset
    (
        detector.era, detector.last_tick, detector.last_us, detector.last_id, detector.received_at_us,
        detector.odd_since_us, detector.is_drifting, detector.refilled_us,
    ) = times  # fmt: skip
    detector.scale, prints = prices[:2]
    detector.older, detector.newer = [0, 0, *prints][-2:]
    (suspicion,) = prices[2:]
    detector.suspicion = None if suspicion is None else tuple(suspicion)
    detector.baseline = Baseline.unpacked(baseline)
    detector.window = Window.unpacked(zlib.decompress(base64.b64decode(window)), head, last)
    detector.episode = None if episode is None else Episode(**episode)
    detector.over = None if over is None else (Episode(**over[0]), over[1])
    return detector
