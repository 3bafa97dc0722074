"""A change as a message in Slack's Block Kit, within its limits (docs.slack.dev, Block Kit reference). Pure.

Limits: header text 150 characters, a field 2,000, a section's text 3,000. No text from outside becomes markup.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from services.watchdog.changes import Change, ChangeKind
from services.watchdog.wording import Wording

HEADER_LIMIT, FIELD_LIMIT, LOG_LIMIT, LINE_LIMIT = 150, 2_000, 2_500, 300
OPENS: frozenset[ChangeKind] = frozenset(
    {"down", "looping", "stopped", "not_started", "all_stopped", "canary_overdue", "silent", "waits", "flaps"}
)
CLOSES: frozenset[ChangeKind] = frozenset(
    {"back", "started", "all_started", "canary_back", "heard", "gets_on", "settled"}
)
_BAD_NEWS: frozenset[ChangeKind] = frozenset({"down", "not_started", "silent", "stands"})
"""For all of the channel also where it is told in a thread: of what was stopped, of a host that fell silent again, of
what came and went."""
_OF_WAITS: frozenset[ChangeKind] = frozenset({"waits", "gets_on", "flaps", "stands", "settled"})
_KST = timezone(timedelta(hours=9))
_EMOJI = {
    "down": "🔴", "looping": "🔁", "stopped": "⏹️", "restarted": "🟡", "back": "✅", "started": "✅",
    "not_started": "🔴", "all_stopped": "⏹️", "all_started": "✅", "rebooted": "🟡", "watchdog_back": "🟡",
    "canary_overdue": "🔇", "canary_back": "✅", "silent": "🔴", "heard": "✅", "steady": "✅",
    "waits": "⏳", "gets_on": "✅", "flaps": "🔁", "stands": "⏳", "settled": "✅",
}  # fmt: skip


@dataclass(frozen=True)
class Message:
    """`text` says it all in a line. It is about `part`; `opens` begins an incident, `closes` ends it.

    `anew`: what was told of `part` before is another story. `is_loud`: also in a thread it is for the whole channel.
    `goes_on`: the next incident of `part` may belong to the same story, so its thread is kept.
    `within`: the story whose thread it belongs to where it has none of its own.
    """

    part: str
    text: str
    blocks: list[dict[str, Any]]
    opens: bool
    closes: bool
    anew: bool = False
    is_loud: bool = False
    goes_on: bool = False
    within: str = ""


@dataclass(frozen=True)
class Context:
    """What a message tells besides the change. `log` must hold no secrets."""

    host: str
    command: str
    log: Sequence[str] = ()


def render(change: Change, context: Context, wording: Wording) -> Message:
    """The message of a change."""
    parts, emoji = change.parts or [change.part], _EMOJI[change.kind]
    line = f"{emoji} {_headline(change, ', '.join(parts), context, wording)}"
    # Names of many would leave no room for what is the matter; fields have them all.
    more = f" +{len(parts) - 1}" if len(parts) > 1 else ""
    header = f"{emoji} {_headline(change, parts[0] + more, context, wording)}"
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": _cut(header, HEADER_LIMIT), "emoji": True}},
        {"type": "section", "fields": [_field(*pair) for pair in _facts(change, context, wording)]},
    ]
    if context.log and change.kind not in CLOSES:
        text = escape("\n".join(context.log)).replace("`", "'")[-LOG_LIMIT:]
        blocks.append(_section(f"*{wording.log}*\n```{text}```"))
    if (change.kind in OPENS or change.not_up) and context.command:
        blocks.append(_section(wording.next.format(command=escape(context.command))))
    closes, goes_on = change.kind in CLOSES and not change.still, change.absences is not None
    is_first_absence = change.absences is not None and change.absences.count == 1 and not closes
    anew = change.is_first or is_first_absence
    within = _within(change)
    is_ill = change.kind == "rebooted" and bool(change.not_up)
    is_loud = closes or is_ill or bool(within) or change.kind in _BAD_NEWS
    # Where a way had no place for the first of a story, the next one opens its thread.
    opens = change.kind in OPENS or anew or (change.kind == "restarted" and goes_on)
    return Message(_about(change), escape(line), blocks, opens, closes, anew, is_loud, goes_on, within)


def _within(change: Change) -> str:
    if change.waits_for and change.kind not in _OF_WAITS:
        return _wait_for(change)
    return _restarts_of(change) if change.is_of_restarts else ""


def _about(change: Change) -> str:
    if change.absences is not None and change.kind in ("restarted", "steady"):
        return _restarts_of(change)
    if change.absences is not None and change.kind not in ("silent", "heard"):
        return "absences"
    if change.kind in _OF_WAITS:
        return _wait_for(change)
    # A worker that goes down while nothing gets through is another story, with a thread of its own.
    return f"canary of {change.part}" if change.kind in ("canary_overdue", "canary_back") else change.part


def _restarts_of(change: Change) -> str:
    return f"restarts of {change.part}"


def _wait_for(change: Change) -> str:
    return f"wait for {change.waits_for}"


def _headline(change: Change, part: str, context: Context, wording: Wording) -> str:
    headline = wording.headlines[change.kind].format(
        part=part,
        host=context.host,
        why=_why(change, wording),
        away=duration(change.at_us - change.since_us if change.down_us is None else change.down_us, wording),
        status=change.status or "?",
        what=change.waits_for,
        times=change.times,
    )
    one = change.absences
    if one is None or one.count == 1 or change.kind in CLOSES:
        return headline
    return headline + wording.again.format(count=one.count, span=duration(one.last_at_us - one.first_at_us, wording))


def _facts(change: Change, context: Context, wording: Wording) -> list[tuple[str, str]]:
    facts = [(wording.host, context.host), (wording.since, _when(change.since_us))]
    if len(change.parts) > 1:
        facts.append((wording.parts, ", ".join(change.parts)))
    if change.still:
        facts.append((wording.still, ", ".join(change.still)))
    if change.end is not None and change.kind not in CLOSES:
        facts.append((wording.why, _why(change, wording)))
    if change.restarts:
        facts.append((wording.restarts, str(change.restarts)))
    if change.down_us is not None:
        facts.append((wording.away, duration(change.down_us, wording)))
    if change.status:
        facts.append((wording.status, change.status))
    return facts


def _why(change: Change, wording: Wording) -> str:
    end = change.end
    if end is None and change.status:
        return wording.unready.format(status=change.status)
    return wording.ends["unknown"] if end is None else wording.ends[end.kind].format(detail=end.detail).strip()


def _when(at_us: int) -> str:
    at = datetime.fromtimestamp(at_us / 1_000_000, UTC)
    return f"{at:%Y-%m-%d %H:%M:%S} UTC · {at.astimezone(_KST):%H:%M:%S} KST"


def duration(us: int, wording: Wording) -> str:
    """``90500000`` as ``90 s``, longer ones in minutes and hours."""
    seconds = us / 1_000_000
    if seconds < 10:
        return wording.seconds.format(f"{seconds:.1f}")
    if seconds < 180:
        return wording.seconds.format(round(seconds))
    if seconds < 3 * 3_600:
        return wording.minutes.format(round(seconds / 60))
    return wording.hours.format(round(seconds / 3_600))


def _field(name: str, value: str) -> dict[str, str]:
    return {"type": "mrkdwn", "text": _cut(f"*{name}*\n{escape(value)}", FIELD_LIMIT)}


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def escape(text: str) -> str:
    """Make a text from outside harmless in Slack's mrkdwn (docs.slack.dev, formatting message text)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def shortened(line: str) -> str:
    """A line of a log within `LINE_LIMIT` characters, cut in its middle: a traceback ends with what went wrong."""
    half = LINE_LIMIT // 2
    return line if len(line) <= LINE_LIMIT else f"{line[: half - 1]}…{line[-half:]}"


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
