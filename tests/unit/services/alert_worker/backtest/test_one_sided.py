"""A shock of one exchange is a gap, one of both is none; a market that stops is missed, and its neighbours are not."""

import os
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from services.alert_worker.backtest.minutes import Minute, as_trades
from services.alert_worker.backtest.one_sided import Piece, gap_power, pieces, stops
from services.alert_worker.records import Market
from services.cli.one_sided_quality import pieces_of
from shared.events import Trade

MINUTE_US = 60_000_000
HERE, THERE = Market("upbit", "KRW-BTC", "BTC", "KRW"), Market("binance", "BTCUSDT", "BTC", "USDT")


def quiet(market: Market, minutes: Sequence[int], level: float, seed: int = 1) -> list[Trade]:
    rng, found = random.Random(seed), []
    for minute in minutes:
        low, high = (f"{level * (1 + rng.uniform(0, 0.0003)):.1f}" for _ in range(2))
        found.append(Minute((28_000_000 + minute) * MINUTE_US, low, max(low, high), min(low, high), high, 5.0))
    return list(as_trades(found, market))


@pytest.fixture
def piece() -> Piece:
    return Piece(quiet(HERE, range(90), 85_000_000), quiet(THERE, range(90), 64_000, seed=2))


def test_pieces_are_what_both_have_without_a_hole() -> None:
    here = quiet(HERE, [*range(90), *range(200, 220), *range(400, 500)], 85_000_000)
    first, second = pieces(here, quiet(THERE, range(50, 1_000), 64_000))
    assert (len(first.here), len(first.there)) == (90 * 12, 40 * 12)
    assert (len(second.here), len(second.there)) == (100 * 12, 100 * 12)


def test_a_shock_of_one_exchange_is_a_gap_and_one_of_both_is_none(piece) -> None:
    alone, on_both = gap_power([piece], 0.03, 60), gap_power([piece], 0.03, 60, on_both=True)
    assert len(alone.delays_s) == 1
    assert 20 <= alone.delays_s[0] <= 120
    assert (on_both.tried, list(on_both.delays_s)) == (1, [])


def test_each_market_that_stops_is_missed_and_nobody_else() -> None:
    found = stops([quiet(THERE, range(day * 1_440, day * 1_440 + 240), 64_000, seed=day) for day in range(6)])
    assert (found.markets, found.tried, len(found.delays_s), found.wrong) == (6, 6, 6, 0)
    assert all(300 <= delay_s <= 600 for delay_s in found.delays_s)


@pytest.mark.needs_recordings
@pytest.mark.timeout(180)
def test_three_per_cent_of_upbit_alone_are_told_in_every_piece_that_was_recorded() -> None:
    named = os.environ.get("TAPEWATCH_RECORDINGS")
    folder = Path(named) if named else Path(__file__).parents[6] / "shared" / "recordings"
    if not folder.is_dir():
        pytest.skip("needs_recordings")
    found = pieces_of(folder / "history")
    assert len(found) == 11
    assert len(gap_power(found, 0.03, 60).delays_s) == len(found)
