"""Asks the exchanges for their lists at the start, chooses the symbols, and keeps the last good list for bad days."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import msgspec
import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_delay, wait_exponential_jitter

from services.producer.catalogue import Market
from services.producer.market_list import Changes, MarketList
from services.producer.rest import ListUnavailable, Rest
from services.producer.symbols import (
    Lists,
    Selector,
    choose,
    needs_other_exchange,
    needs_turnovers,
    read_selectors,
    takes_new,
)
from shared.clock import now_us
from shared.errors import Unreachable

_TELL_EVERY_S = 5.0
log = structlog.get_logger(__name__)
Tell = Callable[[str], None]


class Kept(msgspec.Struct, frozen=True):
    """The last good lists of an exchange, as kept on disk."""

    markets: list[Market]
    turnovers: dict[str, Decimal]
    other_bases: list[str]


@dataclass(frozen=True)
class Selection:
    """What is to be read: all chosen symbols and those of them whose books are, with what the exchange says of them.

    `known` is its whole list, and `news` what that changed since the one that was kept.
    """

    markets: list[Market]
    symbols: list[str]
    book_symbols: list[str]
    known: MarketList
    news: Changes
    path: Path | None
    selectors: Sequence[Selector]
    book_selectors: Sequence[Selector]
    kept: Kept

    def takes(self, market: Market) -> bool:
        """Whether a market that appears now is one of those that are asked for."""
        return takes_new(self.selectors, market, self.kept.other_bases)

    def takes_book(self, market: Market) -> bool:
        """The same of its order book."""
        return takes_new(self.book_selectors, market, self.kept.other_bases)

    async def keep(self) -> None:
        """Write the list down as it is known now."""
        if self.path is not None:
            kept = Kept(self.known.markets, self.kept.turnovers, self.kept.other_bases)
            await asyncio.to_thread(_write, self.path, kept)


async def select(  # noqa: PLR0913, PLR0917  # the settings that decide it, and where to ask
    own: Rest,
    other: Rest,
    symbols: Sequence[str],
    book_symbols: Sequence[str],
    wait_s: int,
    directory: Path | None,
    tells: Tell,
) -> Selection:
    """Choose from the exchange's own list. Waits up to `wait_s` for it, then takes the last good one.

    How long an exchange wants not to be asked does not count: who ends and is started again asks too early. `tells`
    hears what is waited for. Raises WrongUse for a wrong setting, Unreachable when there is no list at all.
    """
    key = f"TAPEWATCH_{own.exchange}__".upper()
    selectors = read_selectors(key + "SYMBOLS", symbols)
    book_selectors = read_selectors(key + "ORDERBOOK_SYMBOLS", book_symbols)
    path = directory / f"lists-{own.exchange}.json" if directory else None
    last_good = _read(path)
    kept = await _lists(own, other, [*selectors, *book_selectors], wait_s, last_good, tells)
    known = MarketList(last_good.markets if last_good else ())
    news = known.renew(kept.markets, now_us())
    listed = {market.symbol for market in kept.markets}
    lists = Lists([m for m in known.markets if m.symbol in listed], kept.turnovers, frozenset(kept.other_bases))
    chosen = choose(key + "SYMBOLS", own.exchange, selectors, lists)
    books = choose(key + "ORDERBOOK_SYMBOLS", own.exchange, book_selectors, lists)
    wanted = set(chosen)
    selection = Selection(
        markets=[market for market in lists.markets if market.symbol in wanted],
        symbols=chosen,
        book_symbols=[symbol for symbol in books if symbol in wanted],
        known=known,
        news=news,
        path=path,
        selectors=selectors,
        book_selectors=book_selectors,
        kept=kept,
    )
    await selection.keep()
    return selection


async def _lists(  # noqa: PLR0913, PLR0917  # where to ask, for what, how patiently
    own: Rest, other: Rest, selectors: Sequence[Selector], wait_s: int, last_good: Kept | None, tells: Tell
) -> Kept:
    async def fetch() -> Kept:
        markets = await own.markets(last_good.markets if last_good else ())
        turnovers = await own.turnovers() if needs_turnovers(selectors) else {}
        others = await other.markets() if needs_other_exchange(selectors) else []
        return Kept(markets, turnovers, sorted({market.base for market in others if market.trading}))

    try:
        # With a list in hand nobody needs to wait for long.
        stop = no_wish_and_after(wait_s) if last_good is None else _a_wish_or_after(min(wait_s, 10))
        return await _patiently(fetch, own.exchange, stop, tells)
    except ListUnavailable as error:
        if last_good is None:
            raise Unreachable(f"{own.exchange} gave no list of its symbols within {wait_s} s: {error}") from None
        log.warning("the last good list is used", exchange=own.exchange, reason=str(error))
        return last_good


async def _patiently(
    fetch: Callable[[], Awaitable[Kept]], exchange: str, stop: Callable[[RetryCallState], bool], tells: Tell
) -> Kept:
    waiting_for, back_off = "", wait_exponential_jitter(multiplier=0.5, max=10)

    def say(state: RetryCallState) -> None:
        nonlocal waiting_for
        waiting_for = f"waiting for the list of {exchange}: {state.outcome.exception() if state.outcome else None}"
        log.warning("waiting for the exchange's list", exchange=exchange, reason=waiting_for)

    async def sleep(seconds: float) -> None:
        clock = asyncio.get_running_loop().time
        until_s = clock() + seconds
        while (left_s := until_s - clock()) > 0:
            tells(f"{waiting_for}; asked again in {left_s:.0f} s")
            await asyncio.sleep(min(left_s, _TELL_EVERY_S))

    retrying = AsyncRetrying(
        retry=retry_if_exception_type(ListUnavailable),
        wait=lambda state: max(back_off(state), _wish_s(state)),
        stop=stop,
        sleep=sleep,
        before_sleep=say,
        reraise=True,
    )
    return await retrying(fetch)


def _wish_s(state: RetryCallState) -> float:
    """How long the exchange wants not to be asked."""
    error = state.outcome.exception() if state.outcome else None
    return error.wait_s if isinstance(error, ListUnavailable) else 0.0


def no_wish_and_after(wait_s: float) -> Callable[[RetryCallState], bool]:
    """Whether to give up after so many seconds that no exchange wished for; asked after each attempt that failed."""
    wished_s = 0.0

    def stop(state: RetryCallState) -> bool:
        nonlocal wished_s
        wish_s, ours_s = _wish_s(state), (state.seconds_since_start or 0.0) - wished_s
        wished_s += wish_s
        return not wish_s and ours_s >= wait_s

    return stop


def _a_wish_or_after(wait_s: float) -> Callable[[RetryCallState], bool]:
    late = stop_after_delay(wait_s)
    return lambda state: late(state) or _wish_s(state) > 0


def _read(path: Path | None) -> Kept | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Kept) if path else None
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        log.warning("the last good list cannot be read", path=str(path), reason=str(error))
        return None


def _write(path: Path, kept: Kept) -> None:
    """Where that fails, only the next start lacks it, should the exchange then give none."""
    fresh = path.with_suffix(".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_bytes(msgspec.json.encode(kept))
        fresh.replace(path)  # a reader sees the old list or the new one, never half of one
    except OSError as error:
        log.warning("the list cannot be kept", path=str(path), reason=str(error))
