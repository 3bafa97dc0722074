"""Draws candles, volume and marks as a PNG: a pure function, the same input gives the same picture.

Labels are Latin letters, figures and signs of the font that the library brings: fonts with other scripts are not on
every machine, and what a Korean reader sees has no English word. Prices are floats here, because pixels are.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from services.alert_worker.charts.request import Tone

WIDTH_PX, HEIGHT_PX, _DPI = 1_200, 760, 100
_KST = timezone(timedelta(hours=9))
_INK, _SOFT, _GRID, _PAPER = "#1d1c1d", "#5f5e60", "#e7e5e8", "#ffffff"
_TONES: dict[Tone, str] = {
    "notice": "#b88a00", "warning": "#d9660a", "danger": "#c3123f", "resolved": "#0b7a4b", "event": "#3b5bdb",
}  # fmt: skip
_WESTERN, _KOREAN = ("#0e9f6e", "#d92d3c"), ("#d92d3c", "#1f62d0")
"""(rising, falling): in Korea what rises is red."""

_STEPS_S = (60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400, 172_800, 604_800)
_MOST_TIMES = 7
_MOST_MARKS = 8
_ROW = 0.065
"""Height of a row of words, as a share of the upper panel."""


@dataclass(frozen=True, slots=True)
class Bar:
    """What was traded from `opened_at_us` on, until the next bar would open."""

    opened_at_us: int
    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment with a few words about it."""

    at_us: int
    label: str
    tone: Tone = "event"


@dataclass(frozen=True, slots=True)
class Chart:
    """What is to be seen: bars of `bar_s` seconds from `from_us` to `to_us`, in order; bars may be missing.

    `reference` is a price that everything is compared with, drawn as a line across.
    """

    title: str
    quote: str
    bars: Sequence[Bar]
    from_us: int
    to_us: int
    bar_s: int = 60
    marks: Sequence[Mark] = ()
    reference: float | None = None
    reference_label: str = "before"
    volume_label: str = "volume"
    korean_colours: bool = False


def draw(chart: Chart) -> bytes:
    """The PNG, `WIDTH_PX` by `HEIGHT_PX`. Without a bar it says so."""
    figure = Figure(figsize=(WIDTH_PX / _DPI, HEIGHT_PX / _DPI), dpi=_DPI, facecolor=_PAPER)
    FigureCanvasAgg(figure)
    prices, volumes = figure.subplots(
        2, 1, sharex=True, gridspec_kw={
            "height_ratios": (3.6, 1), "hspace": 0.05, "left": 0.045, "right": 0.865, "top": 0.885, "bottom": 0.105,
        },
    )  # fmt: skip
    figure.text(0.045, 0.952, _harmless(chart.title), fontsize=19, fontweight="bold", color=_INK, va="center")
    _frame(prices, volumes, chart)
    if chart.bars:
        _candles(prices, volumes, chart)
        _price_tags(prices, chart)
    else:
        prices.text(0.5, 0.5, "no trades in this time", transform=prices.transAxes, ha="center", fontsize=18)
        prices.set_yticks([])
        volumes.set_yticks([])
    _marks(prices, volumes, chart)
    png = io.BytesIO()
    figure.savefig(png, format="png", metadata={"Software": None})
    return png.getvalue()


def price_text(value: float, step: float | None = None) -> str:
    """``129997000`` as ``129,997,000``, ``0.00001234`` as it is; `step` bounds the decimals to what can differ."""
    size = abs(step if step else value)
    decimals = 0
    while size and size * 10**decimals < (1 if step else 1_000) and decimals < 12:
        decimals += 1
    text = f"{value:,.{decimals}f}"
    return text if step or not decimals else text.rstrip("0").rstrip(".")


