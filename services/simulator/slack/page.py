"""The page that shows the simulated Slack channel in a browser, drawn again whenever something changed."""

import html
from datetime import datetime, tzinfo
from pathlib import Path

from aiohttp import web

from services.simulator.slack.blocks import channel_html
from services.simulator.slack.validate import Refused
from services.simulator.slack.workspace import Workspace

_PAGE = Path(__file__).with_name("page.html")
# What the page may do: its own style and script, pictures and messages from here, nothing from anywhere else.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src 'self'; connect-src 'self'"
)
_PICTURES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}


class SlackPage:
    """Serves the page, the messages inside it, and uploaded pictures."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._page = _PAGE.read_text(encoding="utf-8")

    def routes(self) -> list[web.RouteDef]:
        """The paths that are served."""
        return [
            web.get("/slack", self._show),
            web.get("/slack/files/{file_id}", self._file),
            web.get("/slack/{channel}", self._show),
            web.get("/slack/{channel}/messages", self._messages),
        ]

    async def _show(self, request: web.Request) -> web.Response:
        name = request.match_info.get("channel", self._workspace.channels[0].name)
        try:
            channel = self._workspace.channel(name)
        except Refused:
            raise web.HTTPNotFound(text="no such channel") from None
        links = "".join(
            f'<a href="/slack/{html.escape(c.name)}"{" class=here" if c is channel else ""}># {html.escape(c.name)}</a>'
            for c in self._workspace.channels
        )
        page = (
            self._page.replace("{{channel}}", html.escape(channel.name))
            .replace("{{links}}", links)
            .replace("{{messages}}", channel_html(channel, self._workspace.files, _zone()))
            .replace("{{version}}", str(self._workspace.version))
        )
        return web.Response(
            text=page, content_type="text/html", charset="utf-8", headers={"Content-Security-Policy": _POLICY}
        )

    async def _messages(self, request: web.Request) -> web.Response:
        """The messages if anything changed since `version`, else 204."""
        if request.query.get("version") == str(self._workspace.version):
            return web.Response(status=204)
        try:
            channel = self._workspace.channel(request.match_info["channel"])
        except Refused:
            raise web.HTTPNotFound(text="no such channel") from None
        body = {
            "version": self._workspace.version,
            "html": channel_html(channel, self._workspace.files, _zone()),
        }
        return web.json_response(body, headers={"Cache-Control": "no-store"})

    async def _file(self, request: web.Request) -> web.Response:
        file = self._workspace.files.get(request.match_info["file_id"])
        kind = next((k for start, k in _PICTURES.items() if file and file.content.startswith(start)), None)
        if file is None or kind is None:
            raise web.HTTPNotFound(text="no such picture")
        return web.Response(body=file.content, content_type=kind, headers={"X-Content-Type-Options": "nosniff"})


def _zone() -> tzinfo:
    zone = datetime.now().astimezone().tzinfo
    if zone is None:
        raise RuntimeError("this machine has no time zone")
    return zone
