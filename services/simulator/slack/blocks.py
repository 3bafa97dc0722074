"""Turns messages and their blocks into HTML, as Slack lays them out. Pure."""

import html
from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from typing import Any

from services.simulator.slack.mrkdwn import mrkdwn, plain_text
from services.simulator.slack.workspace import Channel, File, Message

Block = dict[str, Any]


def channel_html(channel: Channel, files: Mapping[str, File], zone: tzinfo) -> str:
    """All messages of a channel, oldest first, each with its thread below it, days divided."""
    replies: dict[str, list[Message]] = {}
    for message in channel.messages:
        if message.thread_ts is not None and message.thread_ts != message.ts:
            replies.setdefault(message.thread_ts, []).append(message)
    pieces, day = [], ""
    for message in channel.messages:
        if message.thread_ts is not None and message.thread_ts != message.ts and message.root is None:
            continue
        today = f"{_moment(message.ts, zone):%A, %B %d}"
        if today != day:
            pieces.append(f'<div class="day"><span>{today}</span></div>')
            day = today
        pieces.append(_message(message, replies.get(message.ts, []), files, zone))
    return "".join(pieces) or '<p class="empty">No message yet. Alerts appear here as they are raised.</p>'


def _message(
    message: Message, replies: list[Message], files: Mapping[str, File], zone: tzinfo, *, in_thread: bool = False
) -> str:
    thread = "".join(_message(reply, [], files, zone, in_thread=True) for reply in replies)
    if thread:
        count = f"{len(replies)} {'reply' if len(replies) == 1 else 'replies'}"
        thread = f'<div class="thread"><div class="count">{count}</div>{thread}</div>'
    moment = _moment(message.ts, zone)
    edited = ' <span class="edited">(edited)</span>' if message.edits else ""
    root = "" if message.root is None or in_thread else _root(message.root, zone)
    name = "" if in_thread else f' id="p{html.escape(message.ts)}"'
    reactions = "".join(f"<span>{plain_text(f':{name}:')} 1</span>" for name in message.reactions)
    return (
        f'<article class="message"{name}><div class="avatar">tw</div><div class="body">'
        f'<div class="line"><b>{html.escape(message.username)}</b><span class="app">APP</span>'
        f'<time title="{moment:%Y-%m-%d %H:%M:%S %Z}">{moment:%H:%M:%S}</time></div>{root}'
        f"{_content(message, zone)}{edited}{_files(message, files)}"
        f"{f'<div class=reactions>{reactions}</div>' if reactions else ''}{thread}</div></article>"
    )


def _root(root: Message, zone: tzinfo) -> str:
    return f'<div class="count">replied to a thread: {mrkdwn(root.text, zone)}</div>'


def _content(message: Message, zone: tzinfo) -> str:
    """Blocks where there are any; the text is then only what a notification would say."""
    if not message.blocks:
        return f'<div class="text">{mrkdwn(message.text, zone)}</div>'
    return "".join(_BLOCKS[str(block["type"])](block, zone) for block in message.blocks)


def _files(message: Message, files: Mapping[str, File]) -> str:
    shown = [files[file_id] for file_id in message.file_ids if file_id in files]
    return "".join(
        f'<figure><figcaption>{html.escape(file.title)}</figcaption><img src="/slack/files/{file.file_id}" '
        f'alt="{html.escape(file.alt_text or file.title)}"></figure>'
        for file in shown
    )


def _text(text: Block, zone: tzinfo) -> str:
    return plain_text(text["text"]) if text["type"] == "plain_text" else mrkdwn(text["text"], zone)


def _header(block: Block, zone: tzinfo) -> str:
    return f'<div class="header">{_text(block["text"], zone)}</div>'


def _section(block: Block, zone: tzinfo) -> str:
    text = f'<div class="text">{_text(block["text"], zone)}</div>' if block.get("text") else ""
    fields = "".join(f"<div>{_text(field, zone)}</div>" for field in block.get("fields") or [])
    accessory = _element(block["accessory"], zone) if block.get("accessory") else ""
    grid = f'<div class="fields">{fields}</div>' if fields else ""
    return f'<div class="section"><div>{text}{grid}</div>{accessory}</div>'


def _context(block: Block, zone: tzinfo) -> str:
    return f'<div class="context">{"".join(f"<span>{_element(e, zone)}</span>" for e in block["elements"])}</div>'


def _actions(block: Block, zone: tzinfo) -> str:
    return f'<div class="actions">{"".join(_element(e, zone) for e in block["elements"])}</div>'


def _element(element: Block, zone: tzinfo) -> str:
    if element["type"] == "image":
        return _image_tag(element)
    if element["type"] != "button":
        return _text(element, zone)
    style = " " + element["style"] if element.get("style") in ("primary", "danger") else ""
    label = _text(element["text"], zone)
    if not element.get("url"):
        return f'<button class="button{style}" disabled>{label}</button>'
    url = html.escape(element["url"])
    return f'<a class="button{style}" href="{url}" target="_blank" rel="noopener noreferrer">{label}</a>'


def _image(block: Block, zone: tzinfo) -> str:
    title = f"<figcaption>{_text(block['title'], zone)}</figcaption>" if block.get("title") else ""
    return f"<figure>{title}{_image_tag(block)}</figure>"


def _image_tag(block: Block) -> str:
    """An image from elsewhere is named, not fetched: the page loads nothing from outside this machine."""
    file_id = str((block.get("slack_file") or {}).get("id", ""))
    alt = html.escape(block["alt_text"])
    if file_id:
        return f'<img src="/slack/files/{html.escape(file_id)}" alt="{alt}">'
    return f'<span class="picture" title="{html.escape(str(block.get("image_url")))}">🖼 {alt}</span>'


def _divider(_: Block, __: tzinfo) -> str:
    return "<hr>"


def _moment(ts: str, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(int(ts.partition(".")[0]), zone)


_BLOCKS: dict[str, Callable[[Block, tzinfo], str]] = {
    "header": _header,
    "section": _section,
    "context": _context,
    "actions": _actions,
    "image": _image,
    "divider": _divider,
}
