"""Which missing trades a recorded gap explains, and which it does not though it is wide enough."""

from services.reconcile.gaps import Gap, Gaps

WIDE = Gap("upbit", "trade", None, from_us=0, to_us=1_000)


def explained(gaps: Gaps, at_us: int) -> bool:
    return gaps.explain("upbit", "trade", "KRW-BTC", at_us)


def test_a_gap_explains_what_was_published_in_it() -> None:
    gaps = Gaps([WIDE])

    assert explained(gaps, 1_000)
    assert not explained(gaps, 1_001)
    assert not gaps.explain("binance", "trade", "BTCUSDT", 500)


def test_a_gap_that_is_wider_than_the_producer_was_away_explains_nothing_beyond() -> None:
    gaps = Gaps([WIDE], only_within=[(100, 200), (700, 800)])

    assert [at_us for at_us in (99, 100, 200, 201, 700, 800, 801) if explained(gaps, at_us)] == [100, 200, 700, 800]


def test_nobody_who_was_never_away_is_excused() -> None:
    assert not explained(Gaps([WIDE], only_within=[]), 500)
