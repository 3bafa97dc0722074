"""An episode's message: everything about it in one look, edited as the episode goes on. Pure."""

import re
from decimal import Decimal

import msgspec

from services.alert_worker.messages import blocks, remarks
from services.alert_worker.messages.blocks import Block, outside, outside_in_code
from services.alert_worker.messages.message import NO_FACTS, Circumstances, Facts, Message
from services.alert_worker.messages.numbers import both_times, duration, grouped, minute_in_korea, percent, signed
from services.alert_worker.messages.rarity import in_words
from services.alert_worker.messages.wording import Wording
from services.alert_worker.notices import WARNING
from shared.events import Alert

EMOJI = {"notice": "🟡", "warning": "🟠", "danger": "🔴"}
_OTHER = {"upbit": "binance", "binance": "upbit"}
_CODE = re.compile(r"[A-Z0-9-]{2,40}", re.ASCII)
_PAGES = {
    "upbit": "https://upbit.com/exchange?code=CRIX.UPBIT.{symbol}",
    "binance": "https://www.binance.com/en/trade/{base}_{quote}?type=spot",
}


def render(alert: Alert, wording: Wording, told: Circumstances, facts: Facts = NO_FACTS) -> Message:
    """The episode's message as of its newest alert."""
    line = one_line(alert, wording)
    if told.may_repeat:
        line = f"{line} {wording.may_repeat}"
    picture = told.picture
    return Message(
        text=blocks.cut(blocks.escape(blocks.plain(line)), blocks.TEXT_LIMIT),
        blocks=[
            blocks.header(headline(alert, wording, facts)),
            *blocks.fields(_pairs(alert, wording, facts)),
            *([blocks.uploaded_image(picture.file_id, picture.alt_text or line)] if picture else []),
            *_buttons(alert, wording),
            blocks.context(_small_print(alert, wording, told)),
        ],
        data={"type": "alert", "alert": msgspec.to_builtins(alert), "stands_for": told.stands_for},
    )


def render_step(alert: Alert, wording: Wording, *, may_repeat: bool = False, is_for_all: bool = False) -> Message:
    """What the thread is told of an escalation; for all of the channel it says of which market."""
    times = both_times(alert.event_at_us or alert.started_at_us, wording)
    line = wording.escalated_line.format(
        severity=wording.severities[alert.severity],
        change=signed(alert.change_pct),
        now=grouped(alert.price_now),
        quote=alert.quote,
        times=times,
    )
    if is_for_all:
        line = f"{one_line(alert, wording)} ({times})"
    text = outside(f"{EMOJI[alert.severity]} {line}")
    small = [alert.alert_id, *([wording.may_repeat] if may_repeat else [])]
    return Message(
        text=blocks.cut(text, blocks.TEXT_LIMIT),
        blocks=[blocks.section(text), blocks.context([blocks.escape(one) for one in small])],
        data={"type": "alert", "alert": msgspec.to_builtins(alert), "stands_for": 1},
    )


def one_line(alert: Alert, wording: Wording) -> str:
    """Everything that matters in one line, not yet escaped."""
    if remarks.is_remark(alert):
        return remarks.one_line(alert, wording)
    pattern = wording.resolved_line if alert.state == "resolve" else wording.line
    return pattern.format(
        severity=wording.severities[alert.severity],
        symbol=alert.symbol,
        exchange=exchange_name(alert.exchange, wording),
        other=_other_exchange(alert, wording),
        change=signed(alert.change_pct),
        deepest=signed(percent(alert.price_before, alert.price_extreme)),
        window=duration(alert.window_s or 0, wording),
        lasted=duration(lasted_s(alert), wording),
        now=grouped(alert.price_now),
        quote=alert.quote,
    )


def headline(alert: Alert, wording: Wording, facts: Facts = NO_FACTS) -> str:
    """Severity, market, its Korean name and how far the price is; once it is over, how far it was."""
    is_over = alert.state == "resolve"
    emoji = "✅" if is_over else EMOJI[alert.severity]
    state = wording.resolved if is_over else wording.severities[alert.severity]
    name = f" {facts.korean_name}" if facts.korean_name else ""
    if remarks.is_remark(alert):
        what = remarks.what(alert, wording)
        return f"{emoji} {state} · {exchange_name(alert.exchange, wording)} {alert.symbol}{name}: {what}"
    moved = percent(alert.price_before, alert.price_extreme) if is_over else alert.change_pct
    return f"{emoji} {state} · {exchange_name(alert.exchange, wording)} {alert.symbol}{name} {signed(moved)} %"


def exchange_name(exchange: str | None, wording: Wording) -> str:
    """As people call it."""
    return wording.exchanges.get(exchange or "", exchange or "?")


def lasted_s(alert: Alert) -> int:
    """Seconds from the episode's start to this change."""
    return max(0, (alert.event_at_us or alert.started_at_us) - alert.started_at_us) // 1_000_000


def page_of(alert: Alert) -> str | None:
    """The exchange's own page of the market, where its code is one that an address can hold."""
    parts = {"symbol": alert.symbol or "", "base": alert.base or "", "quote": alert.quote or ""}
    pattern = _PAGES.get((alert.exchange or "").removesuffix("_agg"))
    if pattern is None or not all(_CODE.fullmatch(part) for part in parts.values()):
        return None
    return pattern.format(**parts)


