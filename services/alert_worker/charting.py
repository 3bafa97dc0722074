"""Draws and uploads the charts of alerts beside the telling, one at a time: the text never waits for a picture."""

import asyncio
import os
import sys
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from time import monotonic

import msgspec
import structlog

from services.alert_worker.charts.request import ChartAnswer, ChartRequest
from services.alert_worker.messages.chart_request import alt_text, request_for
from services.alert_worker.messages.message import Picture
from services.alert_worker.messages.wording import Wording
from services.alert_worker.notifiers.base import Later, Notifier, Refused, Unanswered
from shared.events import Alert
from shared.metrics import CHARTS

log = structlog.get_logger(__name__)

DRAW_LIMIT_S = 60.0
MOST_WAITING = 8
"""In a storm the charts of the first ones are drawn; a later one takes the place of an older of its episode."""
_AHEAD_S = 1.5
"""Slack works on an upload before it can show it."""
_TRIES = 3
GIVEN_UP_AFTER_S = 600.0
"""A chart that may be brought only after this is given up: its hour is past. Nothing is asked for before that time."""


class Charting:
    """Takes alerts in, gives pictures out: `finished` holds (episode id, picture), to be shown by whoever tells."""

    def __init__(self, notifier: Notifier, wording: Wording, cache: Path | None, *, korean_colours: bool) -> None:
        """`cache` is where the drawing library keeps its list of fonts, which it is slow to make."""
        self._notifier, self._wording, self._korean_colours = notifier, wording, korean_colours
        # One picture needs no threads, and a sandbox counts them.
        self._environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        self._environment |= {"MPLCONFIGDIR": str(cache)} if cache else {}
        self._waiting: dict[str, list[Alert]] = {}
        self._wake = asyncio.Event()
        self._not_before_s = 0.0
        self.finished: deque[tuple[str, Picture]] = deque(maxlen=2 * MOST_WAITING)

    def want(self, alert: Alert, earlier: list[Alert]) -> None:
        """Ask for a chart of the episode as of `alert`; `earlier` changes are marked too."""
        is_move = alert.scope == "symbol" and alert.direction != "none"
        if not self._notifier.can_edit or not is_move or alert.symbol is None:
            return
        if alert.episode_id not in self._waiting and len(self._waiting) >= MOST_WAITING:
            CHARTS.labels("left_out").inc()
            return
        self._waiting[alert.episode_id] = [*earlier, alert]
        self._wake.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Draw until `stop`; a chart under way is given up then, and drawn again with the episode's next change.

        What goes wrong with a picture costs that picture and is counted.
        """
        drawing, stopping = asyncio.create_task(self._draw_all()), asyncio.create_task(stop.wait())
        await asyncio.wait({drawing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        drawing.cancel()
        with suppress(asyncio.CancelledError):
            await drawing

    async def _draw_all(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._one(self._waiting.pop(next(iter(self._waiting))))

    async def _one(self, alerts: list[Alert]) -> None:
        newest = alerts[-1]
        request = request_for(alerts, self._wording, korean_colours=self._korean_colours)
        answer = await draw(request, self._environment)
        if answer is None or not answer.bars:
            CHARTS.labels("not_drawn").inc()
            return
        words = alt_text(newest, answer, self._wording)
        file_id = await self._upload(answer.png, f"{newest.symbol}-{newest.alert_id}.png"[:100], words)
        if file_id is None:
            CHARTS.labels("not_uploaded").inc()
            return
        CHARTS.labels("drawn").inc()
        await asyncio.sleep(_AHEAD_S)
        self.finished.append((newest.episode_id, Picture(file_id, words)))

    async def _upload(self, png: bytes, name: str, words: str) -> str | None:
        for attempt in range(_TRIES):
            wait_s = self._not_before_s - monotonic()
            if wait_s > GIVEN_UP_AFTER_S:
                log.warning("a chart was given up", again_in_s=round(wait_s))
                return None
            await asyncio.sleep(max(0.0, wait_s))
            try:
                return await self._notifier.upload(png, name, words)
            except Later as error:
                self._not_before_s = monotonic() + error.seconds
            except Unanswered:
                await asyncio.sleep(2.0**attempt)
            except Refused as error:
                log.warning("the chart was refused", reason=str(error))
                return None
        return None


async def draw(request: ChartRequest, environment: Mapping[str, str]) -> ChartAnswer | None:
    """Draw in a process of its own; None when that failed or took too long."""
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.alert_worker.charts", stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment,
        )  # fmt: skip
    except OSError as error:  # no room for one more process
        log.warning("a chart could not be drawn", symbol=request.symbol, reason=str(error))
        return None
    try:
        async with asyncio.timeout(DRAW_LIMIT_S):
            out, err = await process.communicate(msgspec.json.encode(request))
    except TimeoutError:
        out, err = b"", b"took too long"
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode != 0 or not out:
        log.warning("a chart could not be drawn", symbol=request.symbol, reason=err.decode(errors="replace")[-500:])
        return None
    return msgspec.json.decode(out, type=ChartAnswer)
