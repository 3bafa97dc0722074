"""How soon the stores are to be up with Kafka again after each fault, as the design asks. Pure.

The design speaks of a bare loop on a machine of its own. A row's own bound is what the whole product is held to here:
every service, server and exchange on the same few cores, and a supervisor between a kill and the next start.
"""

from tests.faults.fault import Fault

_BY_CODE = {
    "F1": 1,
    "F2": 1,
    "F3": 1,
    "F4": 2,
    "F5": 10,
    "F6": 2,
    "F7": 1,
    "F8": 2,
    "F10": 5,
    "F11": 2,
    "F13": 2,
    "F14": 1,
    "F15": 2,
    "F16": 2,
    "F17": 2,
    "F18": 1,
    "F19": 1,
    "F24": 2,
    "F27": 5,
    "F30": 1,
    "F31": 5,
    "F36": 2,
}
_LONG_OUTAGES_S = {
    "kafka-away": 60,
    "kafka-away-for-10-minutes": 600,
    "both-stores-away": 60,
    "redis-down-alone": 60,
    "postgres-down-alone": 60,
    "redis-frozen-alone": 60,
    "postgres-frozen-alone": 60,
}
_TIMES_REAL_TIME = 6


def aim_s(fault: Fault) -> float | None:
    """The design's bound where it is tighter than the row's own; None where the row is held to it, or it has none.

    After a long outage the backlog is read at six times the speed at which the market goes on adding to it.
    """
    if fault.name in _LONG_OUTAGES_S:
        aim: float | None = _LONG_OUTAGES_S[fault.name] / (_TIMES_REAL_TIME - 1)
    else:
        aim = _BY_CODE.get(fault.code)
    return aim if aim is not None and aim < fault.bound_s else None
