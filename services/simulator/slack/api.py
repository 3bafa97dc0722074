"""The Web API and incoming webhooks over HTTP: tokens, every spelling of a body, rate limits, faults on command."""

import asyncio
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiohttp import web

from services.simulator.limits import TokenBucket
from services.simulator.slack.validate import Refused
from services.simulator.slack.workspace import MAX_FILE_BYTES, Message, Workspace

WEBHOOK_PATH = "/services/T0TAPEWATCH/B0TAPEWATCH/simulatedsecret"
log = structlog.get_logger(__name__)
Arguments = dict[str, Any]
Method = Callable[["SlackApi", Arguments, web.Request], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class SlackLimits:
    """How often may be called: posting a channel, and everything else a method."""

    posts_per_s: float = 1.0
    posts_burst: float = 4.0
    updates_per_s: float = 50 / 60
    updates_burst: float = 20.0


@dataclass(slots=True)
class SlackFault:
    """What goes wrong with the next `count` calls: ``error`` (a status), ``hang`` (seconds), ``cut`` (after the call
    took effect), ``refuse`` (ok false with an error name)."""

    kind: str
    count: int
    status: int = 500
    seconds: float = 30.0
    error: str = "internal_error"


@dataclass(slots=True)
class _Faults:
    waiting: list[SlackFault] = field(default_factory=list)

    def take(self) -> SlackFault | None:
        if not self.waiting:
            return None
        fault = self.waiting[0]
        fault.count -= 1
        if fault.count <= 0:
            self.waiting.pop(0)
        return fault


class RateLimited(Exception):
    """Too many calls: to be tried again after `wait_s`."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"again in {wait_s:.3f} s")
        self.wait_s = wait_s


class SlackApi:
    """Serves the workspace. `now_us` is this machine's clock."""

    def __init__(self, workspace: Workspace, limits: SlackLimits, now_us: Callable[[], int]) -> None:
        self._workspace = workspace
        self._limits = limits
        self._now_us = now_us
        self._buckets: dict[str, TokenBucket] = {}
        self._not_before_us: dict[str, int] = {}
        """Until when was asked to wait, by bucket."""
        self._faults = _Faults()
        self.granted: frozenset[str] | None = None
        """The scopes of the app; None grants all."""
        self.called: set[str] = set()

    def routes(self) -> list[web.RouteDef]:
        """The paths that are served."""
        return [
            web.post("/api/{method}", self._call),
            web.get("/api/{method}", self._call),
            web.post("/services/{tail:.*}", self._webhook),
            web.post("/slack/upload/{file_id}", self._upload),
        ]

    def plan_fault(self, fault: SlackFault) -> None:
        """Let calls that are still to come go wrong."""
        self._faults.waiting.append(fault)

    async def _call(self, request: web.Request) -> web.StreamResponse:
        fault = self._faults.take()
        if fault is not None and (answer := await _broken(fault)) is not None:
            return answer
        try:
            body = self._perform(request, await _arguments(request), fault)
        except RateLimited as limited:
            return self._rate_limited(limited.wait_s)
        except Refused as refused:
            self._reject(refused)
            body = {"ok": False, "error": refused.error, "response_metadata": {"messages": refused.details}}
        if fault is not None and fault.kind == "cut":
            _cut(request)
        return _json(body)

    def _perform(self, request: web.Request, arguments: Arguments, fault: SlackFault | None) -> dict[str, Any]:
        """Do what a call asks for. Raises Refused and RateLimited."""
        _check_token(request, arguments)
        if fault is not None and fault.kind == "refuse":
            raise Refused(fault.error)
        name = request.match_info["method"]
        method = _METHODS.get(name)
        if method is None:
            raise Refused("unknown_method")
        self._check_scopes(name)
        self._check_limit(name, arguments)
        return {"ok": True, **method(self, arguments, request)}

    async def _webhook(self, request: web.Request) -> web.StreamResponse:
        fault = self._faults.take()
        if fault is not None and (answer := await _broken(fault)) is not None:
            return answer
        if request.path != WEBHOOK_PATH:
            self._reject(Refused("no_service"))
            return web.Response(status=404, text="no_service")
        try:
            self._take("webhook", self._limits.posts_per_s, self._limits.posts_burst)
            content = _json_object(await request.text(), "invalid_payload")
            self._workspace.post(self._workspace.channels[0], content, self._now_us(), via="webhook")
        except RateLimited as limited:
            return self._rate_limited(limited.wait_s)
        except Refused as refused:
            self._reject(refused)
            return web.Response(status=400, text=refused.error)
        if fault is not None and fault.kind == "cut":
            _cut(request)
        return web.Response(text="ok")

    def _reject(self, refused: Refused) -> None:
        self._workspace.counts["rejected"] += 1
        log.warning("slack refuses", error=refused.error, details=refused.details)

    async def _upload(self, request: web.Request) -> web.Response:
        file = self._workspace.files.get(request.match_info["file_id"])
        if file is None:
            return web.Response(status=404, text="file_not_found")
        if request.content_type.startswith("multipart/"):
            parts = await request.post()
            sent = next((part for part in parts.values() if isinstance(part, web.FileField)), None)
            content = sent.file.read(MAX_FILE_BYTES + 1) if sent is not None else b""
        else:
            content = await request.read()
        if len(content) > MAX_FILE_BYTES:
            return web.Response(status=413, text="file_too_large")
        if len(content) != file.length:
            return web.Response(status=400, text="length_mismatch")
        file.content = content
        return web.Response(text=f"OK - {len(content)}")

    def _check_scopes(self, name: str) -> None:
        """As Slack: a method needs one of its scopes."""
        needed = SCOPES.get(name, ())
        if needed and self.granted is not None and not self.granted.intersection(needed):
            raise Refused("missing_scope", f"needed: {needed[0]}")
        self.called.add(name)

    def _check_limit(self, name: str, arguments: Arguments) -> None:
        limits = self._limits
        if name == "chat.postMessage":
            channel = self._workspace.channel(arguments.get("channel"))
            self._take(f"post {channel.channel_id}", limits.posts_per_s, limits.posts_burst)
        else:
            self._take(name, limits.updates_per_s, limits.updates_burst)

    def _take(self, bucket: str, per_s: float, burst: float) -> None:
        now_us = self._now_us()
        self._workspace.counts["too_early"] += now_us < self._not_before_us.get(bucket, 0)
        wait_s = self._buckets.setdefault(bucket, TokenBucket(per_s, burst)).take(now_us / 1e6)
        if wait_s:
            self._not_before_us[bucket] = now_us + 1_000_000 * _asked_s(wait_s)
            raise RateLimited(wait_s)

    def _rate_limited(self, wait_s: float) -> web.Response:
        self._workspace.counts["rate_limited"] += 1
        headers = {"Retry-After": str(_asked_s(wait_s))}
        return _json({"ok": False, "error": "ratelimited"}, 429, headers)

    def _auth_test(self, _: Arguments, request: web.Request) -> dict[str, Any]:
        return {
            "url": f"http://{request.host}/",
            "team": "Simulated",
            "user": "tapewatch",
            "team_id": "T0TAPEWATCH",
            "user_id": "U0TAPEWATCH",
            "bot_id": "B0TAPEWATCH",
        }

    def _post_message(self, arguments: Arguments, _: web.Request) -> dict[str, Any]:
        channel = self._workspace.channel(arguments.get("channel"))
        message = self._workspace.post(channel, arguments, self._now_us())
        return {"channel": channel.channel_id, "ts": message.ts, "message": message.as_json()}

    def _update(self, arguments: Arguments, _: web.Request) -> dict[str, Any]:
        # Unlike posting, changing needs the channel's id: a name is refused.
        channel = self._workspace.channel(arguments.get("channel"))
        if arguments.get("channel") != channel.channel_id:
            raise Refused("channel_not_found")
        message = self._workspace.update(channel, arguments, self._now_us())
        return {"channel": channel.channel_id, "ts": message.ts, "text": message.text, "message": message.as_json()}

    def _delete(self, arguments: Arguments, _: web.Request) -> dict[str, Any]:
        channel = self._workspace.channel(arguments.get("channel"))
        self._workspace.delete(channel, str(arguments.get("ts")))
        return {"channel": channel.channel_id, "ts": arguments.get("ts")}

    def _permalink(self, arguments: Arguments, request: web.Request) -> dict[str, Any]:
        channel = self._workspace.channel(arguments.get("channel"))
        ts = str(arguments.get("message_ts", ""))
        if channel.find(ts) is None:
            raise Refused("message_not_found")
        return {"channel": channel.channel_id, "permalink": f"http://{request.host}/slack/{channel.name}#p{ts}"}

    def _react(self, arguments: Arguments, _: web.Request) -> dict[str, Any]:
        channel = self._workspace.channel(arguments.get("channel"))
        self._workspace.react(channel, str(arguments.get("timestamp")), str(arguments.get("name")))
        return {}

    def _conversations(self, _: Arguments, __: web.Request) -> dict[str, Any]:
        channels = [
            {"id": c.channel_id, "name": c.name, "is_channel": True, "is_member": True, "is_archived": False}
            for c in self._workspace.channels
        ]
        return {"channels": channels, "response_metadata": {"next_cursor": ""}}

    def _conversation(self, arguments: Arguments, _: web.Request) -> dict[str, Any]:
        channel = self._workspace.channel(arguments.get("channel"))
        return {"channel": {"id": channel.channel_id, "name": channel.name, "is_channel": True, "is_member": True}}

    def _history(self, arguments: Arguments, _: web.Request) -> dict[str, Any]:
        channel = self._workspace.channel(arguments.get("channel"))
        found = [message for message in channel.messages if message.thread_ts is None or message.root is not None]
        return _page(found[::-1], arguments, most=100)

    def _replies(self, arguments: Arguments, _: web.Request) -> dict[str, Any]:
        channel, ts = self._workspace.channel(arguments.get("channel")), arguments.get("ts")
        parent = channel.find(str(ts))
        if parent is None:
            raise Refused("thread_not_found")
        page = _page([message for message in channel.messages if message.thread_ts == ts], arguments, most=1_000)
        return page | {"messages": [parent.as_json(), *page["messages"]]}  # the message itself, whatever the page

    def _upload_address(self, arguments: Arguments, request: web.Request) -> dict[str, Any]:
        if not arguments.get("filename") or not str(arguments.get("length", "")).isdecimal():
            raise Refused("invalid_arguments")
        if int(arguments["length"]) > MAX_FILE_BYTES:
            raise Refused("file_too_large")
        file = self._workspace.new_file(str(arguments["filename"])[:255])
        file.length = int(arguments["length"])
        file.alt_text = str(arguments.get("alt_txt") or arguments.get("alt_text") or "")
        return {"upload_url": f"http://{request.host}/slack/upload/{file.file_id}", "file_id": file.file_id}

    def _complete_upload(self, arguments: Arguments, _: web.Request) -> dict[str, Any]:
        asked = arguments.get("files")
        if not isinstance(asked, list) or not asked:
            raise Refused("invalid_arguments")
        files = []
        for item in asked:
            file = self._workspace.files.get(item.get("id", "")) if isinstance(item, dict) else None
            if file is None:
                raise Refused("file_not_found")
            self._workspace.complete(file, str(item.get("title") or file.name), self._now_us())
            files.append(file)
        if arguments.get("channel_id"):
            channel = self._workspace.channel(arguments["channel_id"])
            comment, thread_ts = str(arguments.get("initial_comment") or ""), arguments.get("thread_ts")
            for file in files:
                self._workspace.share_file(file, channel, comment, thread_ts, self._now_us())
        return {"files": [{"id": file.file_id, "title": file.title} for file in files]}


_JSON_ARGUMENTS = {
    "blocks": "invalid_blocks_format",
    "files": "invalid_arguments",
    "attachments": "invalid_attachments",
}
SCOPES: dict[str, tuple[str, ...]] = {
    "chat.postMessage": ("chat:write",),
    "chat.update": ("chat:write",),
    "chat.delete": ("chat:write",),
    "reactions.add": ("reactions:write",),
    "conversations.list": ("channels:read", "groups:read"),
    "conversations.info": ("channels:read", "groups:read"),
    "conversations.join": ("channels:join",),
    "conversations.history": ("channels:history", "groups:history"),
    "conversations.replies": ("channels:history", "groups:history"),
    "files.getUploadURLExternal": ("files:write",),
    "files.completeUploadExternal": ("files:write",),
}
"""What a method's documentation asks of a bot, any one of them."""

_METHODS: dict[str, Method] = {
    "auth.test": SlackApi._auth_test,
    "chat.postMessage": SlackApi._post_message,
    "chat.update": SlackApi._update,
    "chat.delete": SlackApi._delete,
    "chat.getPermalink": SlackApi._permalink,
    "reactions.add": SlackApi._react,
    "conversations.list": SlackApi._conversations,
    "conversations.info": SlackApi._conversation,
    "conversations.join": SlackApi._conversation,
    "conversations.history": SlackApi._history,
    "conversations.replies": SlackApi._replies,
    "files.getUploadURLExternal": SlackApi._upload_address,
    "files.completeUploadExternal": SlackApi._complete_upload,
}


def _page(found: Sequence[Message], arguments: Arguments, most: int) -> dict[str, Any]:
    """`limit` or `most` of the messages, from a cursor on, and where the next ones begin."""
    first, limit = str(arguments.get("cursor") or 0), str(arguments.get("limit") or most)
    for value, error in ((first, "invalid_cursor"), (limit, "invalid_limit")):
        if not value.isdecimal():
            raise Refused(error)
    after = int(first) + int(limit)
    page: dict[str, Any] = {"messages": [message.as_json() for message in found[int(first) : after]]}
    if after >= len(found):
        return page | {"has_more": False}
    return page | {"has_more": True, "response_metadata": {"next_cursor": str(after)}}


def _asked_s(wait_s: float) -> int:
    """As ``Retry-After`` says it: whole seconds."""
    return max(1, math.ceil(wait_s))


def _json(body: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response(
        body, status=status, headers=headers, dumps=lambda value: json.dumps(value, ensure_ascii=False)
    )


async def _arguments(request: web.Request) -> Arguments:
    """Read the address, a form or a JSON body; what is JSON text inside a form is read once more."""
    arguments: Arguments = dict(request.query)
    if request.content_type == "application/json":
        arguments |= _json_object(await request.text() or "{}", "invalid_json")
    elif request.can_read_body:
        arguments |= {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    for name, error in _JSON_ARGUMENTS.items():
        if isinstance(arguments.get(name), str):
            arguments[name] = _json_value(arguments[name], error)
    return arguments


def _json_value(text: str, error: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise Refused(error) from None


def _json_object(text: str, error: str) -> Arguments:
    body = _json_value(text, error)
    if not isinstance(body, dict):
        raise Refused(error)
    return body


def _check_token(request: web.Request, arguments: Arguments) -> None:
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    token = bearer if scheme.lower() == "bearer" else str(arguments.get("token") or "")
    if not token:
        raise Refused("not_authed")
    if not token.startswith("xoxb-") or len(token) < 8:
        raise Refused("invalid_auth")


async def _broken(fault: SlackFault) -> web.Response | None:
    """Play a fault that happens before the call takes effect."""
    if fault.kind == "error":
        return web.Response(status=fault.status, text="simulated failure")
    if fault.kind == "hang":
        await asyncio.sleep(fault.seconds)
        return web.Response(status=504, text="simulated timeout")
    return None


def _cut(request: web.Request) -> None:
    """Hang up before the answer to a call that took effect."""
    if request.transport is not None:
        request.transport.close()