def _frame(prices: Axes, volumes: Axes, chart: Chart) -> None:
    half = chart.bar_s / 2
    for axes in (prices, volumes):
        axes.set_facecolor(_PAPER)
        axes.yaxis.tick_right()
        axes.yaxis.set_label_position("right")
        axes.grid(True, color=_GRID, linewidth=1)
        axes.set_axisbelow(True)
        axes.tick_params(length=0, labelsize=14, colors=_SOFT, pad=6)
        axes.spines[:].set_color(_GRID)
    prices.set_xlim(chart.from_us / 1e6 - half, chart.to_us / 1e6 + half)
    prices.tick_params(labelbottom=False)
    times, labels = _times(chart.from_us // 1_000_000, chart.to_us // 1_000_000)
    volumes.set_xticks(times, labels)
    volumes.text(1.045, -0.08, "KST\nUTC", transform=volumes.transAxes, fontsize=14, color=_SOFT, va="top")
    prices.set_title(chart.quote, loc="right", x=1.01, ha="left", fontsize=14, color=_SOFT)
    volumes.yaxis.set_major_locator(MaxNLocator(2))
    volumes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    volumes.text(
        0.006, 0.93, _harmless(chart.volume_label), transform=volumes.transAxes, fontsize=13, color=_SOFT, va="top"
    )


def _candles(prices: Axes, volumes: Axes, chart: Chart) -> None:
    rising, falling = _KOREAN if chart.korean_colours else _WESTERN
    at = [bar.opened_at_us / 1e6 + chart.bar_s / 2 for bar in chart.bars]
    colours = [rising if bar.close >= bar.open else falling for bar in chart.bars]
    lows, highs = [bar.low for bar in chart.bars], [bar.high for bar in chart.bars]
    shown = [*lows, *highs, *([chart.reference] if chart.reference else [])]
    span = max(shown) - min(shown) or max(shown) * 1e-3 or 1.0
    # A body is never so thin that it cannot be seen.
    bodies = [max(abs(bar.close - bar.open), span / 300) for bar in chart.bars]
    feet = [min(bar.open, bar.close) for bar in chart.bars]
    width = 0.72 * chart.bar_s
    prices.vlines(at, lows, highs, colors=colours, linewidth=1.6, zorder=3)
    prices.bar(at, bodies, width, bottom=feet, color=colours, linewidth=0, zorder=4)
    bottom, above = min(shown) - 0.08 * span, max(0.155, _ROW * len(_rows(chart)) + 0.03)
    height = (max(shown) - bottom) / (1 - above)
    prices.set_ylim(bottom, bottom + height)
    locator = MaxNLocator(7, steps=[1, 2, 5, 10])
    prices.yaxis.set_major_locator(locator)
    ticks = prices.get_yticks()
    step = abs(ticks[1] - ticks[0]) if len(ticks) > 1 else span
    last, tag_height = chart.bars[-1].close, 0.045 * height
    prices.yaxis.set_major_formatter(
        FuncFormatter(lambda value, _: "" if abs(value - last) < tag_height else price_text(value, step))
    )
    volumes.bar(at, [bar.volume for bar in chart.bars], width, color=colours, alpha=0.75, linewidth=0)
    volumes.set_ylim(0, max(bar.volume for bar in chart.bars) * 1.15 or 1.0)


def _price_tags(prices: Axes, chart: Chart) -> None:
    last, step = chart.bars[-1].close, (prices.get_ylim()[1] - prices.get_ylim()[0]) / 500
    if chart.reference:
        prices.axhline(chart.reference, color=_INK, linewidth=1.3, linestyle=(0, (5, 4)), zorder=2)
        prices.text(
            0.006, chart.reference, f"{_harmless(chart.reference_label)} {price_text(chart.reference, step)}",
            transform=prices.get_yaxis_transform(), fontsize=13, color=_INK, va="bottom", zorder=6,
        )  # fmt: skip
    prices.text(
        1.006, last, price_text(last, step), transform=prices.get_yaxis_transform(), fontsize=14, fontweight="bold",
        color=_PAPER, va="center", zorder=7, clip_on=False, bbox={"boxstyle": "square,pad=0.25", "fc": _INK, "lw": 0},
    )  # fmt: skip
    prices.axhline(last, color=_SOFT, linewidth=1, linestyle=":", zorder=2)


def _marks(prices: Axes, volumes: Axes, chart: Chart) -> None:
    """Lines through both panels, their words in rows above the candles so that near ones do not cover each other."""
    left, right = prices.get_xlim()
    for row, mark in enumerate(_rows(chart)):
        colour, at = _TONES[mark.tone], mark.at_us / 1e6
        for axes in (prices, volumes):
            axes.axvline(at, color=colour, linewidth=2, alpha=0.85, zorder=2)
        on_the_right = at > left + 0.55 * (right - left)
        prices.annotate(
            _harmless(mark.label), (at, 1 - _ROW * row - 0.04), xycoords=("data", "axes fraction"),
            xytext=(-7 if on_the_right else 7, 0), textcoords="offset points", fontsize=14, fontweight="bold",
            color=_PAPER, ha="right" if on_the_right else "left", va="center", zorder=8,
            bbox={"boxstyle": "round,pad=0.28", "fc": colour, "lw": 0},
        )  # fmt: skip


def _rows(chart: Chart) -> list[Mark]:
    """The marks that are shown, in the order of time: each has a row of its own, above all candles."""
    half_us = chart.bar_s * 500_000
    inside = [mark for mark in chart.marks if chart.from_us - half_us <= mark.at_us <= chart.to_us + half_us]
    return sorted(inside, key=lambda one: one.at_us)[-_MOST_MARKS:]


def _times(from_s: int, to_s: int) -> tuple[list[int], list[str]]:
    """Round instants with the Korean time above the UTC time; the days are named where they begin."""
    step = next((step for step in _STEPS_S if (to_s - from_s) / step <= _MOST_TIMES), _STEPS_S[-1])
    first = -(-from_s // step) * step
    times = list(range(first, to_s + 1, step))
    labels, days = [], ("", "")
    for at in times:
        moment = datetime.fromtimestamp(at, UTC)
        korean = moment.astimezone(_KST)
        now = (f"{korean:%m-%d}", f"{moment:%m-%d}")
        lines = [
            f"{then:%H:%M}" if day == before else f"{then:%m-%d %H:%M}"
            for then, day, before in ((korean, now[0], days[0]), (moment, now[1], days[1]))
        ]
        labels.append("\n".join(lines))
        days = now
    return times, labels


def _short(value: float) -> str:
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:.3g}"


def _harmless(text: str) -> str:
    """Printable Latin and some signs only, and no dollar sign, which begins a formula."""
    return "".join(c if c.isprintable() and (ord(c) < 0x250 or c in "−–…·×σ→✓") else "?" for c in text).replace("$", "")
