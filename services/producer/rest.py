"""Asks an exchange over REST; what its answers mean is the business of `catalogue` and `candles`."""

import asyncio
import random
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import aiohttp

from services.producer.catalogue import CATALOGUES, InvalidList, Market
from services.producer.endings import BANNED, wished_s
from services.producer.kept_wish import Wish, forget_wish, keep_wish, read_wish
from shared.clock import NowMicros, now_us

MAX_BODY_BYTES = 64 << 20
MOST_BY_NAME = 50
"""So many markets are asked for one by one after a list: a sixth of what Binance answers in a minute."""

BANNED_S = 600.0
"""How long nothing is asked after HTTP 418 that does not say how long: bans begin at two minutes, and grow."""

_ROUNDED_S = 1.0
"""Exchanges count whole seconds."""
_BY_NAME_WITHIN_S = 20.0
_NO_SUCH_MARKET = b"-1121"
"""Binance's code in an answer with HTTP 400; without it the question was refused, not answered."""
_MOST_SAID_BYTES = 1024
_TIMEOUT = aiohttp.ClientTimeout(total=20)
T = TypeVar("T")


class NoAnswer(Exception):
    """The exchange did not answer as it should; the text says why. `status`: its HTTP status, where there is one;
    `wait_s`: how long it wants us to wait, 0 where it does not say so; `said`: how its answer begins."""

    def __init__(self, reason: str, status: int | None = None, wait_s: float = 0.0, said: bytes = b"") -> None:
        super().__init__(reason)
        self.status, self.wait_s, self.said = status, wait_s, said


class ListUnavailable(Exception):
    """The exchange did not give its list; the text says why. `wait_s`: for how long it wants no question, else 0."""

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


