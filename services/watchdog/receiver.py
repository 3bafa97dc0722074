"""The far end of the dead man's switch as a process: hears the heartbeats of other hosts, and tells who fell silent."""

import asyncio
import socket
from collections.abc import Sequence
from functools import partial

import structlog
from aiohttp import web

from services.watchdog.app import choose_ways
from services.watchdog.deadman import Receiver
from services.watchdog.message import Context, Message, render
from services.watchdog.ways import NotTold, Way
from services.watchdog.wording import WORDINGS
from shared import lifecycle
from shared.clock import now_us
from shared.errors import WrongUse
from shared.liveness import Liveness
from shared.settings import Settings

_LOOK_EVERY_S = 1.0
_TRIES, _RETRY_S = 20, 3.0
log = structlog.get_logger(__name__)


def run(listen: str, port: int, within_s: float) -> int:
    """Run until SIGTERM or SIGINT; return the exit code."""
    return lifecycle.run("deadman", partial(receive, listen, port, within_s))


async def receive(  # noqa: PLR0913, PLR0917 - the command's options and what every service is given
    listen: str, port: int, within_s: float, settings: Settings, stop: asyncio.Event, liveness: Liveness
) -> None:
    """Listen and tell until `stop`. Raises WrongUse when the port cannot be had."""
    receiver, ways = Receiver(within_s, now_us), choose_ways(settings)
    app = web.Application(client_max_size=4096)
    app.add_routes(receiver.routes())
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, listen, port).start()
    except OSError as error:
        await runner.cleanup()
        raise WrongUse(f"--port {port}: cannot listen on {listen}: {error.strerror}") from None
    log.info("listening", address=f"{listen}:{runner.addresses[0][1]}", within_s=within_s)
    try:
        while not stop.is_set():
            wording = WORDINGS[settings.alerts.language]
            context = Context(socket.gethostname(), "ping it, then look at its console")
            messages = [render(change, context, wording) for change in receiver.look()]
            await asyncio.gather(*(_tell(way, messages) for way in ways))
            liveness.moved("listening")
            await asyncio.sleep(_LOOK_EVERY_S)
    finally:
        await runner.cleanup()


async def _tell(way: Way, messages: Sequence[Message]) -> None:
    for message in messages:
        log.warning("change", text=message.text)
        for _ in range(_TRIES):
            try:
                await way.tell(message, None)
                break
            except NotTold as error:
                log.warning("not told yet", way=way.name, reason=str(error))
                await asyncio.sleep(error.again_in_s or _RETRY_S)
        else:
            log.error("given up", way=way.name, text=message.text)
