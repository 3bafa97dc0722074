"""The simulated exchanges and Slack of a world of faults: paused for each count, and struck on command."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from services.cli.demo.simulated import Simulated
from tests.faults.tcp_proxy import TcpProxy

ALERTS = "tapewatch"
"""The channel in which people are told of moves."""


class SimulatedMarket(Simulated):
    """The simulator as a child, with the doors that only faults need."""

    @property
    def port(self) -> int:
        """The one port of both exchanges and Slack."""
        return urlsplit(self.addresses["binance_rest_url"]).port or 0

    def by_way_of(self, links: Mapping[str, TcpProxy]) -> dict[str, str]:
        """Where the exchanges and Slack are for a service: behind a proxy, if there is one."""
        if "exchanges" not in links:
            return dict(self.addresses)
        here = links["exchanges"].address
        return {name: url.replace(f"127.0.0.1:{self.port}", here) for name, url in self.addresses.items()}

    async def pause(self) -> None:
        """Say nothing more; connections stay, and the truth log is complete up to here."""
        await self._ask("POST", "pause")

    async def resume(self) -> None:
        """Go on."""
        await self._ask("POST", "resume")

    async def play(self, fault: str, **order: Any) -> int:
        """Play a fault of the exchanges, and how many it struck; see `services.simulator.faults`."""
        if self._http is None:
            raise RuntimeError("the simulator has not been started")
        async with self._http.post(f"{self.addresses['control_url']}/fault", json={"fault": fault, **order}) as answer:
            if answer.status != 200:
                raise ValueError(await answer.text())
            return int((await answer.json())["struck"])

    async def messages(self) -> list[dict[str, Any]]:
        """Everything that stands in Slack's channels, replies in threads among it."""
        channels: dict[str, list[dict[str, Any]]] = (await self._ask("GET", "slack"))["channels"]
        return [message for messages in channels.values() for message in messages]

    async def messages_in(self, channel: str) -> list[dict[str, Any]]:
        """The same of one channel, named without the hash."""
        channels: dict[str, list[dict[str, Any]]] = (await self._ask("GET", "slack"))["channels"]
        return channels[channel]

    async def published(self) -> int:
        """Messages published so far."""
        return sum((await self.status())["published"].values())
