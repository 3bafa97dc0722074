"""The simulator's own side door for the demo and for tests: status, start, stop, faults, lists, what Slack holds."""

from typing import Any

from aiohttp import web

from services.simulator.faults import FaultError, Faults
from services.simulator.hub import TRUTH_CHANNELS, Hub
from services.simulator.lists import Lists
from services.simulator.player import Player
from services.simulator.slack.workspace import Workspace
from services.simulator.truth_log import TruthLog


class Control:
    """Answers under ``/control``."""

    def __init__(  # noqa: PLR0913, PLR0917  # every part that it opens a door to
        self, player: Player, hub: Hub, truth: TruthLog, faults: Faults, lists: Lists, workspace: Workspace
    ) -> None:
        self._player = player
        self._hub = hub
        self._truth = truth
        self._faults = faults
        self._lists = lists
        self._workspace = workspace

    def routes(self) -> list[web.RouteDef]:
        """The paths that are served."""
        return [
            web.get("/control/status", self._status),
            web.get("/control/offer", self._offer),
            web.post("/control/start", self._start),
            web.post("/control/stop", self._stop),
            web.post("/control/pause", self._pause),
            web.post("/control/resume", self._resume),
            web.post("/control/fault", self._fault),
            web.post("/control/list", self._list),
            web.get("/control/slack", self._slack),
        ]

    async def _status(self, _: web.Request) -> web.Response:
        return web.json_response(self._state())

    async def _offer(self, _: web.Request) -> web.Response:
        """Everything that can be subscribed to of the three channels, as [exchange, channel, symbol]."""
        return web.json_response([feed.key for feed in self._hub.feeds() if feed.key[1] in TRUTH_CHANNELS])

    async def _start(self, _: web.Request) -> web.Response:
        self._player.start()
        return web.json_response(self._state())

    async def _stop(self, _: web.Request) -> web.Response:
        """Answers when the truth log is complete."""
        await self._player.stop()
        return web.json_response(self._state())

    async def _pause(self, _: web.Request) -> web.Response:
        """Answers when the truth log holds everything that was said."""
        self._player.pause()
        return web.json_response(self._state())

    async def _resume(self, _: web.Request) -> web.Response:
        self._player.resume()
        return web.json_response(self._state())

    async def _fault(self, request: web.Request) -> web.Response:
        try:
            body = await request.json()
            done = self._faults.play(body)
        except (ValueError, FaultError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response(done)

    async def _list(self, request: web.Request) -> web.Response:
        """Change what an exchange's list says of a market, or at one moment of many, see `Lists.change`."""
        done = []
        try:
            body = await request.json()
            for order in body if isinstance(body, list) else [body]:
                done.append(one := self._lists.change(order))
                if not one["listed"]:
                    self._hub.forget(one["exchange"], one["symbol"])
        except ValueError as error:
            return web.json_response({"error": str(error), "done": done}, status=400)
        return web.json_response(done)

    async def _slack(self, _: web.Request) -> web.Response:
        channels = {
            channel.name: [
                {**message.as_json(), "edits": message.edits, "via": message.via, "files": message.file_ids}
                for message in channel.messages
            ]
            for channel in self._workspace.channels
        }
        return web.json_response({"counts": dict(self._workspace.counts), "channels": channels})

    def _state(self) -> dict[str, Any]:
        return {
            "market": self._player.state,
            "published": dict(self._hub.published),
            "unheard": dict(self._hub.unheard),
            "truth_lines": self._truth.lines,
            "subscriptions": self._hub.subscriptions(),
            "connections": self._faults.connection_counts(),
            "late_ms": round(self._player.late_s * 1000, 1),
            "slack": dict(self._workspace.counts),
        }
