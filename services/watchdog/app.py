"""The watchdog put together: looks every second, decides, and tells people on every way there is."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import structlog

from services.watchdog import deadman
from services.watchdog.changes import Change, with_end
from services.watchdog.delivery import Delivery
from services.watchdog.looking import observe, says
from services.watchdog.memory import Sight
from services.watchdog.message import Context, Message, render, shortened
from services.watchdog.observation import End
from services.watchdog.probed_host import ProbedHost
from services.watchdog.store import Kept, Store
from services.watchdog.systemd_host import SystemdHost
from services.watchdog.ways import SlackBot, Way, Webhook
from services.watchdog.wording import WORDINGS
from shared import lifecycle
from shared.clock import NowMicros, now_us
from shared.liveness import Liveness
from shared.redaction import without_secrets
from shared.settings import Settings

LOOK_EVERY_S = 1.0
SAVE_EVERY_S = 5.0
LOG_LINES = 5
OWN_UNIT = "tapewatch-watchdog.service"
_ENDED_WITHIN_US = 60_000_000
"""An end that lies further back is not why a part went down now."""
log = structlog.get_logger(__name__)


class Host(Protocol):
    """Where the parts run, and what can be seen of them there."""

    async def look(self, remembered: Sequence[str]) -> Sight:
        """Everything as it is now."""
        ...

    async def last_end(self, part: str, since_us: int) -> End | None:
        """How a part last ended since then, if somebody knows."""
        ...

    async def last_lines(self, part: str, count: int) -> list[str]:
        """What a part last logged."""
        ...

    def advice(self, change: Change) -> str:
        """What to type next."""
        ...


def run() -> int:
    """Run until SIGTERM or SIGINT; return the exit code."""
    return lifecycle.run("watchdog", main)


async def main(settings: Settings, stop: asyncio.Event, liveness: Liveness) -> None:
    """Watch and tell until `stop`."""
    own = settings.watchdog
    host: Host = ProbedHost(dict(own.probes)) if own.probes else SystemdHost(own.units, own.target, OWN_UNIT)
    store = Store(settings.state.directory, "watchdog", Kept)
    watchdog = Watchdog(host, choose_ways(settings), store, settings, now_us)
    async with asyncio.TaskGroup() as tasks:
        beside = watchdog.delivery.start(tasks)
        if own.heartbeat_url is not None:
            url, name = own.heartbeat_url.get_secret_value(), host_name(settings)
            beside.append(tasks.create_task(deadman.send_heartbeats(url, name, own.heartbeat_every_s, watchdog.looked)))
        await watchdog.watch(stop, liveness.moved)
        for task in beside:
            task.cancel()


def host_name(settings: Settings) -> str:
    """What people call this machine."""
    return settings.watchdog.host or socket.gethostname()


def choose_ways(settings: Settings) -> list[Way]:
    """Slack by token or webhook, and the second way; none of them: changes are logged, and that is said."""
    slack, own = settings.slack, settings.watchdog
    ways: list[Way] = []
    if slack.bot_token is not None:
        ways.append(SlackBot(slack.bot_token.get_secret_value(), slack.ops_channel or slack.channel, slack.api_url))
    elif slack.webhook_url is not None:
        ways.append(Webhook("slack-webhook", slack.webhook_url.get_secret_value()))
    if own.webhook_url is not None:
        ways.append(Webhook("webhook", own.webhook_url.get_secret_value()))
    if not ways:
        log.warning("nobody is told: set TAPEWATCH_SLACK__BOT_TOKEN, SLACK__WEBHOOK_URL or WATCHDOG__WEBHOOK_URL")
    return ways


class Watchdog:
    """Looks, decides, and has it told."""

    def __init__(
        self, host: Host, ways: Sequence[Way], store: Store[Kept], settings: Settings, now: NowMicros = now_us
    ) -> None:
        self._host, self._store, self._now = host, store, now
        self._name, self._wording = host_name(settings), WORDINGS[settings.alerts.language]
        kept = store.load()
        self._memory = kept.memory
        self.delivery = Delivery(ways, kept.outboxes, self._wording.given_up, self._save)
        self.looked = asyncio.Event()
        """Set by each look that went well."""

    async def watch(self, stop: asyncio.Event, moved: Callable[[str], None]) -> None:
        """Look once a second until `stop`. Raises Unreachable when nothing can be seen."""
        looks = 0
        while not stop.is_set():
            sight = await self._host.look(list(self._memory.parts))
            moved(says(sight, self._memory))
            memory, changes = observe(self._memory, sight, self._now())
            messages = await asyncio.gather(*(self._message(change) for change in changes))
            self._memory = memory
            self.delivery.add(messages)
            if changes or looks % round(SAVE_EVERY_S / LOOK_EVERY_S) == 0:
                self._save()
            moved(says(sight, self._memory))
            self.looked.set()
            looks += 1
            await unless_stopped(LOOK_EVERY_S, stop)
        self._save()

    def _save(self) -> None:
        self._store.save(Kept(self._memory, self.delivery.outboxes))

    async def _message(self, change: Change) -> Message:
        if change.kind in ("down", "looping", "restarted"):
            change = with_end(change, await self._host.last_end(change.part, change.since_us - _ENDED_WITHIN_US))
        lines = [shortened(without_secrets(line)) for line in await self._host.last_lines(change.part, LOG_LINES)]
        change = replace(change, status=without_secrets(change.status))
        message = render(change, Context(self._name, self._host.advice(change), lines), self._wording)
        log.warning("change", part=change.part, kind=change.kind, text=message.text)
        return message


async def unless_stopped(seconds: float, stop: asyncio.Event) -> None:
    """Rest for so long, or until `stop`."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
