"""Whether people hear of an alert: what the feeds say of its market, and what is muted. Pure.

A market-wide alert tells of those of its members that would be heard alone; of fewer than make a storm, not at all.
What joined another exchange's story is told by that, unless people do not hear that: then it is told by itself.
"""

from msgspec.structs import replace

from services.alert_worker.feeds import Feeds
from services.alert_worker.joining import JOINED
from services.alert_worker.mutes import MUTE, Mutes
from services.alert_worker.partition import Decided
from services.alert_worker.storms import Member, among
from shared.events import Alert


def heard(decided: Decided, feeds: Feeds, mutes: Mutes, now_us: int, least_coins: int) -> Alert:
    """The alert, marked with why nobody is told of it, if that is so; `least_coins` are a storm."""
    alert = decided.alert
    if decided.beside:
        return _of_story(decided, feeds, mutes, now_us)
    if not decided.members:
        return _marked(alert, feeds, mutes, now_us)
    own = {member: _marked(_own(alert, member), feeds, mutes, now_us) for member in decided.members}
    audible = [member for member, one in own.items() if one.suppressed_by is None]
    if audible and alert.state == "resolve":  # of what was told people hear the end
        return _marked(among(alert, audible), feeds, mutes, now_us)
    if len({member.base for member in audible}) < least_coins:
        reasons = [one.suppressed_by for one in own.values() if one.suppressed_by is not None]
        return replace(alert, suppressed_by=max(reasons, key=reasons.count, default=None))
    is_gapped = all(own[member].data_quality == "gapped" for member in audible)
    alert = replace(among(alert, audible), data_quality="gapped" if is_gapped else alert.data_quality)
    return _marked(alert, feeds, mutes, now_us)


def _of_story(decided: Decided, feeds: Feeds, mutes: Mutes, now_us: int) -> Alert:
    alert = decided.alert
    beside = [_marked(one, feeds, mutes, now_us).suppressed_by for one in decided.beside]
    reason = next((one for one in beside if one is not None), None)
    if alert.suppressed_by != JOINED:
        return _marked(alert, feeds, mutes, now_us) if reason is None else replace(alert, suppressed_by=reason)
    return alert if reason is None else _marked(replace(alert, suppressed_by=None), feeds, mutes, now_us)


def _marked(alert: Alert, feeds: Feeds, mutes: Mutes, now_us: int) -> Alert:
    alert = feeds.mark(alert, now_us)
    return replace(alert, suppressed_by=MUTE) if mutes.holds(alert, now_us) else alert


def _own(alert: Alert, member: Member) -> Alert:
    """A member's part in it, as an alert of its own."""
    exchange, _, symbol = member.name.partition(":")
    return replace(
        alert, scope="symbol", exchange=exchange, symbol=symbol, base=member.base, detectors=list(member.detectors),
        received_at_us=member.received_at_us,
    )  # fmt: skip
