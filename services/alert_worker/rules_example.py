"""The rules file that says what is so without one: a line for every key, written from the rules themselves. Pure."""

from collections.abc import Iterator
from typing import cast

from pydantic import BaseModel

from services.alert_worker.rules import RULES
from services.alert_worker.rules.parameters import TIERS, ByTier, Parameters
from services.alert_worker.rules.ruleset import (
    DIVERGENCE_BY_DEFAULT,
    HALT_BY_DEFAULT,
    NOTICE_BY_DEFAULT,
    STORMS_BY_DEFAULT,
)
from services.alert_worker.rules.tiers import TIERS_BY_DEFAULT

_HEAD = """\
# The rules of tapewatch's alerts. Point TAPEWATCH_ALERTS__RULES_FILE to a copy of this file. Every line may be left
# out, and then is as here. Look at it with `tapewatch alerts rules FILE` before it is used: a fault is named there.
# A running alert worker takes up a change within five seconds, or at once on SIGHUP; a broken file it leaves alone,
# keeps the rules that it has, and says so.
#
# A threshold is one number, or one for each tier: { busy = 2, middle = 3, thin = 8, new = 3 }.
"""
_REST = """
# Hours in which what is no worse waits for the morning, Korean time. A severity that is not named here is as the
# setting TAPEWATCH_ALERTS__QUIET_NOTICE, … says.
[quiet_hours]
# notice = "22:30-08:00"
# warning = "23:00-07:00"
# danger = "01:00-06:00"

# Nobody is told of a market (KRW-BTC, upbit:KRW-BTC), a coin (coin:BTC) or a rule (rule:move) until a time; one without
# an offset is Korean time. `tapewatch alerts mute` does the same at once, and `unmute` takes back only what it did.
# [[mutes]]
# target = "KRW-DOGE"
# until = 2026-12-31T09:00:00+09:00
# reason = "listed somewhere else"
"""


def example() -> str:
    """The text of `deploy/rules.example.toml`."""
    tables = [
        *_table("tiers", TIERS_BY_DEFAULT),
        *(line for rule in RULES for line in _table(f"rules.{rule.name}", cast("Parameters", rule))),
        *_table("divergence", DIVERGENCE_BY_DEFAULT),
        *_table("halt", HALT_BY_DEFAULT),
        *_table("notice", NOTICE_BY_DEFAULT),
        *_table("storms", STORMS_BY_DEFAULT),
    ]
    return "\n".join([_HEAD.rstrip(), *tables, _REST.rstrip(), ""])


def shown(value: object) -> str:
    """A number as it stands in the file."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, ByTier):
        numbers = [value.of(tier) for tier in TIERS]
        pairs = ", ".join(f"{tier} = {number:g}" for tier, number in zip(TIERS, numbers, strict=True))
        return f"{numbers[0]:g}" if len(set(numbers)) == 1 else f"{{ {pairs} }}"
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _table(name: str, model: BaseModel) -> Iterator[str]:
    yield ""
    yield f"# {' '.join((type(model).__doc__ or '').split())}"
    yield f"[{name}]"
    for key, field in type(model).model_fields.items():
        yield f"{key} = {shown(getattr(model, key))}  # {field.description}"
