"""Whom a mute is about among the markets that are known, and which mutes are about the same. Pure."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches

from services.alert_worker.records import Market
from shared.events import Control

_MOST_MEANT = 3


def markets_of(target: str, known: Iterable[Market]) -> set[Market]:
    """The markets that a target names; of a rule none."""
    kind, colon, name = target.rpartition(":")
    if kind == "coin":
        return {one for one in known if one.base == name}
    exchanges = {kind, kind.removesuffix("_agg")}
    return {one for one in known if one.symbol == name and (not colon or one.exchange in exchanges)}


def unknown(target: str, known: Collection[Market]) -> str | None:
    """One line when a target names no market that is known, with what was probably meant; None while none is known."""
    if not known or target.startswith("rule:") or markets_of(target, known):
        return None
    meant = _meant(target.rpartition(":")[2], known)
    names = " or ".join(part for part in (", ".join(meant[:-1]), *meant[-1:]) if part)
    return f"there is no market {target}: {f'did you mean {names}?' if meant else 'no exchange lists it'}"


def _meant(code: str, known: Collection[Market]) -> list[str]:
    alike = sorted(
        (one for one in known if code in {one.base, one.symbol}),
        key=lambda one: (one.quote != "KRW", one.quote != "USDT", one.symbol),
    )
    coins = [f"coin:{code}"] if any(one.base == code for one in alike) else []
    names = {one.symbol for one in known} | {f"coin:{one.base}" for one in known}
    exact = list(dict.fromkeys([*coins, *(one.symbol for one in alike)]))
    return exact[:_MOST_MEANT] or get_close_matches(code, sorted(names), _MOST_MEANT)


def holding(target: str, wishes: Iterable[Control], known: Collection[Market]) -> list[Control]:
    """Mutes by which the target is silent, wholly or in part: its own, those of its markets, and those of rules."""
    own, is_rule = markets_of(target, known), target.startswith("rule:")
    return [
        wish
        for wish in wishes
        if wish.target == target
        or (not is_rule and (wish.target.startswith("rule:") or own & markets_of(wish.target, known)))
    ]
