"""The kinds of values that events are made of, each with its bounds and its JSON Schema."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema

from shared.decimals import MAX_DIGITS, is_plain, is_plain_signed, is_positive

_PLAIN = r"(0|[1-9][0-9]*)(\.[0-9]{1,18})?"
_MAX_INTEGER = (1 << 63) - 1


def _text(sound: Callable[[str], bool], fault: str, **schema: Any) -> Any:
    def check(text: str) -> str:
        if not sound(text):
            raise ValueError(fault)
        return text

    return Annotated[str, AfterValidator(check), WithJsonSchema({"type": "string", **schema})]


def _is_trade_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and str(int(text)) == text and int(text) <= _MAX_INTEGER


def _holds_no_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("holds the character NUL")
    return text


NoNul = AfterValidator(_holds_no_nul)
AnyText = Annotated[str, NoNul]
Name = Annotated[str, StringConstraints(min_length=1, max_length=64), NoNul]
Text = Annotated[str, StringConstraints(max_length=2_000), NoNul]

Decimal = _text(
    is_plain,
    "not a plain decimal",
    pattern=f"^{_PLAIN}$",
    maxLength=MAX_DIGITS + 1,
    description="an exact decimal as plain text: no exponent, at most 38 digits, 18 of them behind the point",
)
SignedDecimal = _text(
    is_plain_signed,
    "not a plain decimal",
    pattern=f"^-?{_PLAIN}$",
    maxLength=MAX_DIGITS + 2,
    description="an exact decimal as plain text that may begin with a minus",
)
AboveZero = _text(
    lambda text: is_plain(text) and is_positive(text),
    "not a plain decimal above zero",
    pattern=f"^{_PLAIN}$",
    maxLength=MAX_DIGITS + 1,
    description="an exact decimal as plain text, above zero",
)
TradeId = _text(
    lambda text: len(text) <= 19 and _is_trade_id(text),
    "not an integer id",
    pattern="^(0|[1-9][0-9]{0,18})$",
    description="an integer id as text, at most 2^63 - 1",
)

Micros = Annotated[int, Field(ge=0, le=9_000_000_000_000_000, description="microseconds UTC")]
Count = Annotated[int, Field(ge=0, le=_MAX_INTEGER)]
PartitionNumber = Annotated[int, Field(ge=0, le=(1 << 31) - 1)]
