"""Mutes and unmutes from the command line, checked against the markets that Kafka knows."""

from datetime import UTC, datetime

from services.alert_worker.mutes import MUTE, UNMUTE, Mutes
from services.alert_worker.rules_keeper import load
from services.alert_worker.wishes import read_mutes
from services.cli import alert_records
from services.cli.mute_targets import holding, unknown
from services.cli.points_in_time import KST
from shared.clock import now_us
from shared.errors import WrongUse
from shared.events import Control
from shared.settings import Settings


async def mute(settings: Settings, target: str, seconds: int, reason: str | None) -> str:
    """Write the wish down; say until when it holds. Raises WrongUse where the target is nothing that is known."""
    markets = await alert_records.read_markets(settings.kafka)
    if (fault := unknown(target, markets)) is not None:
        raise WrongUse(fault)
    now = now_us()
    wish = Control(action=MUTE, target=target, at_us=now, until_us=now + seconds * 1_000_000, reason=reason)
    await alert_records.write(settings.kafka, wish)
    is_checked = markets or target.startswith("rule:")
    return _until(wish) + ("" if is_checked else "; whether there is such a market is not known, for none is known yet")


async def unmute(settings: Settings, target: str) -> str:
    """Write the wish down; say whether it changes anything, and what still mutes the same."""
    now, standing = now_us(), Mutes()
    standing.stand(load(settings.alerts.rules_file).mutes)
    mutes, markets = await read_mutes(settings.kafka), await alert_records.read_markets(settings.kafka)
    was_muted = any(one.target == target for one in mutes.in_force(now))
    wish = Control(action=UNMUTE, target=target, at_us=now)
    await alert_records.write(settings.kafka, wish)
    mutes.hear(wish)
    still = [
        f"{one.target} {_until(one)}{where}"
        for these, where in ((mutes, ""), (standing, " by the rules file"))
        for one in holding(target, these.in_force(now), markets)
    ]
    if not still:
        return f"{target} is told again" if was_muted else f"{target} was not muted"
    done = "is no longer muted" if was_muted else "was not muted"
    return f"{target} {done} by the command line; what still holds: {', '.join(still)}"


def _until(wish: Control) -> str:
    if wish.until_us is None:
        return "until unmuted"
    return f"until {datetime.fromtimestamp(wish.until_us / 1e6, UTC).astimezone(KST):%Y-%m-%d %H:%M} KST"
