"""The section of docs/ALERT_QUALITY.md on `divergence` and `halt`."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import dropwhile, islice, takewhile
from pathlib import Path

from services.alert_worker.backtest.history_files import read_history
from services.alert_worker.backtest.one_sided import Piece, Stops, gap_power, pieces, played, stops
from services.alert_worker.backtest.shocks import OVER_S, Power
from services.alert_worker.pair import NAME as DIVERGENCE
from services.cli.backtest_tables import power_cells
from shared.events import Trade

HERE, THERE = "upbit_KRW-BTC_1m_sampled_2024-08_2025-02.csv.gz", "binance_BTCUSDT_1m_2024-08.csv.gz"
_TOGETHER_UNTIL_US = 1_725_148_800_000_000
"""The end of August 2024: Binance's file ends there."""

STOPPED = tuple(f"binance_BTCUSDT_1m_{month}.csv.gz" for month in ("2020-03", "2021-05", "2023-07", "2024-08"))
_TRADES_OF_FOUR_HOURS = 4 * 60 * 12
SIZES = (0.01, 0.015, 0.02, 0.03, 0.05)


@dataclass(frozen=True)
class OneSided:
    """What came of it."""

    minutes: Sequence[int]
    """Length of each piece that both exchanges have."""
    episodes: int
    """`divergence` on the pieces as they are."""
    powers: Sequence[Power]
    on_both: Power
    """A shock of both exchanges at once, which is no gap."""
    stops: Stops


def evaluate_one_sided(recordings: Path) -> OneSided | None:
    """Play both exchanges at once; None without the histories that it needs."""
    histories = recordings / "history"
    if not all((histories / name).is_file() for name in (HERE, THERE, *STOPPED)):
        return None
    found = pieces_of(histories)
    alerts = [alert for piece in found for alert in played(*piece)]
    return OneSided(
        minutes=[(piece.here[-1].traded_at_us - piece.here[0].traded_at_us) // 60_000_000 + 1 for piece in found],
        episodes=sum(alert.kind == DIVERGENCE and alert.state == "open" for alert in alerts),
        powers=[gap_power(found, size, over_s) for over_s in OVER_S for size in SIZES],
        on_both=gap_power(found, SIZES[-1], OVER_S[0], on_both=True),
        stops=stops([stretch for name in STOPPED for stretch in _two_stretches(histories / name)]),
    )


def pieces_of(histories: Path) -> list[Piece]:
    """What was recorded of bitcoin on both exchanges at once."""
    here = list(takewhile(_is_together, read_history(histories / HERE)))
    began_us = here[0].traded_at_us
    return pieces(here, list(dropwhile(lambda trade: trade.traded_at_us < began_us, read_history(histories / THERE))))


def _two_stretches(file: Path) -> list[list[Trade]]:
    trades = read_history(file)
    return [list(islice(trades, _TRADES_OF_FOUR_HOURS)) for _ in range(2)]


def _is_together(trade: Trade) -> bool:
    return trade.traded_at_us < _TOGETHER_UNTIL_US


def lines(found: OneSided) -> list[str]:
    """The section, as Markdown."""
    both, stopped = found.on_both, found.stops
    longest = max(stopped.delays_s, default=0.0)
    return [
        "## Two exchanges at once, and a market that stops",
        "",
        "Of one time, both exchanges were recorded for bitcoin alone:",
        f"{len(found.minutes)} pieces of at most {max(found.minutes)} minutes, together {sum(found.minutes) / 60:.0f}",
        "hours, between 24 and 31 August 2024. That is enough to see that shocks are told, and too",
        "little to say how often `divergence` speaks up in vain. As they are, the pieces hold",
        f"{found.episodes} episodes of `divergence`. Then Upbit alone was given a shock near the end of each, up and",
        "down in turn, as in the table above:",
        "",
        "| shock of Upbit alone | within | told as divergence | delay p50 | longest |",
        "|---|---|---|---|---|",
        *(f"| {' | '.join(power_cells(one))} |" for one in found.powers),
        "",
        f"A shock of {both.size:.0%} of both exchanges at once is no gap: {len(both.delays_s)} of {both.tried} told.",
        "",
        "No recording has several busy markets of one exchange for the two hours that `halt` has to know",
        f"a market before it misses it. So {stopped.markets} times four hours of Binance bitcoin, of four months,",
        "were laid on one clock as markets of one exchange; the minutes are real, that they go on at once",
        f"is not. Each was stopped in turn for half an hour: {len(stopped.delays_s)} of {stopped.tried} told,",
        f"the slowest {longest:.0f} s after its last trade; {stopped.wrong} words about a market that went on.",
        "Played from minutes, a market trades in every one of them, so this shows that a stop is told and",
        "how soon, and not how often a market that merely pauses is taken for one that stopped. Where fewer",
        "than three others, or four fifths of them, go on, the fault is taken for the exchange's or ours.",
        "",
    ]  # fmt: skip
