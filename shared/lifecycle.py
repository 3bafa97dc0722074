"""A service's life: start, run until told to stop or something fails, end with an exit code that scripts rely on."""

import asyncio
import faulthandler
import signal
import sys
from collections.abc import Awaitable, Callable

import structlog

from shared import logs
from shared.errors import TapewatchError
from shared.settings import Settings, load_settings, without_secrets

Main = Callable[[Settings, asyncio.Event], Awaitable[None]]
log = structlog.get_logger(__name__)


def run(service: str, main: Main) -> int:
    """Run `main(settings, stop)` and return the exit code. `stop` is set by SIGTERM and SIGINT.

    A TapewatchError ends the process with its one line and its code. Anything unforeseen ends it with a traceback in
    the log and code 1: the supervisor starts it again.
    """
    faulthandler.enable()
    try:
        settings = load_settings()
        logs.configure(settings.log, service)
        asyncio.run(_until_stopped(service, settings, main))
    except TapewatchError as error:
        print(f"tapewatch {service}: {without_secrets(str(error))}", file=sys.stderr)
        return error.exit_code
    except BaseExceptionGroup as group:
        return _grouped(service, group)
    return 0


async def _until_stopped(service: str, settings: Settings, main: Main) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    log.info("starting", service=service)
    await main(settings, stop)
    log.info("stopped", service=service)


def _grouped(service: str, group: BaseExceptionGroup[BaseException]) -> int:
    told, rest = group.split(TapewatchError)
    if rest is not None or told is None:
        raise group
    first: BaseException = told
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    print(f"tapewatch {service}: {without_secrets(str(first))}", file=sys.stderr)
    return first.exit_code if isinstance(first, TapewatchError) else 1
