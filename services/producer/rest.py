"""Asks an exchange over REST; what its answers mean is the business of `catalogue` and `candles`."""

import random
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import TypeVar
from urllib.parse import quote

import aiohttp

from services.producer.catalogue import CATALOGUES, InvalidList, Market

MAX_BODY_BYTES = 64 << 20
MOST_BY_NAME = 50
"""So many markets are asked for one by one after a list: a sixth of what Binance answers in a minute."""

_NO_SUCH_MARKET = 400
_TIMEOUT = aiohttp.ClientTimeout(total=20)
T = TypeVar("T")


class NoAnswer(Exception):
    """The exchange did not answer as it should; the text says why. `status`: its HTTP status, where there is one;
    `wait_s`: how long it wants us to wait, where it says so."""

    def __init__(self, reason: str, status: int | None = None, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.status, self.wait_s = status, wait_s


class ListUnavailable(Exception):
    """The exchange did not give its list; the text says why."""


class Rest:
    """One exchange's REST address. Sends no Origin header: Upbit limits requests that carry one far more."""

    def __init__(self, exchange: str, url: str) -> None:
        self.exchange = exchange
        self.url = url.rstrip("/")

    async def markets(self, known: Iterable[Market] = ()) -> list[Market]:
        """Everything that the exchange lists. Raises ListUnavailable.

        One of `known` that the list lacks is asked for by name, where an exchange's list leaves out what is switched
        off. There is no time for more than `MOST_BY_NAME`: the others, by lot, stay as they are known.
        """
        catalogue = CATALOGUES[self.exchange]
        found = await self._fetch(catalogue.markets_path, catalogue.read_markets)
        if catalogue.market_path is None:
            return found
        names = {market.symbol for market in found}
        missing = [market for market in known if market.symbol not in names]
        random.shuffle(missing)
        for market in missing[:MOST_BY_NAME]:
            path = catalogue.market_path.format(symbol=quote(market.symbol))
            found += await self._by_name(path, catalogue.read_markets)
        return found + missing[MOST_BY_NAME:]

    async def turnovers(self) -> dict[str, Decimal]:
        """Turnover of the last 24 hours in the quote currency, by symbol. Raises ListUnavailable."""
        catalogue = CATALOGUES[self.exchange]
        return await self._fetch(catalogue.turnovers_path, catalogue.read_turnovers)

    async def _by_name(self, path: str, read: Callable[[bytes], list[Market]]) -> list[Market]:
        try:
            return await self._fetch(path, read)
        except ListUnavailable as error:
            if isinstance(error.__cause__, NoAnswer) and error.__cause__.status == _NO_SUCH_MARKET:
                return []
            raise

    async def _fetch(self, path: str, read: Callable[[bytes], T]) -> T:
        try:
            async with make_session() as session:
                return read(await fetch(session, self.url, path, MAX_BODY_BYTES))
        except NoAnswer as error:
            raise ListUnavailable(str(error)) from error
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
                after = response.headers.get("Retry-After", "")
                wait_s = float(after) if after.isascii() and after.isdecimal() and len(after) < 8 else None
                raise NoAnswer(f"{url} answered HTTP {response.status}", response.status, wait_s)
            body = bytearray()
            async for chunk in response.content.iter_chunked(1 << 16):
                body += chunk
                if len(body) > most_bytes:
                    raise NoAnswer(f"{url} sent more than {most_bytes} bytes", response.status)
            return bytes(body)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise NoAnswer(f"{url}: {error or 'no answer in time'}") from None
