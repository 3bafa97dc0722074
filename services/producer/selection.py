"""Asks the exchanges for their lists at the start, chooses the symbols, and keeps the last good list for bad days."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from pathlib import Path

import msgspec
import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_delay, wait_exponential_jitter

from services.producer.catalogue import Market
from services.producer.rest import ListUnavailable, Rest
from services.producer.symbols import Lists, Selector, choose, needs_other_exchange, needs_turnovers, read_selectors
from shared.errors import Unreachable

log = structlog.get_logger(__name__)


class Kept(msgspec.Struct, frozen=True):
    """The last good lists of an exchange, as kept on disk."""

    markets: list[Market]
    turnovers: dict[str, Decimal]
    other_bases: list[str]


class Selection(msgspec.Struct, frozen=True):
    """What is to be read: all chosen symbols and those of them whose books are, with what the exchange says of them."""

    markets: list[Market]
    symbols: list[str]
    book_symbols: list[str]


async def select(  # noqa: PLR0913, PLR0917  # the settings that decide it, and where to ask
    own: Rest,
    other: Rest,
    symbols: Sequence[str],
    book_symbols: Sequence[str],
    wait_s: int,
    directory: Path | None,
) -> Selection:
    """Choose from the exchange's own list. Waits up to `wait_s` for it, then takes the last good one.

    Raises WrongUse for a wrong setting, Unreachable when there is no list at all.
    """
    key = f"TAPEWATCH_{own.exchange}__".upper()
    selectors = read_selectors(key + "SYMBOLS", symbols)
    book_selectors = read_selectors(key + "ORDERBOOK_SYMBOLS", book_symbols)
    kept = await _lists(own, other, [*selectors, *book_selectors], wait_s, directory)
    lists = Lists(kept.markets, kept.turnovers, frozenset(kept.other_bases))
    chosen = choose(key + "SYMBOLS", own.exchange, selectors, lists)
    books = choose(key + "ORDERBOOK_SYMBOLS", own.exchange, book_selectors, lists)
    wanted = set(chosen)
    markets = [market for market in kept.markets if market.symbol in wanted]
    return Selection(markets, chosen, [symbol for symbol in books if symbol in wanted])


async def _lists(own: Rest, other: Rest, selectors: Sequence[Selector], wait_s: int, directory: Path | None) -> Kept:
    async def fetch() -> Kept:
        markets = await own.markets()
        turnovers = await own.turnovers() if needs_turnovers(selectors) else {}
        others = await other.markets() if needs_other_exchange(selectors) else []
        return Kept(markets, turnovers, sorted({market.base for market in others if market.trading}))

    path = directory / f"lists-{own.exchange}.json" if directory else None
    last_good = _read(path)
    try:
        # With a list in hand nobody needs to wait for long.
        kept = await _patiently(fetch, own.exchange, min(wait_s, 10) if last_good else wait_s)
    except ListUnavailable as error:
        if last_good is None:
            raise Unreachable(f"{own.exchange} gave no list of its symbols within {wait_s} s: {error}") from None
        log.warning("the last good list is used", exchange=own.exchange, reason=str(error))
        return last_good
    if path is not None:
        await asyncio.to_thread(_write, path, kept)
    return kept


async def _patiently(fetch: Callable[[], Awaitable[Kept]], exchange: str, wait_s: int) -> Kept:
    def say(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        log.warning("waiting for the exchange's list", exchange=exchange, reason=str(error))

    retrying = AsyncRetrying(
        retry=retry_if_exception_type(ListUnavailable),
        wait=wait_exponential_jitter(multiplier=0.5, max=10),
        stop=stop_after_delay(wait_s),
        before_sleep=say,
        reraise=True,
    )
    return await retrying(fetch)


def _read(path: Path | None) -> Kept | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Kept) if path else None
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        log.warning("the last good list cannot be read", path=str(path), reason=str(error))
        return None


def _write(path: Path, kept: Kept) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_bytes(msgspec.json.encode(kept))
    fresh.replace(path)  # a reader sees the old list or the new one, never half of one
