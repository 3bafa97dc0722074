"""The picture itself, pixel by pixel where it matters: candles, volume, the mark, the line of the price before."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from services.alert_worker.charts.picture import HEIGHT_PX, WIDTH_PX, Bar, Chart, Mark, draw, price_text

START_US = 1_700_000_040_000_000
GREEN, RED, KOREAN_RED, KOREAN_BLUE = (14, 159, 110), (217, 45, 60), (217, 45, 60), (31, 98, 208)
DANGER, INK = (195, 18, 63), (29, 28, 29)


def hour(price: float = 100.0) -> list[Bar]:
    """An hour that rises for fifty minutes and then falls."""
    bars = []
    for minute in range(60):
        close = price * (1.001 if minute < 50 else 0.99)
        top, low = max(price, close) * 1.0002, min(price, close) * 0.9998
        bars.append(Bar(START_US + minute * 60_000_000, price, top, low, close, 5.0 + minute))
        price = close
    return bars


def chart(bars: list[Bar], **more: object) -> Chart:
    return Chart("KRW-BTC on Upbit", "KRW", bars, START_US, START_US + 3_600_000_000, **more)  # type: ignore[arg-type]


def pixels(drawn: Chart) -> np.ndarray:
    image = np.asarray(Image.open(io.BytesIO(draw(drawn))).convert("RGB")).astype(int)
    assert image.shape == (HEIGHT_PX, WIDTH_PX, 3)
    return image


def near(image: np.ndarray, colour: tuple[int, int, int], by: int = 6) -> np.ndarray:
    """Where the image has that colour, as rows by columns."""
    return (abs(image - np.array(colour)) <= by).all(axis=2)


def columns_of(image: np.ndarray, colour: tuple[int, int, int]) -> list[int]:
    return np.flatnonzero(near(image, colour).any(axis=0)).tolist()


def test_it_is_a_png_of_the_promised_size_and_always_the_same() -> None:
    drawn = chart(hour(), marks=[Mark(START_US + 3_100_000_000, "DANGER −5.0 %", "danger")])
    assert draw(drawn) == draw(drawn)
    pixels(drawn)
    assert len(draw(drawn)) < 200_000


def test_what_rises_is_left_of_what_falls() -> None:
    image = pixels(chart(hour()))
    rising, falling = columns_of(image, GREEN), columns_of(image, RED)
    assert max(rising) < min(falling)
    assert len(rising) > 4 * len(falling) > 0


def test_korean_colours_are_the_other_way_round() -> None:
    image = pixels(chart(hour(), korean_colours=True))
    assert not columns_of(image, GREEN)
    assert max(columns_of(image, KOREAN_RED)) < min(columns_of(image, KOREAN_BLUE))


def test_the_mark_stands_at_its_minute() -> None:
    def left_edge(minute: int) -> int:
        marks = [Mark(START_US + minute * 60_000_000, "DANGER", "danger")]
        return min(columns_of(pixels(chart(hour(), marks=marks)), DANGER))

    ten, twenty, thirty = left_edge(10), left_edge(20), left_edge(30)
    assert abs((twenty - ten) - (thirty - twenty)) <= 2
    assert 140 < twenty - ten < 180  # a sixth of the axis


def test_a_mark_outside_the_hour_is_left_out() -> None:
    marks = [Mark(START_US - 120_000_000, "DANGER", "danger"), Mark(START_US + 7_200_000_000, "DANGER", "danger")]
    assert not columns_of(pixels(chart(hour(), marks=marks)), DANGER)


def test_words_of_many_marks_cover_neither_each_other_nor_a_candle() -> None:
    marks = [Mark(START_US + (2_700 + 60 * minute) * 1_000_000, "DANGER −5.0 %", "danger") for minute in range(6)]
    image = pixels(chart(hour(), marks=marks))
    words = np.flatnonzero(near(image, DANGER).sum(axis=1) > 60)
    candles = np.flatnonzero(near(image, GREEN).any(axis=1))
    assert words.max() < candles.min()
    of_one = np.flatnonzero(near(pixels(chart(hour(), marks=marks[:1])), DANGER).sum(axis=1) > 60)
    assert len(words) >= 5.5 * len(of_one)


def test_the_price_before_is_always_inside() -> None:
    image = pixels(chart(hour(), reference=150.0))
    assert near(image, INK, by=60)[100:500, 60:1_000].sum(axis=1).max() > 300  # a dashed line from edge to edge


@pytest.mark.parametrize("bars", [[], hour()[:1], [Bar(START_US, 1.0, 1.0, 1.0, 1.0, 0.0)]])
def test_few_bars_or_none_are_still_a_pixels(bars: list[Bar]) -> None:
    pixels(chart(bars))


@pytest.mark.parametrize("text", ["비트코인", "$\\frac{1}{0}$", "a\nb\x00", "x" * 500 + "<@U1> 🔴"])
def test_no_text_breaks_it(text: str) -> None:
    bars, marks = hour(), [Mark(START_US, text)]
    assert draw(Chart(text, "KRW", bars, START_US, START_US + 3_600_000_000, marks=marks, reference=1.0,
                      reference_label=text))  # fmt: skip


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_any_size_of_price(scale: float) -> None:
    image = pixels(chart(hour(100.0 * scale), reference=99.0 * scale))
    assert len(columns_of(image, GREEN)) > 4 * len(columns_of(image, RED)) > 0


@pytest.mark.parametrize(
    ("value", "step", "text"),
    [
        (129_997_000.0, None, "129,997,000"),
        (0.00001234, None, "0.00001234"),
        (56_501.25, None, "56,501"),
        (1.5, None, "1.5"),
        (58_500.0, 500.0, "58,500"),
        (0.0000566, 0.0000002, "0.0000566"),
        (1.2, 0.2, "1.2"),
        (0.0, None, "0"),
    ],
)
def test_prices_are_grouped_and_plain(value: float, step: float | None, text: str) -> None:
    assert price_text(value, step) == text


@pytest.fixture
def times() -> Callable[[int], list[str]]:
    from services.alert_worker.charts.picture import _times

    return lambda hours: _times(START_US // 1_000_000, START_US // 1_000_000 + hours * 3_600)[1]


@pytest.mark.parametrize("hours", [1, 6, 24, 24 * 30])
def test_the_axis_tells_both_times_and_the_day_where_it_begins(times, hours) -> None:
    labels = times(hours)
    assert 2 <= len(labels) <= 32
    korean, utc = zip(*(label.split("\n") for label in labels), strict=True)
    assert all(" " in lines[0] for lines in (korean, utc))
    if hours == 1:
        assert (korean[0], utc[0]) == ("11-15 07:20", "11-14 22:20")
    assert len({line[:5] for line in korean if " " in line}) == len([line for line in korean if " " in line])