def why(alert: Alert, wording: Wording) -> str:
    """The command that explains it, escaped; an exchange that a bare code does not tell is named."""
    asked = f"{alert.symbol}" if alert.exchange in _OTHER else f"{alert.exchange}:{alert.symbol}"
    at = minute_in_korea(alert.event_at_us or alert.started_at_us)
    return wording.why.format(symbol=outside_in_code(asked), time=at)


def _other_exchange(alert: Alert, wording: Wording) -> str:
    """How far the price moved on the other exchange meanwhile, where both were compared."""
    other = _OTHER.get((alert.exchange or "").removesuffix("_agg"))
    if other is None or alert.change_pct is None or alert.divergence_pct is None:
        return ""
    # The divergence is of the logarithm of Upbit over Binance: in per cent, large moves would not add up.
    gap = _ratio_of(alert.divergence_pct)
    here = 1 + Decimal(alert.change_pct) / 100
    change = 100 * ((here / gap if alert.exchange == "upbit" else here * gap) - 1)
    return wording.other_exchange.format(exchange=wording.exchanges[other], change=signed(f"{change:.2f}"))


def _ratio_of(divergence_pct: str) -> Decimal:
    return (Decimal(divergence_pct) / 100).exp()


def _pairs(alert: Alert, wording: Wording, facts: Facts) -> list[tuple[str, str]]:
    quote = outside(alert.quote or "")
    pairs = [] if remarks.is_remark(alert) else _moved(alert, wording, quote)
    if alert.volume_ratio is not None:
        pairs.append((wording.volume, wording.volume_times.format(times=f"{Decimal(alert.volume_ratio):,.1f}")))
    pairs += _gap(alert, wording, facts)
    if facts.low and facts.high:
        name = wording.range_utc_day if facts.range_is_utc_day else wording.range_24h
        pairs.append((name, f"{grouped(facts.low)} – {grouped(facts.high)} {quote}"))
    if flags := _flags(wording, facts):
        pairs.append((wording.flags, flags))
    if alert.data_quality != "ok":
        pairs.append((wording.quality, wording.qualities[alert.data_quality]))
    return pairs


def _moved(alert: Alert, wording: Wording, quote: str) -> list[tuple[str, str]]:
    return [
        (wording.price_before, f"{grouped(alert.price_before)} {quote}"),
        (wording.price_now, f"{grouped(alert.price_now)} {quote}"),
        *(_over(alert, wording) if alert.state == "resolve" else _going_on(alert, wording)),
        (wording.usual, _how_unusual(alert, wording)),
    ]


def _going_on(alert: Alert, wording: Wording) -> list[tuple[str, str]]:
    return [(wording.window, duration(alert.window_s or 0, wording))]


def _over(alert: Alert, wording: Wording) -> list[tuple[str, str]]:
    deepest = percent(alert.price_before, alert.price_extreme)
    pairs = [
        (wording.extreme, f"{grouped(alert.price_extreme)} ({signed(deepest)} %)"),
        (wording.lasted, duration(lasted_s(alert), wording)),
    ]
    if deepest is not None and alert.change_pct is not None and Decimal(deepest):
        share = 100 * (1 - Decimal(alert.change_pct) / Decimal(deepest))
        pairs.append((wording.recovered, wording.recovered_share.format(share=f"{share:.0f}".replace("-", "−"))))
    return pairs


def _how_unusual(alert: Alert, wording: Wording) -> str:
    words = in_words(alert.sigma, wording)
    return words if alert.sigma is None else wording.sigma.format(words=words, sigma=f"{Decimal(alert.sigma):.1f}")


def _gap(alert: Alert, wording: Wording, facts: Facts) -> list[tuple[str, str]]:
    level = [] if facts.gap_pct is None else [wording.gap_level.format(level=signed(facts.gap_pct))]
    change = []
    if alert.divergence_pct is not None:
        within = duration(alert.window_s or 0, wording)
        points = f"{100 * (_ratio_of(alert.divergence_pct) - 1):.2f}"
        change = [wording.gap_change.format(change=signed(points), window=within)]
    return [(wording.gap, ", ".join(level + change))] if level or change else []


def _flags(wording: Wording, facts: Facts) -> str:
    names = [WARNING] if facts.has_warning else []
    return ", ".join(outside(remarks.flag(name, wording)) for name in (*names, *facts.cautions))


def _buttons(alert: Alert, wording: Wording) -> list[Block]:
    page = page_of(alert)
    if page is None:
        return []
    label = wording.open_page.format(exchange=exchange_name(alert.exchange, wording))
    return [blocks.actions([blocks.link_button(label, page)])]


def _small_print(alert: Alert, wording: Wording, told: Circumstances) -> list[str]:
    at_us = alert.event_at_us or alert.started_at_us
    pattern = wording.notice_context if remarks.is_notice(alert) else wording.context
    origin = pattern.format(
        rule="+".join(alert.detectors),
        version=alert.rule_version,
        seconds=f"{max(0, told.now_us - (alert.received_at_us or alert.decided_at_us)) / 1e6:.1f}",
        times=both_times(at_us, wording),
    )
    how_to = wording.how_to.format(symbol=outside_in_code(alert.symbol or ""))
    return [
        blocks.escape(origin),
        how_to,
        ""
        if remarks.is_notice(alert)  # nothing was weighed
        else why(alert, wording),
        wording.disclaimer,
        blocks.escape(alert.episode_id),
        wording.stands_for.format(count=told.stands_for) if told.stands_for > 1 else "",
        wording.may_repeat if told.may_repeat else "",
    ]
