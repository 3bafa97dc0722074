"""Shows the picture while the demo runs: a live screen on a terminal, plain lines otherwise."""

import asyncio
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.status import Status

from services.cli.demo.picture import Picture
from services.cli.demo.view import clock, draw
from shared.events import Alert

_REDRAW_S = 0.25
_LINE_EVERY_S = 5.0
_SCREENSHOT_WIDTH = 124


class Screen(Protocol):
    """How a person is told."""

    def say(self, text: str) -> None:
        """A step that takes a while has begun."""

    def on_alert(self, alert: Alert) -> None:
        """An alert was decided."""

    def showing(self, picture: Picture) -> AbstractContextManager[object]:
        """While inside, the picture is on the screen as `run` draws it."""

    async def run(self, picture: Picture) -> None:
        """Keep it up to date until cancelled."""

    def close(self) -> None:
        """Nothing more will be said."""


class LiveScreen:
    """A terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status: Status | None = None
        self._live: Live | None = None

    def say(self, text: str) -> None:
        """One line with a spinner, until the next."""
        if self._live is not None:
            return
        if self._status is None:
            self._status = self._console.status(text)
            self._status.start()
        self._status.update(text)

    def on_alert(self, alert: Alert) -> None:
        """The picture shows it."""

    def showing(self, picture: Picture) -> AbstractContextManager[object]:
        """Take the terminal."""
        self.close()
        self._live = Live(
            draw(picture, self._console.width),
            console=self._console,
            auto_refresh=False,
            transient=True,
            vertical_overflow="crop",
        )
        return self._live

    async def run(self, picture: Picture) -> None:
        """Draw it again and again."""
        while self._live is not None:
            self._live.update(draw(picture, self._console.width), refresh=True)
            await asyncio.sleep(_REDRAW_S)

    def close(self) -> None:
        """Take the spinner away."""
        if self._status is not None:
            self._status.stop()
            self._status = None
        self._live = None


class PlainScreen:
    """No terminal: a line for each step and alert, and one every few seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said = ""

    def say(self, text: str) -> None:
        """A line, unless it says what the last one said."""
        if text != self._said:
            self._said = text
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def on_alert(self, alert: Alert) -> None:
        """A line with its state."""
        where = f"{alert.symbol or 'the market'} on {alert.exchange or 'both exchanges'}"
        change = "" if alert.change_pct is None else f" {alert.change_pct} %"
        self.say(f"{clock(alert.decided_at_us)} alert {alert.state} {alert.severity}: {where}{change}")

    def showing(self, picture: Picture) -> AbstractContextManager[object]:
        """Say where Slack is, and how to look from elsewhere."""
        self.say(f"Slack channel: {picture.slack_page}")
        self.say(f"in another shell: {picture.look} tapewatch status")
        if picture.not_played:
            self.say(f"in the recording and not played: {', '.join(picture.not_played)}")
        return nullcontext()

    async def run(self, picture: Picture) -> None:
        """A line every few seconds."""
        while True:
            await asyncio.sleep(_LINE_EVERY_S)
            published = ", ".join(
                f"{flow.published.count} {channel}s ({flow.published.per_s:.0f}/s)"
                for channel, flow in picture.flows.items()
            )
            behind = ", ".join(f"{sink} {picture.behind(sink)}" for sink in ("redis", "postgres"))
            self.say(f"{picture.market_s:.0f} s {picture.phase}: published {published}; behind: {behind}")

    def close(self) -> None:
        """Nothing to take away."""


def save_screenshot(picture: Picture, file: Path) -> None:
    """Write the screen as it is now as an SVG."""
    with Path("/dev/null").open("w", encoding="utf-8") as nowhere:
        console = Console(
            record=True, width=_SCREENSHOT_WIDTH, file=nowhere, force_terminal=True, color_system="truecolor"
        )
        console.print(draw(picture, _SCREENSHOT_WIDTH))
        file.write_text(console.export_svg(title="tapewatch demo"), encoding="utf-8")
