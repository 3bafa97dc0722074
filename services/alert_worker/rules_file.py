"""The rules file: thresholds, mutes, quiet hours and storms, from TOML text to what is in force. Pure.

Everything in it may be left out; what is left out is as in `deploy/rules.example.toml`.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from difflib import get_close_matches
from typing import Annotated, Any, TypeVar, cast, get_args

from pydantic import AfterValidator, BaseModel, Field, TypeAdapter, ValidationError

from services.alert_worker.mutes import MUTE, check_target
from services.alert_worker.quiet_hours import Hours, QuietHours, read_hours
from services.alert_worker.rules import RULES
from services.alert_worker.rules.base import Rule
from services.alert_worker.rules.parameters import Parameters
from services.alert_worker.rules.ruleset import (
    DEFAULTS,
    DIVERGENCE_BY_DEFAULT,
    HALT_BY_DEFAULT,
    NOTICE_BY_DEFAULT,
    STORMS_BY_DEFAULT,
    Divergence,
    Halt,
    Notice,
    Ruleset,
    Storms,
    ruleset,
)
from services.alert_worker.rules.tiers import TIERS_BY_DEFAULT, Tiers
from shared.errors import WrongUse
from shared.events import Control, Severity

MOST_BYTES = 1 << 20
MOST_MUTES = 1_000
_KST = timezone(timedelta(hours=9))
_US = 1_000_000
_EXAMPLE = "`tapewatch alerts rules --example` shows every key"


def _checked_hours(text: str) -> str:
    read_hours(text)
    return text


HoursText = Annotated[str, AfterValidator(_checked_hours)]


class QuietHoursOfDay(Parameters):
    """From when to when a severity waits for the morning, Korean time."""

    notice: HoursText | None = Field(default=None, description="in which notices wait for the morning")
    warning: HoursText | None = Field(default=None, description="warnings")
    danger: HoursText | None = Field(default=None, description="and danger")


class StandingMute(Parameters):
    """Nobody is told of the target until then; a time without an offset is Korean time."""

    target: Annotated[str, AfterValidator(check_target)]
    until: datetime
    reason: Annotated[str, Field(max_length=500)] | None = None


class _Common(Parameters):
    tiers: Tiers = TIERS_BY_DEFAULT
    storms: Storms = STORMS_BY_DEFAULT
    divergence: Divergence = DIVERGENCE_BY_DEFAULT
    halt: Halt = HALT_BY_DEFAULT
    notice: Notice = NOTICE_BY_DEFAULT
    quiet_hours: QuietHoursOfDay = QuietHoursOfDay()
    mutes: list[StandingMute] = Field(default=[], max_length=MOST_MUTES)


@dataclass(frozen=True, slots=True)
class Policy:
    """What a rules file says."""

    rules: tuple[Rule, ...] = RULES
    """All of them, also those that are off."""
    ruleset: Ruleset = DEFAULTS
    quiet: Mapping[Severity, Hours] = field(default_factory=dict)
    mutes: tuple[Control, ...] = ()

    def quiet_hours(self, otherwise: QuietHours) -> QuietHours:
        """A severity that the file does not name is quiet as the settings say."""
        return QuietHours({**otherwise.hours, **self.quiet})


def read_rules(text: str, name: str) -> Policy:
    """`name` is what the file is called. Raises WrongUse with one line: file, key, fault and remedy."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise WrongUse(f"{name}: not TOML: {error}: {_EXAMPLE}") from None
    except (ValueError, RecursionError):
        raise WrongUse(f"{name}: has a number that is too long, or too many brackets: {_EXAMPLE}") from None
    common = _read(name, (), _Common, {key: value for key, value in tables.items() if key != "rules"})
    rules = _rules(name, tables.get("rules", {}))
    return Policy(
        rules=rules,
        ruleset=ruleset(rules, common.tiers, common.storms, common.divergence, common.halt, common.notice),
        quiet={one: read_hours(hours) for one in _SEVERITIES if (hours := getattr(common.quiet_hours, one))},
        mutes=tuple(_wish(mute) for mute in common.mutes),
    )


def _rules(name: str, tables: Any) -> tuple[Rule, ...]:
    if not isinstance(tables, dict):
        raise WrongUse(f"{name}: rules: has to be tables such as [rules.{RULES[0].name}]: {_EXAMPLE}")
    names = [rule.name for rule in RULES]
    if unknown := next((key for key in tables if key not in names), None):
        raise WrongUse(f"{name}: rules.{unknown}: there is no such rule{_meant(unknown, names)}")
    return tuple(_read(name, ("rules", rule.name), type(rule), tables.get(rule.name, {})) for rule in RULES)


M = TypeVar("M")
_SEVERITIES: tuple[Severity, ...] = ("notice", "warning", "danger")


def _read(name: str, place: Sequence[str], model: type[M], values: Any) -> M:
    try:
        return TypeAdapter(model).validate_python(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in (*place, *first["loc"])) or "the file"
        if first["type"] == "extra_forbidden":
            key, keys = str(first["loc"][-1]), _keys(cast("type[BaseModel]", model), first["loc"][:-1])
            keys += [] if place or len(first["loc"]) > 1 else ["rules"]
            fault = f"there is no such key{_meant(key, keys)}"
        else:
            said = first["msg"].removeprefix("Value error, ").replace("Input should", "it should")
            fault = f"{_shown(first['input'])}{said}: {_EXAMPLE}"
        raise WrongUse(f"{name}: {where}: {fault}") from None


def _shown(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return ""
    try:
        return f"{value!r:.100}: "
    except ValueError:  # Python writes no number of so many digits
        return ""


def _keys(model: type[BaseModel], path: Sequence[int | str]) -> list[str]:
    """The keys of the table at a path."""
    for part in path:
        annotation = model if isinstance(part, int) else model.model_fields[part].annotation
        kinds = [annotation, *get_args(annotation)]
        model = next(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel))
    return list(model.model_fields)


def _meant(key: str, known: Sequence[str]) -> str:
    close = get_close_matches(key, known, 1)
    return f": did you mean {close[0]}?" if close else f": there are {', '.join(known)}"


def _wish(mute: StandingMute) -> Control:
    until = mute.until if mute.until.tzinfo else mute.until.replace(tzinfo=_KST)
    return Control(
        action=MUTE, target=mute.target, at_us=0, until_us=max(0, round(until.timestamp() * _US)),
        reason=mute.reason or "rules file",
    )  # fmt: skip
