"""What the simulated workspace holds: channels, their messages, uploaded files, and counts. Pure: told the time."""

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from services.simulator.slack.validate import Refused, check_message

_KEPT_MESSAGES = 1_000
_KEPT_FILES = 50
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8")
PROCESSING_US = 300_000
"""For this long after an upload was completed, a block cannot show it yet."""
MAX_FILE_BYTES = 4 << 20


@dataclass(slots=True)
class Message:
    """One message as it stands now; `edits` counts how often it was changed."""

    ts: str
    channel_id: str
    text: str
    blocks: list[Any]
    thread_ts: str | None = None
    root: "Message | None" = None
    """Of an answer that is shown in the channel as well: what it answers."""
    edited_ts: str | None = None
    edits: int = 0
    username: str = "tapewatch"
    via: str = "bot"
    file_ids: list[str] = field(default_factory=list)
    reactions: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The message object as the Web API returns it."""
        body: dict[str, Any] = {
            "type": "message",
            "subtype": "bot_message",
            "text": self.text,
            "ts": self.ts,
            "username": self.username,
            "bot_id": "B0TAPEWATCH",
            "blocks": self.blocks,
        }
        if self.thread_ts is not None:
            body["thread_ts"] = self.thread_ts
        if self.root is not None:
            body |= {"subtype": "thread_broadcast", "root": self.root.as_json()}
        if self.edited_ts is not None:
            body["edited"] = {"user": "B0TAPEWATCH", "ts": self.edited_ts}
        return body


@dataclass(slots=True)
class File:
    """An uploaded file; it is in a channel once its upload was completed."""

    file_id: str
    name: str
    title: str
    content: bytes = b""
    alt_text: str = ""
    length: int = 0
    completed_us: int | None = None


@dataclass(slots=True)
class Channel:
    """One channel, named without the hash."""

    channel_id: str
    name: str
    messages: deque[Message] = field(default_factory=lambda: deque(maxlen=_KEPT_MESSAGES))

    def find(self, ts: str) -> Message | None:
        """The message with this timestamp, which is its id."""
        return next((message for message in self.messages if message.ts == ts), None)


class Workspace:
    """All of it. `version` rises with every visible change, so that a page knows when to draw again."""

    def __init__(self, channel_names: list[str]) -> None:
        self.channels = [
            Channel(f"C0TAPE{number:04d}", name.removeprefix("#")) for number, name in enumerate(channel_names, 1)
        ]
        self.files: dict[str, File] = {}
        self.counts: Counter[str] = Counter(messages=0, updates=0, rejected=0, rate_limited=0, too_early=0)
        self.version = 0
        self._last_ts_us = 0
        self._next_file = 1

    def channel(self, name: object) -> Channel:
        """Find by id, or by name with or without the hash. Raises Refused."""
        wanted = str(name or "").removeprefix("#")
        found = next((c for c in self.channels if wanted and wanted in (c.channel_id, c.name)), None)
        if found is None:
            raise Refused("channel_not_found")
        return found

    def post(self, channel: Channel, content: dict[str, Any], now_us: int, via: str = "bot") -> Message:
        """Add a message. Raises Refused."""
        text, blocks = self._content(content, now_us)
        thread_ts = content.get("thread_ts")
        root = channel.find(str(thread_ts)) if thread_ts is not None else None
        if thread_ts is not None and root is None:
            raise Refused("thread_not_found" if via == "bot" else "invalid_thread_ts")
        message = Message(
            ts=self._new_ts(now_us),
            channel_id=channel.channel_id,
            text=text,
            blocks=blocks,
            thread_ts=str(thread_ts) if thread_ts is not None else None,
            root=root if str(content.get("reply_broadcast")).lower() in {"true", "1"} else None,
            via=via,
        )
        channel.messages.append(message)
        self._changed("messages")
        return message

    def update(self, channel: Channel, content: dict[str, Any], now_us: int) -> Message:
        """Change a message in place. Raises Refused."""
        message = channel.find(str(content.get("ts", "")))
        if message is None:
            raise Refused("message_not_found")
        message.text, message.blocks = self._content(content, now_us)
        message.edited_ts = self._new_ts(now_us)
        message.edits += 1
        self._changed("updates")
        return message

    def delete(self, channel: Channel, ts: str) -> None:
        """Take a message away. Raises Refused."""
        message = channel.find(ts)
        if message is None:
            raise Refused("message_not_found")
        channel.messages.remove(message)
        self._changed("deleted")

    def react(self, channel: Channel, ts: str, name: str) -> None:
        """Put an emoji under a message. Raises Refused."""
        message = channel.find(ts)
        if message is None:
            raise Refused("message_not_found")
        if name in message.reactions:
            raise Refused("already_reacted")
        message.reactions.append(name)
        self._changed("reactions")

    def new_file(self, name: str) -> File:
        """Begin an upload."""
        file = File(f"F0TAPE{self._next_file:05d}", name, name)
        self._next_file += 1
        self.files[file.file_id] = file
        while len(self.files) > _KEPT_FILES:
            del self.files[next(iter(self.files))]
        return file

    def share_file(self, file: File, channel: Channel, comment: str, thread_ts: str | None, now_us: int) -> None:
        """Show a completed upload in a channel."""
        content = {"text": comment or file.title, **({"thread_ts": thread_ts} if thread_ts else {})}
        self.post(channel, content, now_us).file_ids.append(file.file_id)

    def complete(self, file: File, title: str, now_us: int) -> None:
        """The upload is said to be whole. Raises Refused."""
        if not file.content:
            raise Refused("file_not_found")
        file.title, file.completed_us = title, now_us

    def _content(self, content: dict[str, Any], now_us: int) -> tuple[str, list[Any]]:
        text, blocks = _content(content)
        for place, block in enumerate(blocks):
            if block["type"] == "image" and "slack_file" in block and not self._can_show(block["slack_file"], now_us):
                raise Refused("invalid_blocks", f"[ERROR] invalid slack file [json-pointer:/blocks/{place}/slack_file]")
        return text, blocks

    def _can_show(self, named: dict[str, Any], now_us: int) -> bool:
        file = self.files.get(str(named.get("id", "")))
        if file is None or file.completed_us is None or not file.content.startswith(_PICTURES):
            return False
        return now_us >= file.completed_us + PROCESSING_US

    def _new_ts(self, now_us: int) -> str:
        """A timestamp that is unique, because it is the message's id."""
        self._last_ts_us = max(now_us, self._last_ts_us + 1)
        return f"{self._last_ts_us // 1_000_000}.{self._last_ts_us % 1_000_000:06d}"

    def _changed(self, what: str) -> None:
        self.counts[what] += 1
        self.version += 1


def _content(content: dict[str, Any]) -> tuple[str, list[Any]]:
    text, blocks, attachments = content.get("text") or "", content.get("blocks") or [], content.get("attachments") or []
    if not isinstance(blocks, list):
        raise Refused("invalid_blocks_format")
    if not isinstance(text, str) or not isinstance(attachments, list):
        raise Refused("invalid_arguments")
    check_message(text, blocks, attachments)
    return text, blocks
