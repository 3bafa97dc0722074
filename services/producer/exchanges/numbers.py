"""Numbers of a frame as plain text, several in one step: checked as exactly as one by one, at a fifth of the cost."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

import msgspec

from services.producer.exchanges.base import InvalidFrame
from shared.decimals import InvalidDecimal, is_positive, plain

# A part of what shared.decimals.is_plain allows: all that exchanges send day by day. The rest takes the slow path.
# Only single characters are repeated possessively: around groups, Python before 3.11.5 matches too much (gh-106052).
_PLAIN = r"(?:0|[1-9][0-9]{0,19}+)(?:\.[0-9]{1,18}+)?"
_POSITIVE = r"(?:[1-9][0-9]{0,19}+(?:\.[0-9]{1,18}+)?|0\.(?=0*+[1-9])[0-9]{1,18}+)"
_all_plain = re.compile(rf"(?:{_PLAIN} )*{_PLAIN}").fullmatch
_two_positive = re.compile(f"{_POSITIVE} {_POSITIVE}").fullmatch


@lru_cache(maxsize=8192)  # prices repeat, and an exponent costs a microsecond; holds short spellings only
def _expanded(spelling: str) -> str:
    return plain(spelling)


def _one(spelling: str) -> str:
    # A quoted number is the same number: Upbit's REST has sent both.
    unquoted = spelling[1:-1] if len(spelling) > 2 and spelling[0] == spelling[-1] == '"' else spelling
    try:
        return _expanded(unquoted)
    except InvalidDecimal as error:
        raise InvalidFrame(str(error)) from None


def plain_numbers(spellings: Sequence[str]) -> list[str]:
    """JSON numbers' spellings as plain decimals, zero allowed. Raises InvalidFrame."""
    together = " ".join(spellings)
    if _all_plain(together) and together.count(" ") == len(spellings) - 1:
        return list(spellings)
    return [_one(spelling) for spelling in spellings]


def plain_raws(raws: Sequence[msgspec.Raw]) -> list[str]:
    """The same for undecoded JSON values. Raises InvalidFrame, or UnicodeError for what is not ASCII."""
    together = b" ".join(raws).decode("ascii")
    if _all_plain(together):  # an undecoded value that has a space inside is no number, so the count is right
        return together.split(" ")
    return [_one(str(raw, "ascii")) for raw in raws]


def positive_pair(price: str, quantity: str) -> tuple[str, str]:
    """A price and a quantity as plain decimals above zero. Raises InvalidFrame."""
    if _two_positive(f"{price} {quantity}"):
        return price, quantity
    price, quantity = _one(price), _one(quantity)
    if not (is_positive(price) and is_positive(quantity)):
        raise InvalidFrame("price or quantity is not above zero")
    return price, quantity


def filled_levels(side: Iterable[tuple[str, str]], limit: int) -> list[tuple[str, str]]:
    """The first `limit` levels (price, quantity) of a side; slots that an exchange pads with zeros are left out."""
    return [level for level in side if level[0].strip("0.") and level[1].strip("0.")][:limit]
