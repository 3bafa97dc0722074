"""What two copies of one event must agree on, as one text each: numbers by value, everything else to the letter."""

from collections.abc import Iterable

from msgspec import Struct

from shared.decimals import is_plain

Symbol = tuple[str, str]
"""(exchange, symbol)"""

TICKER_NUMBERS = ("price", "open", "high", "low", "volume_24h", "turnover_24h")
TICKER_QUOTES = ("bid_price", "bid_quantity", "ask_price", "ask_quantity")


class Published(Struct, gc=False, frozen=True):
    """One line of the truth log. `order` is its place among the lines of its symbol and channel."""

    order: int
    facts: str
    published_at_us: int
    heard: bool


class Found(Struct, gc=False, frozen=True):
    """One copy that a store holds. `id` is the trade id, empty for tickers and books.

    `received_at_us` is our stamp, which the truth log cannot know and all copies share with the one in Kafka.
    """

    id: str
    facts: str
    received_at_us: int
    backfilled: bool = False
    partition: int = -1
    offset: int = -1


def canonical(number: str | None) -> str:
    """One spelling for every decimal of the same value: ``1.50`` and ``1.5`` agree, and nothing else does.

    What is no plain decimal stays as it is, marked, and so agrees with no number.
    """
    if number is None:
        return "-"
    if not is_plain(number):
        return f"not a number: {number}"
    return number.rstrip("0").rstrip(".") if "." in number else number


def trade_facts(price: str, quantity: str, side: str, traded_at_us: int) -> str:
    """The facts of a trade; `split_trade` gives them back."""
    return f"{canonical(price)} {canonical(quantity)} {side} {traded_at_us}"


def split_trade(facts: str) -> tuple[str, str, int]:
    """Price, quantity and `traded_at_us` of `trade_facts`."""
    price, quantity, _, traded_at_us = facts.rsplit(" ", 3)
    return price, quantity, int(traded_at_us)


def ticker_facts(event_at_us: int, numbers: Iterable[str | None]) -> str:
    """The facts of a ticker: its time, then `TICKER_NUMBERS` and `TICKER_QUOTES` in order."""
    return f"{event_at_us} {' '.join(map(canonical, numbers))}"


def book_facts(
    sequence: int | None, event_at_us: int | None, bids: Iterable[tuple[str, str]], asks: Iterable[tuple[str, str]]
) -> str:
    """The facts of an order book: sequence and time, then each side, best level first."""
    return f"{_or_dash(sequence)} {_or_dash(event_at_us)}|{_side(bids)}|{_side(asks)}"


def book_head(facts: str) -> str:
    """Sequence and time of `book_facts`."""
    return facts.partition("|")[0]


def same_book(published: str, found: str, depths: frozenset[int], heard: bool) -> bool:
    """Say whether a found book is the published one, or its best levels.

    The found one may be cut to one of `depths`, which are the numbers of levels that people ask for. A book that
    nobody heard was written down with few levels; what a snapshot told of it later may be deeper.
    """
    head, *sides = published.split("|")
    found_head, *found_sides = found.split("|")
    return head == found_head and all(
        _same_side(side.split(","), other.split(","), depths, heard)
        for side, other in zip(sides, found_sides, strict=True)
    )


def _same_side(published: list[str], found: list[str], depths: frozenset[int], heard: bool) -> bool:
    if found == published:
        return True
    if len(found) < len(published):
        return len(found) in depths and published[: len(found)] == found
    return not heard and found[: len(published)] == published


def _side(levels: Iterable[tuple[str, str]]) -> str:
    return ",".join([f"{canonical(price)} {canonical(quantity)}" for price, quantity in levels])


def _or_dash(number: int | None) -> str:
    return "-" if number is None else str(number)