class Rest:
    """One exchange's REST address, and the one way there for everybody in this process who asks.

    Whoever goes on asking an exchange that wants to be left alone is banned, and for longer each time. So nothing at
    all is asked before the time that it named is over, by a process that follows in the same state directory neither.
    Sends no Origin header: Upbit limits requests that carry one far more.
    """

    def __init__(self, exchange: str, url: str, directory: Path | None = None, now: NowMicros = now_us) -> None:
        self.exchange = exchange
        self.url = url.rstrip("/")
        self._path = directory / f"quiet-{exchange}.json" if directory else None
        self._now = now
        self._quiet_until_s = 0.0
        self._refusal = ""
        self._wish: Wish | None = None
        self._may_be_kept = self._path is not None
        self._writing = asyncio.Lock()
        if self._path is not None and (kept := read_wish(self._path)) is not None and (left_s := kept.left_s(now())):
            self._quiet_until_s = asyncio.get_running_loop().time() + left_s
            self._refusal = kept.refusal

    @property
    def quiet_s(self) -> float:
        """For how many seconds more the exchange wants not to be asked; 0 when it may be."""
        return max(0.0, self._quiet_until_s - asyncio.get_running_loop().time())

    @property
    def wish(self) -> str:
        """The same in words; empty when it may be asked."""
        left_s = self.quiet_s
        return f"{self.exchange} wants no questions for {left_s:.0f} s: {self._refusal}" if left_s else ""

    async def fetch(self, session: aiohttp.ClientSession, path: str, most_bytes: int) -> bytes:
        """The body under a path. Raises NoAnswer; without a question while the exchange wants none."""
        if left_s := self.quiet_s:
            raise NoAnswer(self.wish, wait_s=left_s)  # no status: that was the answer to another question
        try:
            body = await fetch(session, self.url, path, most_bytes)
        except NoAnswer as error:
            wait_s = error.wait_s or (BANNED_S if error.status == BANNED else 0.0)
            if wait_s:
                await self._leave_alone(wait_s + _ROUNDED_S, str(error))
            raise
        if self._may_be_kept and not self.quiet_s:  # else it is the answer to a question from before the wish
            self._may_be_kept, self._wish = False, None
            await self._write()
        return body

    async def _leave_alone(self, for_s: float, refusal: str) -> None:
        until_s = asyncio.get_running_loop().time() + for_s
        if until_s <= self._quiet_until_s:
            return
        self._quiet_until_s, self._refusal = until_s, refusal
        asked_us = self._now()
        self._may_be_kept, self._wish = True, Wish(asked_us, asked_us + int(for_s * 1e6), refusal)
        await self._write()

    async def _write(self) -> None:
        """One after the other, and each what holds by then: the last one writes the last wish, whoever comes first."""
        if self._path is None:
            return
        async with self._writing:
            wish = self._wish
            if wish is None:
                await asyncio.to_thread(forget_wish, self._path)
            else:
                await asyncio.to_thread(keep_wish, self._path, wish)

    async def markets(self, known: Iterable[Market] = ()) -> list[Market]:
        """Everything that the exchange lists. Raises ListUnavailable.

        One of `known` that the list lacks is asked for by name, where an exchange's list leaves out what is switched
        off. There is no time for more than `MOST_BY_NAME`, nor after a question that was not answered: the others, by
        lot, stay as they are known.
        """
        catalogue = CATALOGUES[self.exchange]
        found = await self._fetch(catalogue.markets_path, catalogue.read_markets)
        if catalogue.market_path is None:
            return found
        names = {market.symbol for market in found}
        missing = [market for market in known if market.symbol not in names]
        random.shuffle(missing)
        clock = asyncio.get_running_loop().time
        until_s, asked = clock() + _BY_NAME_WITHIN_S, 0
        while asked < min(MOST_BY_NAME, len(missing)) and clock() < until_s:
            path = catalogue.market_path.format(symbol=quote(missing[asked].symbol))
            answer = await self._by_name(path, catalogue.read_markets)
            if answer is None:
                break
            found += answer
            asked += 1
        return found + missing[asked:]

    async def turnovers(self) -> dict[str, Decimal]:
        """Turnover of the last 24 hours in the quote currency, by symbol. Raises ListUnavailable."""
        catalogue = CATALOGUES[self.exchange]
        return await self._fetch(catalogue.turnovers_path, catalogue.read_turnovers)

    async def last_trades(self) -> dict[str, int]:
        """How far the trading of every symbol has come, as marks (see `stalls`). Raises ListUnavailable."""
        catalogue = CATALOGUES[self.exchange]
        return await self._fetch(catalogue.turnovers_path, catalogue.read_last_trades)

    async def _by_name(self, path: str, read: Callable[[bytes], list[Market]]) -> list[Market] | None:
        """The market, or that there is none; None without an answer."""
        try:
            return await self._fetch(path, read)
        except ListUnavailable as error:
            cause = error.__cause__
            return [] if isinstance(cause, NoAnswer) and _NO_SUCH_MARKET in cause.said else None

    async def _fetch(self, path: str, read: Callable[[bytes], T]) -> T:
        try:
            async with make_session() as session:
                return read(await self.fetch(session, path, MAX_BODY_BYTES))
        except NoAnswer as error:
            raise ListUnavailable(str(error), self.quiet_s) from error
        except InvalidList as error:
            raise ListUnavailable(f"{self.url} sent a list that cannot be read: {error}") from None


def make_session() -> aiohttp.ClientSession:
    """For one exchange; used as a context."""
    return aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=True)


async def fetch(session: aiohttp.ClientSession, url: str, path: str, most_bytes: int) -> bytes:
    """The body under an exchange's REST address. Raises NoAnswer."""
    try:
        async with session.get(url + path) as response:
            if response.status != 200:
                said = await response.content.read(_MOST_SAID_BYTES)
                wait_s = wished_s(response.status, response.headers.get("Retry-After", ""), said)
                raise NoAnswer(f"{url} answered HTTP {response.status}", response.status, wait_s, said)
            body = bytearray()
            async for chunk in response.content.iter_chunked(1 << 16):
                body += chunk
                if len(body) > most_bytes:
                    raise NoAnswer(f"{url} sent more than {most_bytes} bytes", response.status)
            return bytes(body)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise NoAnswer(f"{url}: {error or 'no answer in time'}") from None
