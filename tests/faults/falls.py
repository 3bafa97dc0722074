"""A market falls while the alert worker is struck: people are told of it once, however late, and that it is over."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tests.faults.fault import Check
from tests.faults.limits import complaints_after

if TYPE_CHECKING:
    from tests.faults.world import World

_OVER_WITHIN_S = 60.0
_SECOND_ONE_WITHIN_S = 5.0
"""Longer than a worker takes to tell what it has decided: a second message would be there."""


async def falls(world: "World", symbol: str) -> Check:
    """Let a market of Upbit fall from now on. What it answers asks whether exactly one message tells of it."""
    await world.market.play("crash", exchange="upbit", symbol=symbol)

    async def told_once(world: "World") -> Sequence[str]:
        async def look() -> list[str]:
            return _complaints(symbol, *await _heard(world, symbol))

        if complaints := await complaints_after(_OVER_WITHIN_S, look):
            return complaints
        await asyncio.sleep(_SECOND_ONE_WITHIN_S)
        return await look()

    return told_once


async def _heard(world: "World", symbol: str) -> tuple[list[bool], list[bool]]:
    """Of each episode and each message of its own about this market: whether it is over."""
    episodes = [bool(one.resolved_at_us) for one in await world.episodes() if one.symbol == symbol]
    parents = [one for one in await world.market.messages() if "thread_ts" not in one and symbol in str(one)]
    return episodes, [bool(one["edits"]) for one in parents]


def _complaints(symbol: str, episodes: Sequence[bool], messages: Sequence[bool]) -> list[str]:
    return [
        f"the fall of {symbol} made {len(found)} {what}, of which {sum(found)} are over"
        for what, found in (("episodes", episodes), ("messages", messages))
        if list(found) != [True]
    ]
