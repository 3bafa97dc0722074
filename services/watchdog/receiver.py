"""The far end of the dead man's switch as a process: hears the heartbeats of other hosts, and tells who fell silent."""

import asyncio
import shlex
from collections.abc import Callable, Sequence
from functools import partial

import structlog
from aiohttp import web

from services.watchdog import silences
from services.watchdog.app import LOOK_EVERY_S, SAVE_EVERY_S, choose_ways, host_name, unless_stopped
from services.watchdog.changes import Change
from services.watchdog.delivery import Delivery
from services.watchdog.message import Context, Message, render
from services.watchdog.store import KeptHosts, Store
from services.watchdog.ways import Way
from services.watchdog.wording import WORDINGS
from shared import lifecycle
from shared.clock import NowMicros, now_us
from shared.errors import WrongUse
from shared.liveness import Liveness
from shared.settings import Settings

_ASKED_FOR = 'the body is {"host": "its name"}: letters, digits and ._-, 64 at most\n'
log = structlog.get_logger(__name__)


def run(listen: str, port: int, within_s: float) -> int:
    """Run until SIGTERM or SIGINT; return the exit code."""
    return lifecycle.run("deadman", partial(receive, listen, port, within_s))


async def receive(  # noqa: PLR0913, PLR0917 - the command's options and what every service is given
    listen: str, port: int, within_s: float, settings: Settings, stop: asyncio.Event, liveness: Liveness
) -> None:
    """Listen and tell until `stop`. Raises WrongUse when the port cannot be had."""
    store = Store(settings.state.directory, "deadman", KeptHosts)
    receiver = Receiver(within_s, choose_ways(settings), store, settings)
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
        async with asyncio.TaskGroup() as tasks:
            delivering = receiver.delivery.start(tasks)
            await receiver.listen(stop, liveness.moved)
            for task in delivering:
                task.cancel()
    finally:
        await runner.cleanup()


class Receiver:
    """Hears, looks who is missing, and has it told."""

    def __init__(
        self, within_s: float, ways: Sequence[Way], store: Store[KeptHosts], settings: Settings, now: NowMicros = now_us
    ) -> None:
        self._within_us, self._now, self._store = int(within_s * 1_000_000), now, store
        self._name, self._wording = host_name(settings), WORDINGS[settings.alerts.language]
        kept = store.load()
        self._hosts = kept.hosts
        self._refused = 0
        """Heartbeats since that was last logged: anybody may send them, and fast."""
        self.delivery = Delivery(ways, kept.outboxes, self._wording.given_up, self._save)

    def routes(self) -> list[web.RouteDef]:
        """Where a heartbeat is posted."""
        return [web.post("/heartbeat", self._hear)]

    async def _hear(self, request: web.Request) -> web.Response:
        host = await _host_in(request)
        if host is None:
            self._refused += 1
            raise web.HTTPBadRequest(text=_ASKED_FOR)
        is_new = host not in self._hosts.known
        try:
            self._hosts = silences.hear(self._hosts, host, self._now())
        except silences.TooManyHosts as error:
            self._refused += 1
            raise web.HTTPServiceUnavailable(text=f"{error}\n") from None
        if is_new:
            log.info("heard of a host", host=host)
            self._save()
        return web.Response(text="heard\n")

    async def listen(self, stop: asyncio.Event, moved: Callable[[str], None]) -> None:
        """Look once a second who is missing, until `stop`."""
        looks = 0
        while not stop.is_set():
            self._hosts, changes = silences.look(self._hosts, self._within_us, self._now())
            self.delivery.forget_others(self._hosts.known)
            messages = [self._message(one) for one in changes]
            for message in messages:
                log.warning("change", text=message.text)
            self.delivery.add(messages)
            if changes or looks % round(SAVE_EVERY_S / LOOK_EVERY_S) == 0:
                self._save()
                self._log_refused()
            silent = sum(host.silent_since_us is not None for host in self._hosts.known.values())
            moved(f"{len(self._hosts.known) - silent} hosts heard, {silent} silent")
            looks += 1
            await unless_stopped(LOOK_EVERY_S, stop)
        self._save()

    def _message(self, change: Change) -> Message:
        command = f"ping {shlex.quote(change.part)}"  # a name that an older program took may be anything
        return render(change, Context(self._name, command), self._wording)

    def _log_refused(self) -> None:
        if self._refused:
            log.warning("heartbeats were refused: no name of a host, or one too many", count=self._refused)
            self._refused = 0

    def _save(self) -> None:
        self._store.save(KeptHosts(self._hosts, self.delivery.outboxes))


async def _host_in(request: web.Request) -> str | None:
    try:
        body = await request.json()
    except ValueError:
        return None
    host = body.get("host") if isinstance(body, dict) else None
    return host if isinstance(host, str) and silences.is_name(host) else None
