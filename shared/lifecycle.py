"""A service's life: start, run until told to stop or something fails, end with an exit code that scripts rely on."""

import asyncio
import ctypes
import faulthandler
import gc
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import structlog

from shared import connections, health, logs
from shared.errors import Stopped, TapewatchError
from shared.heartbeat import beat
from shared.liveness import Liveness
from shared.redaction import without_secrets
from shared.settings import Settings, load_settings
from shared.systemd import Systemd

STOP_WITHIN_S = 10
"""How long a service may take to bring its last batch home after SIGTERM."""

_START_BEYOND_WAIT_S = 60
_COLLECT_EVERY_OBJECTS = 20_000
_COLLECT_EVERY_S = 15.0

T = TypeVar("T")
Main = Callable[[Settings, asyncio.Event, Liveness], Coroutine[Any, Any, None]]
log = structlog.get_logger(__name__)


def run(service: str, main: Main) -> int:
    """Run `main(settings, stop, liveness)` and return the exit code. `stop` is set by SIGTERM and SIGINT.

    `main` says in `liveness` whenever it gets on. When it does not for too long, the process ends.

    A TapewatchError ends the process with its one line and its code. Anything unforeseen ends it with a traceback in
    the log and code 1: the supervisor starts it again.
    """
    faulthandler.enable()
    try:
        settings = load_settings()
        logs.configure(settings.log, service)
        _spare_the_collector()
        connections.run(_until_stopped(settings, main))
    except ModuleNotFoundError:
        raise  # the command line knows which extra is missing
    # The stated boundary (ARCHITECTURE, rule 5) ends the process. Further out the command line's library would do so
    # without a traceback for EOFError, which a connection cut short is to asyncio, and without a word for EPIPE.
    except Exception as error:  # noqa: BLE001
        return _ended_by(service, error)
    return 0


def _spare_the_collector() -> None:
    """What is loaded by now stays for good, and a batch makes thousands of objects that no cycle holds."""
    gc.freeze()
    gc.set_threshold(_COLLECT_EVERY_OBJECTS)


async def _collect_garbage() -> None:
    """Few objects can hold much: a fetch of which a reader took one record is a cycle with its buffers.

    What is free between what is not the C library gives back only when asked, and gathers more of it hour by hour.
    """
    give_back = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's own; other C libraries do without
    while True:
        await asyncio.sleep(_COLLECT_EVERY_S)
        gc.collect()
        if give_back is not None:
            give_back(0)


async def unless_stopped(stop: asyncio.Event, work: Coroutine[Any, Any, T], *watching: "asyncio.Task[None]") -> T:
    """Wait for `work`. Raises Stopped when `stop` is set first, or what one of `watching` raises."""
    working, stopped = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopped, *watching}, return_when=asyncio.FIRST_COMPLETED)
        for watch in watching:
            if watch.done():
                watch.result()
        if not working.done():
            raise Stopped("stopped before there was anything to do")
        return working.result()
    finally:
        stopped.cancel()
        working.cancel()
        await asyncio.wait({working})


async def _until_stopped(settings: Settings, main: Main) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    log.info("starting")
    systemd, liveness = Systemd(), _liveness(settings)
    health.serve(settings.metrics, liveness)
    beating = asyncio.create_task(beat(liveness, systemd), name="heartbeat")
    collecting = asyncio.create_task(_collect_garbage(), name="garbage")
    running = asyncio.create_task(main(settings, stop, liveness), name="main")
    ending = asyncio.create_task(stop.wait())
    await asyncio.wait({running, ending, beating}, return_when=asyncio.FIRST_COMPLETED)
    if beating.done():
        running.cancel()
        await asyncio.wait({running}, timeout=1)
        beating.result()
    beating.cancel()
    if not running.done():
        systemd.tell(STOPPING=1, STATUS="stopping")
    await asyncio.wait({running}, timeout=STOP_WITHIN_S)
    collecting.cancel()
    if not running.done():
        running.cancel()
        await asyncio.wait({running}, timeout=1)
        raise TapewatchError(f"did not stop within {STOP_WITHIN_S} s of being told to")
    await running
    log.info("stopped")


def _liveness(settings: Settings) -> Liveness:
    start_within_s = settings.start.wait_s + _START_BEYOND_WAIT_S
    return Liveness(time.monotonic, settings.liveness.within_s, start_within_s)


def _ended_by(service: str, error: Exception) -> int:
    if isinstance(error, ExceptionGroup):
        told, unforeseen = error.split(TapewatchError)
        if told is not None and unforeseen is None:
            return _ended_by(service, told.exceptions[0])
    if isinstance(error, TapewatchError):
        print(f"tapewatch {service}: {without_secrets(str(error))}", file=sys.stderr)
        return error.exit_code
    log.critical("ended by something unforeseen", exc_info=error)
    return 1
