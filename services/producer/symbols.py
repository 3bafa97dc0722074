"""Which symbols are read: codes, a quote, the busiest, those that the other exchange trades too. Pure."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from services.producer.catalogue import Market
from shared.errors import WrongUse

_FORMS = "a code, quote:Q, top:N:Q or paired:Q"
_NO_TURNOVER = Decimal(0)


@dataclass(frozen=True)
class Code:
    """One symbol by its exchange's code."""

    symbol: str


@dataclass(frozen=True)
class Quote:
    """Everything that is traded for this currency."""

    quote: str


@dataclass(frozen=True)
class Top:
    """The `count` busiest by turnover of 24 hours that are traded for this currency."""

    count: int
    quote: str


@dataclass(frozen=True)
class Paired:
    """What is traded for this currency and whose base is traded on the other exchange too."""

    quote: str


Selector = Code | Quote | Top | Paired


@dataclass(frozen=True)
class Lists:
    """What there is to choose from. `other_bases`: base currencies of the other exchange."""

    markets: Sequence[Market]
    turnovers: Mapping[str, Decimal]
    other_bases: Collection[str] = ()


def read_selectors(key: str, texts: Sequence[str]) -> list[Selector]:
    """Read a setting. Raises WrongUse naming `key` and the part that is wrong."""
    return [_selector(key, text) for text in texts]


def _selector(key: str, text: str) -> Selector:
    if text == "watchlist":
        raise WrongUse(f"{key}: watchlist is read from PostgreSQL, which this version does not do yet; use {_FORMS}")
    if match := re.fullmatch(r"quote:(\w{1,20})", text):
        return Quote(match[1].upper())
    if match := re.fullmatch(r"top:([1-9]\d{0,4}):(\w{1,20})", text):
        return Top(int(match[1]), match[2].upper())
    if match := re.fullmatch(r"paired:(\w{1,20})", text):
        return Paired(match[1].upper())
    if ":" in text or not re.fullmatch(r"[\w-]{1,64}", text):
        raise WrongUse(f"{key}: {text!r} is none of {_FORMS}")
    return Code(text)


def needs_turnovers(selectors: Sequence[Selector]) -> bool:
    """Whether `choose` looks at turnovers."""
    return any(isinstance(selector, Top) for selector in selectors)


def needs_other_exchange(selectors: Sequence[Selector]) -> bool:
    """Whether `choose` looks at the other exchange's list."""
    return any(isinstance(selector, Paired) for selector in selectors)


def choose(key: str, exchange: str, selectors: Sequence[Selector], lists: Lists) -> list[str]:
    """The chosen symbols, each once, in the order of the selectors; within one, the busiest first, then by code.

    Raises WrongUse for a code that the exchange does not list, and when nothing at all is chosen.
    """
    by_code = {market.symbol: market for market in lists.markets}
    chosen: dict[str, None] = {}
    for selector in selectors:
        if isinstance(selector, Code):
            _check_listed(key, exchange, selector.symbol, by_code)
            chosen[selector.symbol] = None
        else:
            chosen |= dict.fromkeys(_matching(selector, lists))
    if selectors and not chosen:
        raise WrongUse(f"{key}: {exchange} lists nothing that it asks for")
    return list(chosen)


def takes_new(selectors: Sequence[Selector], market: Market, other_bases: Collection[str]) -> bool:
    """Whether a market that appears while we run is read at once: not by its turnover, which it has none of yet."""
    return market.trading and any(
        (isinstance(selector, Quote) and market.quote == selector.quote)
        or (isinstance(selector, Paired) and market.quote == selector.quote and market.base in other_bases)
        for selector in selectors
    )


def _check_listed(key: str, exchange: str, code: str, by_code: Mapping[str, Market]) -> None:
    if code in by_code:
        return
    hint = f"; did you mean {code.upper()}?" if code.upper() in by_code else ""
    raise WrongUse(f"{key}: {exchange} does not list {code}{hint}")


def _matching(selector: Quote | Top | Paired, lists: Lists) -> list[str]:
    found = [m for m in lists.markets if m.trading and m.quote == selector.quote]
    if isinstance(selector, Paired):
        found = [m for m in found if m.base in lists.other_bases]
    found.sort(key=lambda m: (-lists.turnovers.get(m.symbol, _NO_TURNOVER), m.symbol))
    return [m.symbol for m in (found[: selector.count] if isinstance(selector, Top) else found)]
