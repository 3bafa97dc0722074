"""A market sample and an ops sample, sent the way alerts go; nothing in them happened."""

import asyncio
import math
import random
from dataclasses import replace
from time import monotonic

import msgspec

from services.alert_worker import notifiers
from services.alert_worker.actions import Place
from services.alert_worker.messages import alert_message, blocks
from services.alert_worker.messages.message import Circumstances, Facts, Message, Picture
from services.alert_worker.messages.wording import WORDINGS, Wording
from services.alert_worker.notifiers.base import Errand, Later, Notifier, NotReady, Refused, Unanswered
from services.watchdog import message as ops_message
from services.watchdog import wording as ops_wording
from services.watchdog.app import choose_ways, host_name
from services.watchdog.changes import Change
from services.watchdog.ways import NotTold
from shared.clock import now_us
from shared.errors import WrongUse
from shared.events import Alert
from shared.redaction import without_secrets
from shared.settings import Settings

_SHOWN_WITHIN = 6
_FACTS = Facts("비트코인", "Bitcoin", False, ("PRICE_FLUCTUATIONS",), "128950000", "137400000", True, "1.31")


async def send(settings: Settings) -> tuple[list[str], bool]:
    """Send both; return what to say, and whether everything that has a way arrived.

    Raises WrongUse when there is nobody to tell.
    """
    notifier = notifiers.choose(settings)
    if notifier.name == "log":
        raise WrongUse("there is nobody to tell: set TAPEWATCH_SLACK__BOT_TOKEN, SLACK__WEBHOOK_URL or WEBHOOK__URL")
    try:
        said = await _market(notifier, settings)
    finally:
        await notifier.close()
    said += await _ops(settings)
    return [without_secrets(line) for line, _ in said], all(ok for _, ok in said)


async def _market(notifier: Notifier, settings: Settings) -> list[tuple[str, bool]]:
    wording, now = WORDINGS[settings.alerts.language], now_us()
    alert = sample_alert(now)
    began = monotonic()
    try:
        place = await notifier.post(Errand(sample(alert, wording, now, None), alert.alert_id))
    except (Later, Unanswered, Refused) as error:
        return [(f"market sample: did not arrive by {notifier.name}: {error}", False)]
    said = [(f"market sample: arrived by {notifier.name} after {1000 * (monotonic() - began):.0f} ms", True)]
    if notifier.can_edit:
        said.append(await _chart(notifier, place, alert, settings))
    return said


async def _chart(notifier: Notifier, place: Place, alert: Alert, settings: Settings) -> tuple[str, bool]:
    from services.alert_worker.charts.picture import Bar, Chart, Mark, draw

    wording, end_us = WORDINGS[settings.alerts.language], alert.decided_at_us
    bars = [Bar(*bar) for bar in made_up_bars(end_us)]
    marks = [Mark(alert.started_at_us, f"{wording.chart_severities[alert.severity]} −5.0 %", alert.severity)]
    png = draw(
        Chart(
            title=wording.chart_title.format(symbol=alert.symbol, exchange="Upbit", change="−5.0"),
            quote="KRW",
            bars=bars,
            from_us=bars[0].opened_at_us,
            to_us=end_us,
            marks=marks,
            reference=float(alert.price_before or 0),
            reference_label=wording.chart_before,
            volume_label=wording.chart_volume.format(base=alert.base),
            korean_colours=settings.alerts.language == "ko",
        )
    )
    words = wording.sample_alt
    try:
        picture = Picture(await notifier.upload(png, "sample.png", words), words)
        for attempt in range(_SHOWN_WITHIN):
            await asyncio.sleep(1.0)
            try:
                await notifier.edit(place, sample(alert, wording, end_us, picture))
            except NotReady:
                if attempt == _SHOWN_WITHIN - 1:
                    raise
            else:
                break
    except (NotReady, Later, Unanswered, Refused) as error:
        return f"its chart: could not be shown: {error}", False
    return "its chart: is shown", True


async def _ops(settings: Settings) -> list[tuple[str, bool]]:
    wording = ops_wording.WORDINGS[settings.alerts.language]
    now = now_us()
    change = Change("sample", "back", now, now - 4_200_000, down_us=4_200_000)
    context = ops_message.Context(host_name(settings), "tapewatch status")
    message = ops_message.render(change, context, wording)
    sample_of = WORDINGS[settings.alerts.language].sample
    message = replace(
        message, text=f"{sample_of}: {message.text}", blocks=[blocks.section(f"🧪 {sample_of}"), *message.blocks]
    )
    said = []
    for way in choose_ways(settings):
        try:
            await way.tell(message, None)
        except NotTold as error:
            said.append((f"ops sample: did not arrive by {way.name}: {error}", False))
        else:
            said.append((f"ops sample: arrived by {way.name}", True))
    return said or [
        ("ops sample: was not sent: there is no way to those who look after tapewatch", True),
        ("nobody hears when tapewatch itself is down: set TAPEWATCH_WATCHDOG__WEBHOOK_URL", True),
    ]


def sample(alert: Alert, wording: Wording, at_us: int, picture: Picture | None) -> Message:
    """The alert's message, with the word that it is a sample on top."""
    message = alert_message.render(alert, wording, Circumstances(at_us, picture=picture), _FACTS)
    return Message(
        f"{wording.sample}: {message.text}",
        [blocks.section(f"🧪 {wording.sample}"), *message.blocks],
        {**message.data, "is_sample": True},
    )


def sample_alert(at_us: int) -> Alert:
    """Bitcoin falls by five per cent in six minutes."""
    alert = Alert(
        alert_id="", episode_id=f"sample{at_us}", state="open", kind="move", detectors=["move", "move_abs"],
        scope="symbol", direction="down", severity="danger", started_at_us=at_us - 40_000_000, decided_at_us=at_us,
        rule_version="sample/1", exchange="upbit", symbol="KRW-BTC", base="BTC", quote="KRW",
        event_at_us=at_us - 300_000, received_at_us=at_us - 290_000, price_before="136839000", price_now="129997000",
        price_extreme="129997000", change_pct="-5.00", window_s=360, sigma="31.0", volume_ratio="14.2",
        divergence_pct="-5.13",
    )  # fmt: skip
    return msgspec.structs.replace(alert, alert_id=f"{alert.episode_id}-open")


def made_up_bars(end_us: int) -> list[tuple[int, float, float, float, float, float]]:
    """An hour of minutes: calm, and a fall at its end; always the same."""
    rng, price, bars = random.Random(5), 136_400_000.0, []
    for minute in range(60):
        opened_at_us = end_us - (60 - minute) * 60_000_000
        fall = -0.0086 if minute >= 54 else 0.0
        close = price * math.exp(fall + rng.gauss(0, 0.0006))
        top, low = max(price, close) * (1 + rng.random() / 2_000), min(price, close) * (1 - rng.random() / 2_000)
        bars.append((opened_at_us, price, top, low, close, 3 + 2 * rng.random() + 900 * -fall))
        price = close
    return bars
