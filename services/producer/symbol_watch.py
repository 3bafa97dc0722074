"""Asks the exchange of symbols that fell silent: rarely, one question for all, beside the tape that never waits for it.

What trades on and is not heard is told as stalled and as a gap, and its connection is replaced. What was suspected when
a connection was replaced for another reason, and proves to have been traded, is a gap too.
"""

import asyncio
import random
from collections.abc import Collection, Mapping, Sequence

import structlog

from services.producer.catalogue import CATALOGUES
from services.producer.feed import Feed
from services.producer.list_watch import pause_s
from services.producer.rest import ListUnavailable, Rest
from services.producer.stalls import Known, Stalls
from shared.clock import NowMicros
from shared.metrics import SILENT_SYMBOLS

ASK_EVERY_S = 60.0
"""Binance's answer costs 80 of the 6,000 that an address has a minute; shards that share one ask less often."""
SETTLE_S = 3.0
"""What was on its way to us when the exchange answered has come by then: Upbit tells trades up to two seconds late."""
_LOOK_EVERY_S = 1.0
_NAMED = 20
"""A whole exchange may be silent at once: hundreds of names say no more than these."""
log = structlog.get_logger(__name__)


async def watch_symbols(rest: Rest, feeds: Sequence[Feed], shards: int, now_us: NowMicros) -> None:
    """Go on until cancelled. `shards`: how many processes share what the exchange grants."""
    clock, stalls, ask_at_s, refusals = asyncio.get_running_loop().time, Stalls(), 0.0, 0
    while True:
        await asyncio.sleep(_LOOK_EVERY_S)
        lines = [feed for feed in feeds if feed.carries_trades and feed.is_up]
        for feed in lines:
            feed.end_stalls()
        suspects = stalls.look(_signs(lines))
        _tell_missed(lines, _missed(rest, stalls, lines))
        if suspects:
            stalls.suspect(_known(rest, lines, _untold(lines, suspects)))
        if suspects and clock() >= ask_at_s and not rest.quiet_s:
            asked_at_s = clock()
            refusals = 0 if await ask(rest, stalls, lines, suspects, now_us) else refusals + 1
            ask_at_s = asked_at_s + pause_s(ASK_EVERY_S * shards, refusals, random.random())


async def ask(rest: Rest, stalls: Stalls, lines: Sequence[Feed], suspects: Sequence[str], now_us: NowMicros) -> bool:
    """Ask of the suspects, and tell the lines of what is stalled; False without an answer.

    A line that has a stalled symbol is replaced, which ends what is known of its others. So they are judged by the
    same answer, where nothing was heard of them since it was asked for: what lags comes still.
    """
    before, asked_at_us = _signs(lines), now_us()
    try:
        theirs = await rest.last_trades()
    except ListUnavailable as error:
        SILENT_SYMBOLS.labels(rest.exchange, "unanswered").inc(len(suspects))
        log.warning(
            "silent symbols, and the exchange does not say why",
            count=len(suspects), first=suspects[:_NAMED], reason=str(error),
        )  # fmt: skip
        return False
    await asyncio.sleep(SETTLE_S)
    lines = [feed for feed in lines if feed.is_up]  # what a lost line misses is told when it stands again
    since_us = _since_us(lines)
    marks, now = _marks(rest, lines), _signs(lines)
    _tell_missed(lines, stalls.answered(_untold(lines, suspects), theirs, since_us, asked_at_us))
    stalled = set(stalls.judge(suspects, theirs, marks, since_us))
    SILENT_SYMBOLS.labels(rest.exchange, "quiet").inc(len(suspects) - len(stalled))
    for feed in lines:
        if stalled.isdisjoint(feed.symbols):
            continue
        silent = [s for s in feed.symbols if s not in suspects and now[s] == before[s]]
        stalled |= set(stalls.judge(silent, theirs, marks, since_us))
        feed.stall([symbol for symbol in feed.symbols if symbol in stalled])
    SILENT_SYMBOLS.labels(rest.exchange, "stalled").inc(len(stalled))
    return True


def _missed(rest: Rest, stalls: Stalls, lines: Sequence[Feed]) -> Mapping[str, int]:
    if not stalls.suspected:
        return {}
    slack = CATALOGUES[rest.exchange].mark_slack
    return stalls.heard_again(_marks(rest, lines, stalls.suspected), _since_us(lines), slack)


def _tell_missed(lines: Sequence[Feed], missed: Mapping[str, int]) -> None:
    for feed in lines if missed else ():
        if mine := {symbol: missed[symbol] for symbol in feed.symbols if symbol in missed}:
            feed.miss(mine)


def _untold(lines: Sequence[Feed], suspects: Sequence[str]) -> Sequence[str]:
    """Those of whom no line tells a stall that goes on."""
    told = {symbol for feed in lines for symbol in feed.stalled}
    return [symbol for symbol in suspects if symbol not in told]


def _known(rest: Rest, lines: Sequence[Feed], suspects: Collection[str]) -> Mapping[str, Known]:
    mark_of = CATALOGUES[rest.exchange].mark_of
    return {
        symbol: Known(feed.confirmed_at_us, feed.complete_until_us(symbol), mark_of(feed.heard[symbol]))
        for feed in lines
        for symbol in feed.symbols
        if symbol in suspects and symbol in feed.heard
    }


def _since_us(lines: Sequence[Feed]) -> dict[str, int]:
    return {symbol: feed.confirmed_at_us for feed in lines for symbol in feed.symbols}


def _signs(lines: Sequence[Feed]) -> Mapping[str, int]:
    return {symbol: sign for feed in lines for symbol, sign in feed.signs().items()}


def _marks(rest: Rest, lines: Sequence[Feed], of: Collection[str] | None = None) -> Mapping[str, int]:
    """Up to which mark symbols were heard on the connections that stand."""
    mark_of = CATALOGUES[rest.exchange].mark_of
    return {
        symbol: mark_of(trade)
        for feed in lines
        for symbol, trade in feed.heard.items()
        if trade.received_at_us >= feed.confirmed_at_us and (of is None or symbol in of)
    }
