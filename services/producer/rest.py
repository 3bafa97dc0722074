"""Fetches an exchange's lists over REST; what they mean is `catalogue`'s business."""

from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

import aiohttp

from services.producer.catalogue import CATALOGUES, InvalidList, Market

MAX_BODY_BYTES = 64 << 20
_TIMEOUT = aiohttp.ClientTimeout(total=20)
T = TypeVar("T")


class ListUnavailable(Exception):
    """The exchange did not give its list; the text says why."""


class Rest:
    """One exchange's REST address. Sends no Origin header: Upbit limits requests that carry one far more."""

    def __init__(self, exchange: str, url: str) -> None:
        self.exchange = exchange
        self.url = url.rstrip("/")

    async def markets(self) -> list[Market]:
        """Everything that the exchange lists. Raises ListUnavailable."""
        catalogue = CATALOGUES[self.exchange]
        return await self._fetch(catalogue.markets_path, catalogue.read_markets)

    async def turnovers(self) -> dict[str, Decimal]:
        """Turnover of the last 24 hours in the quote currency, by symbol. Raises ListUnavailable."""
        catalogue = CATALOGUES[self.exchange]
        return await self._fetch(catalogue.turnovers_path, catalogue.read_turnovers)

    async def _fetch(self, path: str, read: Callable[[bytes], T]) -> T:
        try:
            async with (
                aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=True) as session,
                session.get(self.url + path) as response,
            ):
                if response.status != 200:
                    raise ListUnavailable(f"{self.url} answered HTTP {response.status}")
                body = bytearray()
                async for chunk in response.content.iter_chunked(1 << 16):
                    body += chunk
                    if len(body) > MAX_BODY_BYTES:
                        raise ListUnavailable(f"{self.url} sent more than {MAX_BODY_BYTES} bytes")
            return read(bytes(body))
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ListUnavailable(f"{self.url}: {error or 'no answer in time'}") from None
        except InvalidList as error:
            raise ListUnavailable(f"{self.url} sent a list that cannot be read: {error}") from None
