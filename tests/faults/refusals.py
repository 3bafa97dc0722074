"""Faults of Kafka's answers: errors that its protocol foresees, told to real clients instead of what happened."""

import asyncio
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from tests.faults.fault import Fault, Struck
from tests.faults.kafka_proxy import KafkaProxy
from tests.faults.kafka_refusals import FETCH, OFFSET_COMMIT, PRODUCE, Refusal

if TYPE_CHECKING:
    from tests.faults.world import World

_LASTS_S = 5.0
_SHARE = 0.2
_HEARD_WITHIN_S = 20.0


async def refused(refusal: Refusal, world: "World", _random: Random) -> Struck:
    """Some of the requests are answered like this for some seconds, and until one was."""
    link = world.links["kafka"]
    if not isinstance(link, KafkaProxy):
        raise TypeError("the link to Kafka understands nothing of Kafka")
    link.refused, link.refusal = 0, refusal
    try:
        await asyncio.sleep(_LASTS_S)
        async with asyncio.timeout(_HEARD_WITHIN_S):
            while not link.refused:  # noqa: ASYNC110  # another task counts
                await asyncio.sleep(0.1)
    except TimeoutError:
        return Struck(0, broken=["no such request was made, so none was refused"])
    finally:
        link.refusal = None
    return Struck(link.refused)


_PRODUCE_ERRORS = {
    "not-leader": 6,
    "timed-out": 7,
    "not-enough-replicas": 19,
    "out-of-order-sequence": 45,
    "unknown-producer-id": 59,
}
_AFTER_APPEND = {"not-leader": 6, "timed-out": 7, "not-enough-replicas": 20, "out-of-order-sequence": 45}
_OTHER = {
    "fetch-not-leader": Refusal(FETCH, 6, _SHARE),
    "fetch-unknown-leader-epoch": Refusal(FETCH, 76, _SHARE),
    "fetch-out-of-range": Refusal(FETCH, 1, 0.02),
    "commit-rebalance-in-progress": Refusal(OFFSET_COMMIT, 27, 1.0),
    "commit-unknown-member": Refusal(OFFSET_COMMIT, 25, 1.0),
}
_REFUSALS = {
    **{f"produce-{name}": Refusal(PRODUCE, code, _SHARE) for name, code in _PRODUCE_ERRORS.items()},
    **{
        f"produce-{name}-though-kept": Refusal(PRODUCE, code, _SHARE, after=True)
        for name, code in _AFTER_APPEND.items()
    },
    **_OTHER,
}

FAULTS = [
    *(
        Fault("F10", name, f"a share of {refusal.share:.0%} for 5 s", strike, bound_s=5, stage="proxied")
        for name, refusal in _REFUSALS.items()
        for strike in (partial(refused, refusal),)
    ),
    Fault(
        "F10",
        "produce-too-large",
        "batches are sent again in halves",
        partial(refused, Refusal(PRODUCE, 10, 0.02)),
        bound_s=10,
        stage="proxied",
    ),
]
