"""What a rule can be told: numbers with bounds, the same for every tier or one for each. Defaults are the product's.

A rule declares its own as fields of its model; the rules file, its check, its table and its example follow from them.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Tier = Literal["busy", "middle", "thin", "new"]
TIERS: tuple[Tier, ...] = ("busy", "middle", "thin", "new")

Percent = Annotated[float, Field(ge=0.1, le=90)]
Multiple = Annotated[float, Field(ge=1, le=1_000)]


class Parameters(BaseModel):
    """A group of numbers; a key that it does not know is an error, and so is a text where a number belongs."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _keep_the_rest(cls, given: Any) -> Any:
        """A table that names some tiers leaves the others as they are by default."""
        if not isinstance(given, dict):
            return given
        return {key: _filled(cls, key, value) for key, value in given.items()}


class ByTier(Parameters):
    """A number for each tier; written as one number it is that everywhere."""

    busy: float
    middle: float
    thin: float
    new: float

    @model_validator(mode="before")
    @classmethod
    def _everywhere(cls, given: Any) -> Any:
        is_number = isinstance(given, (int, float)) and not isinstance(given, bool)
        return dict.fromkeys(TIERS, given) if is_number else given

    def of(self, tier: Tier) -> float:
        """The number of a tier."""
        value: float = getattr(self, tier)
        return value

    @property
    def least(self) -> float:
        """The smallest of all tiers."""
        return min(self.of(tier) for tier in TIERS)


class Percents(ByTier):
    """Per cent of a price."""

    busy: Percent
    middle: Percent
    thin: Percent
    new: Percent


class Multiples(ByTier):
    """Multiples of what is usual for the symbol."""

    busy: Multiple
    middle: Multiple
    thin: Multiple
    new: Multiple


def percents(busy: float, middle: float | None = None, thin: float | None = None, new: float | None = None) -> Percents:
    """One for each tier; those left out are as the first."""
    rest = (busy if value is None else value for value in (middle, thin, new))
    return Percents(**dict(zip(TIERS, (busy, *rest), strict=True)))


def multiples(
    busy: float, middle: float | None = None, thin: float | None = None, new: float | None = None
) -> Multiples:
    """The same as `percents`."""
    rest = (busy if value is None else value for value in (middle, thin, new))
    return Multiples(**dict(zip(TIERS, (busy, *rest), strict=True)))


def _filled(model: type[BaseModel], key: str, value: Any) -> Any:
    field = model.model_fields.get(key)
    if isinstance(value, dict) and field is not None and isinstance(field.default, ByTier):
        return field.default.model_dump() | value
    return value
