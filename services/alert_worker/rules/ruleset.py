"""The rules that are in force, and the version that every id of theirs has in it."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, cast

from msgspec import json
from pydantic import Field

from services.alert_worker.baseline import Baseline
from services.alert_worker.rules import RULE_VERSION, RULES
from services.alert_worker.rules.base import TIE, Finding, Rule, Sight
from services.alert_worker.rules.drift import Drift
from services.alert_worker.rules.parameters import Multiple, Parameters, Percent
from services.alert_worker.rules.tiers import TIERS_BY_DEFAULT, Tiers
from services.alert_worker.window import Window


class Storms(Parameters):
    """When many symbols are one story of the whole market."""

    least_coins: Annotated[int, Field(ge=2, le=1_000)] = Field(default=4, description="coins of one direction")
    within_s: Annotated[int, Field(ge=1, le=600)] = Field(default=60, description="that begin within so many seconds")


STORMS_BY_DEFAULT = Storms()


class Divergence(Parameters):
    """When the gap between one coin's prices on two exchanges is a story, see `divergence`."""

    enabled: bool = Field(default=True, description="whether prices are compared")
    percent: Percent = Field(default=1.0, description="least change of the gap within five minutes")
    sigmas: Multiple = Field(default=6.0, description="least multiple of what is usual for the pair")
    percent_new: Percent = Field(default=3.0, description="least change while that is not known")


DIVERGENCE_BY_DEFAULT = Divergence()


class Halt(Parameters):
    """When a market that is always traded and now is not is a story, see `halts`."""

    enabled: bool = Field(default=True, description="whether it is looked for")


HALT_BY_DEFAULT = Halt()


class Notice(Parameters):
    """When what the exchange itself says of a market is a story: its flags, a listing, an end, see `notices`."""

    enabled: bool = Field(default=True, description="whether it is told")


NOTICE_BY_DEFAULT = Notice()


@dataclass(frozen=True, slots=True)
class Ruleset:
    """Rules that are asked, and what they have in common."""

    rules: tuple[Rule, ...]
    tiers: Tiers
    storms: Storms
    divergence: Divergence
    halt: Halt
    notice: Notice
    version: str
    """``moves/9`` with the defaults; else ``moves/9+1a2b3c4d``, the same for the same numbers."""
    floor: float
    """No rule fires for a smaller move (a fraction)."""
    quiet_fall: float
    """No rule need be asked while the price is above this share of the window's high,"""
    quiet_rise: float
    """and below this multiple of its low,"""
    least_drift: float
    """unless its trend sums up to this."""

    def findings(self, quote: str, window: Window, baseline: Baseline, direction: int, *, opens: bool) -> list[Finding]:
        """What the rules say of one symbol; `direction` 0 for both, `opens` as in `Sight`."""
        sight = Sight(quote, window, baseline, direction, self.tiers, opens)
        return [finding for rule in self.rules if (finding := rule.judge(sight))]


def ruleset(  # noqa: PLR0913, PLR0917  # one for each table of the rules file
    rules: Sequence[Rule] = RULES,
    tiers: Tiers = TIERS_BY_DEFAULT,
    storms: Storms = STORMS_BY_DEFAULT,
    divergence: Divergence = DIVERGENCE_BY_DEFAULT,
    halt: Halt = HALT_BY_DEFAULT,
    notice: Notice = NOTICE_BY_DEFAULT,
) -> Ruleset:
    """The rules with these numbers; those that are not enabled are left out."""
    asked = tuple(rule for rule in rules if rule.enabled)
    floor = min((rule.floor for rule in asked), default=float("inf"))
    drift = min((rule.least_sum for rule in asked if isinstance(rule, Drift)), default=float("inf"))
    numbers = {rule.name: cast("Parameters", rule) for rule in rules}
    numbers |= {"tiers": tiers, "storms": storms, "divergence": divergence, "halt": halt, "notice": notice}
    version = _version(numbers)
    quiet = (1 - floor + TIE, 1 + floor - TIE)
    return Ruleset(asked, tiers, storms, divergence, halt, notice, version, floor, *quiet, drift)


def _version(numbers: Mapping[str, Parameters]) -> str:
    changed: dict[str, Any] = {name: model.model_dump(exclude_defaults=True) for name, model in numbers.items()}
    changed = {name: values for name, values in changed.items() if values}
    if not changed:
        return RULE_VERSION
    text = json.encode(changed, order="sorted")
    return f"{RULE_VERSION}+{hashlib.blake2b(text, digest_size=4).hexdigest()}"


DEFAULTS = ruleset()
