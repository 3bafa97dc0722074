"""Asks the exchange of symbols that fell silent: rarely, one question for all, beside the tape that never waits for it.

What trades on and is not heard is told as stalled and as a gap, and its connection is replaced.
"""

import asyncio
from collections.abc import Mapping, Sequence

import structlog

from services.producer.catalogue import CATALOGUES
from services.producer.feed import Feed
from services.producer.rest import ListUnavailable, Rest
from services.producer.stalls import Stalls
from shared.metrics import SILENT_SYMBOLS

ASK_EVERY_S = 60.0
"""Binance's answer costs 80 of the 6,000 that an address has a minute; shards that share one ask less often."""
SETTLE_S = 3.0
"""What was on its way to us when the exchange answered has come by then: Upbit tells trades up to two seconds late."""
_LOOK_EVERY_S = 1.0
log = structlog.get_logger(__name__)


async def watch_symbols(rest: Rest, feeds: Sequence[Feed], shards: int) -> None:
    """Go on until cancelled. `shards`: how many processes share what the exchange grants."""
    clock, stalls, ask_at_s = asyncio.get_running_loop().time, Stalls(), 0.0
    while True:
        await asyncio.sleep(_LOOK_EVERY_S)
        lines = [feed for feed in feeds if feed.carries_trades and feed.is_up]
        for feed in lines:
            feed.end_stalls()
        suspects = stalls.look({symbol: data for feed in lines for symbol, data in feed.signs().items()})
        if suspects and clock() >= ask_at_s and not rest.quiet_s:
            ask_at_s = clock() + ASK_EVERY_S * shards
            await _ask(rest, stalls, lines, suspects)


async def _ask(rest: Rest, stalls: Stalls, lines: Sequence[Feed], suspects: Sequence[str]) -> None:
    try:
        theirs = await rest.last_trades()
    except ListUnavailable as error:
        SILENT_SYMBOLS.labels(rest.exchange, "unanswered").inc(len(suspects))
        log.warning("silent symbols, and the exchange does not say why", symbols=suspects, reason=str(error))
        return
    await asyncio.sleep(SETTLE_S)
    since_us = {symbol: feed.confirmed_at_us for feed in lines for symbol in feed.symbols}
    stalled = stalls.judge(suspects, theirs, _marks(rest, lines), since_us)
    SILENT_SYMBOLS.labels(rest.exchange, "quiet").inc(len(suspects) - len(stalled))
    SILENT_SYMBOLS.labels(rest.exchange, "stalled").inc(len(stalled))
    for feed in lines:
        if mine := [symbol for symbol in feed.symbols if symbol in stalled]:
            feed.stall(mine)


def _marks(rest: Rest, lines: Sequence[Feed]) -> Mapping[str, int]:
    mark_of = CATALOGUES[rest.exchange].mark_of
    return {
        symbol: mark_of(trade)
        for feed in lines
        for symbol, trade in feed.heard.items()
        if trade.received_at_us >= feed.confirmed_at_us
    }
