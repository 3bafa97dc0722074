"""Turns Slack's own markup into HTML the way Slack shows it. Everything that is not markup is escaped. Pure."""

import html
import re
from datetime import datetime, tzinfo

_EMOJI = {
    "rotating_light": "🚨", "warning": "⚠️", "white_check_mark": "✅", "heavy_check_mark": "✔️", "x": "❌",
    "chart_with_downwards_trend": "📉", "chart_with_upwards_trend": "📈", "bar_chart": "📊", "bell": "🔔",
    "no_bell": "🔕", "mute": "🔇", "red_circle": "🔴", "large_red_circle": "🔴", "large_orange_circle": "🟠",
    "large_yellow_circle": "🟡", "large_green_circle": "🟢", "large_blue_circle": "🔵", "white_circle": "⚪",
    "information_source": "ℹ️", "hourglass": "⌛", "hourglass_flowing_sand": "⏳", "stopwatch": "⏱️",
    "arrow_up": "⬆️", "arrow_down": "⬇️", "arrow_upper_right": "↗️", "arrow_lower_right": "↘️", "fire": "🔥",
    "zap": "⚡", "eyes": "👀", "wrench": "🔧", "construction": "🚧", "sos": "🆘", "link": "🔗", "clock3": "🕒",
    "small_red_triangle": "🔺", "small_red_triangle_down": "🔻", "money_with_wings": "💸", "newspaper": "📰",
}  # fmt: skip
_CONTROL = re.compile(r"<([^<>\n]{1,3000})>")
_CODE = re.compile(r"```(.+?)```|`([^`\n]+)`", re.DOTALL)
_EMOJI_NAME = re.compile(r":([a-z0-9_+-]{1,40}):")
_EDGE, _END = r"(?<![\w\x00])", r"(?![\w\x00])"
_STYLES = tuple(
    (re.compile(rf"{_EDGE}{mark}(?=\S)([^\n]+?)(?<=\S){mark}{_END}"), tag)
    for mark, tag in ((r"\*", "strong"), ("_", "em"), ("~", "s"))
)
_KEPT = re.compile("\x00(\\d+)\x01")
_DATE = re.compile(r"!date\^(\d{1,12})\^([^|^]*)(?:\^[^|]*)?(?:\|(.*))?", re.DOTALL)


def plain_text(text: str) -> str:
    """Show a plain_text object: nothing but emoji is markup."""
    return _emoji(_escape(text)).replace("\n", "<br>")


def mrkdwn(text: str, zone: tzinfo) -> str:
    """Show a mrkdwn text: code, links, mentions, dates, bold, italics, struck out, quotes, emoji."""
    kept: list[str] = []

    def keep(piece: str) -> str:
        kept.append(piece)
        return f"\x00{len(kept) - 1}\x01"

    text = text.replace("\x00", "").replace("\x01", "")
    text = _CODE.sub(lambda match: keep(_code(match)), text)
    text = _CONTROL.sub(lambda match: keep(_control(match[1], zone)), text)
    text = _emoji(_escape(text))
    for pattern, tag in _STYLES:
        text = pattern.sub(rf"<{tag}>\1</{tag}>", text)
    text = _quotes(text)
    return _KEPT.sub(lambda match: kept[int(match[1])], text)


def _escape(text: str) -> str:
    """The sender has escaped ``& < >`` already; what it left unescaped is escaped here, never twice."""
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        text = text.replace(entity, character)
    return html.escape(text)


def _code(match: re.Match[str]) -> str:
    block, inline = match[1], match[2]
    if block is not None:
        return f"<pre>{_escape(block.strip(chr(10)))}</pre>"
    return f"<code>{_escape(inline)}</code>"


def _control(body: str, zone: tzinfo) -> str:
    target, _, label = body.partition("|")
    if target.startswith(("http://", "https://", "mailto:")):
        shown = _escape(label or target)
        return f'<a href="{_escape(target)}" target="_blank" rel="noopener noreferrer">{shown}</a>'
    if date := _DATE.fullmatch(body):
        return _date(int(date[1]), date[2], date[3] or "", zone)
    if target.startswith(("@", "#", "!")):
        name = label or target[1:].removeprefix("subteam^")
        sign = "#" if target.startswith("#") else "@"
        return f'<span class="mention">{sign}{_escape(name)}</span>'
    return _escape(f"<{body}>")


def _date(unix_s: int, pattern: str, fallback: str, zone: tzinfo) -> str:
    moment = datetime.fromtimestamp(unix_s, zone)
    spelled = {
        "{date_num}": f"{moment:%Y-%m-%d}", "{time_secs}": f"{moment:%H:%M:%S}", "{time}": f"{moment:%H:%M}",
        "{date_short}": f"{moment:%b %d, %Y}", "{date_short_pretty}": f"{moment:%b %d, %Y}",
        "{date}": f"{moment:%B %d, %Y}", "{date_pretty}": f"{moment:%B %d, %Y}",
        "{date_long}": f"{moment:%A, %B %d, %Y}", "{date_long_pretty}": f"{moment:%A, %B %d, %Y}",
    }  # fmt: skip
    for token, text in spelled.items():
        pattern = pattern.replace(token, text)
    return f'<span title="{html.escape(fallback)}">{_escape(pattern or fallback)}</span>'


def _emoji(text: str) -> str:
    return _EMOJI_NAME.sub(lambda match: _EMOJI.get(match[1], match[0]), text)


def _quotes(text: str) -> str:
    lines = []
    for line in text.split("\n"):
        if line.startswith("&gt;"):
            lines.append(f"<blockquote>{line[4:].strip()}</blockquote>")
        else:
            lines.append(line + "<br>")
    return "".join(lines).removesuffix("<br>")
