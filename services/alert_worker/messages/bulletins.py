"""Messages that are about no episode: the greeting and the daily digest. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from services.alert_worker.messages import blocks
from services.alert_worker.messages.blocks import outside
from services.alert_worker.messages.message import NO_NAMES, KoreanNames, Message
from services.alert_worker.messages.numbers import duration, grouped, signed
from services.alert_worker.messages.wording import Wording
from services.alert_worker.quiet_hours import QuietHours

_MOST_LINES = 20


@dataclass(frozen=True, slots=True)
class Mover:
    """How far a market went in a day, and its most unusual minute: when, how far, larger than what share of `minutes`.

    Those are the ones of the day with trades.
    """

    exchange: str
    symbol: str
    price: str
    change_pct: str
    minute_at_us: int | None = None
    minute_pct: str | None = None
    percentile: str | None = None
    minutes: int = 0
    base: str = ""


class Digest(msgspec.Struct, frozen=True, kw_only=True):
    """What a day brought, as its text in JSON too. `missing` is the day that was asked for, when it had no data."""

    day: str
    missing: str | None = None
    movers: list[Mover] = []
    unusual: list[Mover] = []
    fired: int = 0
    muted: int = 0
    muted_symbols: list[str] = []
    gaps: int = 0
    open_gaps: int = 0
    ages_s: dict[str, int] = {}


def greeting(
    markets: Mapping[str, int], rules: Sequence[str], version: str, quiet: QuietHours, wording: Wording
) -> Message:
    """The first message after an installation: `markets` counts what is watched on each exchange."""
    watched = ", ".join(f"{wording.exchanges.get(name, name)} {count:,}" for name, count in sorted(markets.items()))
    lines = [
        outside(wording.greeting_line.format(markets=watched) if watched else wording.greeting_nothing),
        blocks.escape(wording.greeting_rules.format(rules=", ".join(rules), version=version)),
    ]
    if quiet.hours:
        hours = ", ".join(f"{wording.severities[name]} {span}" for name, span in quiet.hours.items())
        lines.append(blocks.escape(wording.greeting_muted.format(hours=f"{hours} KST")))
    return Message(
        text=lines[0],
        blocks=[
            blocks.header(f"👋 {wording.greeting}"),
            blocks.section("\n".join(lines)),
            blocks.context([wording.disclaimer, "greeting"]),
        ],
        data={"type": "greeting", "markets": dict(markets)},
    )


def rules_refused(fault: str, version: str, wording: Wording, mark: str) -> Message:
    """A change of the rules file was not taken; `fault` is the line that says why."""
    line = wording.rules_refused_line.format(version=version)
    return Message(
        text=blocks.cut(outside(f"{wording.rules_refused}: {fault}"), 3_000),
        blocks=[
            blocks.header(f"⚠️ {wording.rules_refused}"),
            blocks.section(blocks.cut(f"{outside(fault)}\n{blocks.escape(line)}", 3_000)),
            blocks.context([wording.rules_refused_next, blocks.escape(mark)]),
        ],
        data={"type": "rules_refused", "fault": fault, "rule_version": version},
    )


def daily(digest: Digest, wording: Wording, mark: str, names: KoreanNames = NO_NAMES) -> Message:
    """The daily digest; `mark` is what it is known by.

    Gaps are what the feeds said that they missed: no proof that nothing else is missing, so that is not claimed.
    """
    alerts = wording.digest_alert_counts.format(fired=digest.fired, muted=digest.muted)
    movers = ", ".join(f"{one.symbol} {signed(one.change_pct)} %" for one in digest.movers[:3])
    line = wording.digest_line.format(day=digest.day, alerts=alerts, movers=movers or wording.digest_nothing)
    old = wording.digest_old.format(missing=digest.missing) if digest.missing else None
    muted = [wording.digest_muted.format(symbols=outside(", ".join(digest.muted_symbols[:_MOST_LINES])))]
    gaps = wording.digest_no_gaps
    if digest.gaps:
        gaps = wording.digest_gap_count.format(count=digest.gaps, open=digest.open_gaps)
    fresh = ", ".join(
        wording.digest_fresh.format(exchange=wording.exchanges.get(name, name), age=duration(age_s, wording))
        for name, age_s in sorted(digest.ages_s.items())
    )
    return Message(
        text=outside(f"{line} ({old})" if old else line),
        blocks=[
            blocks.header(f"📊 {wording.digest.format(day=digest.day)}"),
            *([blocks.section(f"⚠️ {outside(old)}")] if old else []),
            *blocks.sections(
                [
                    f"*{wording.top_movers}*",
                    *([_mover(one, wording, names) for one in digest.movers] or [wording.digest_nothing]),
                ]
            ),
            *blocks.sections(
                [
                    f"*{wording.digest_unusual}*",
                    *(_unusual(one, wording, names) for one in digest.unusual[:_MOST_LINES]),
                ]
            ),
            *blocks.fields(
                [
                    (wording.digest_alerts, "\n".join([alerts, *(muted if digest.muted_symbols else [])])),
                    (wording.digest_gaps, gaps),
                    (wording.digest_freshness, outside(fresh) or wording.digest_nothing),
                ]
            ),
            blocks.context([wording.disclaimer, blocks.escape(mark)]),
        ],
        data={"type": "digest", **msgspec.to_builtins(digest)},
    )


def awake(at_us: int, wording: Wording, mark: str) -> Message:
    """What the canary's one message shows: when it went round last."""
    at = datetime.fromtimestamp(at_us / 1e6, UTC)
    text = wording.awake.format(time=f"{at:%Y-%m-%d %H:%M:%S} UTC")
    return Message(
        text=text,
        blocks=[blocks.section(f"🐤 {blocks.escape(text)}"), blocks.context([blocks.escape(mark)])],
        data={"type": "canary", "at_us": at_us},
    )


def _mover(one: Mover, wording: Wording, names: KoreanNames) -> str:
    line = f"{_market(one, wording, names)} *{signed(one.change_pct)} %* · {grouped(one.price)}"
    return line if one.percentile is None else f"{line} · {_minute(one, wording)}"


def _unusual(one: Mover, wording: Wording, names: KoreanNames) -> str:
    return f"{_market(one, wording, names)} {_minute(one, wording)}"


def _minute(one: Mover, wording: Wording) -> str:
    at = datetime.fromtimestamp((one.minute_at_us or 0) / 1e6, UTC)
    return wording.digest_minute.format(
        change=signed(one.minute_pct), time=f"{at:%H:%M}", percentile=one.percentile, minutes=f"{one.minutes:,}"
    )


def _market(one: Mover, wording: Wording, names: KoreanNames) -> str:
    exchange = wording.exchanges.get(one.exchange, one.exchange)
    return outside(f"{exchange} {one.symbol} {names.get(one.base, '')}".rstrip())
