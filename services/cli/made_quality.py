"""The section of docs/ALERT_QUALITY.md on histories that nobody recorded."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.alert_worker.backtest.history_files import market_of, read_history, read_minutes
from services.alert_worker.backtest.made_histories import closes, divided, shuffled, stretched, thinned
from services.alert_worker.backtest.minutes import Minute, as_trades
from services.alert_worker.backtest.replay import replay
from services.alert_worker.backtest.report import Result, result_of, together
from services.alert_worker.backtest.scoring import OURS, Month
from services.alert_worker.backtest.series import Seen
from services.alert_worker.records import Market
from shared.events import Trade

WILD, WILDEST, CALM, MIXED = (
    f"binance_BTCUSDT_1m_{month}.csv.gz" for month in ("2021-05", "2020-03", "2023-07", "2024-08")
)
PUMPS = tuple(
    f"binance_{pump}.csv.gz"
    for pump in (
        "EVXBTC_trades_pump_2021-01-09T2100", "IDEXBTC_trades_pump_2020-12-31T1700",
        "NASBTC_trades_pump_2021-01-14T2100", "RCNBTC_trades_pump_2021-01-07T2100",
    )
)  # fmt: skip
OTHERS = tuple(
    f"bitfinex_{days}.csv.gz" for days in ("ETHUSD_1m_2017-06-20_2017-06-22", "NEOUSD_1m_2017-11-28_2017-11-30")
)
BITCOIN = Market("binance", "BTCUSDT", "BTC", "USDT")
_SEED = 1


@dataclass(frozen=True)
class Made:
    """What came of one kind of made histories, and how they were made."""

    how: str
    results: Sequence[Result]


def evaluate_made(recordings: Path) -> list[Made]:
    """Make histories of those that are there, and play them; none without those that it needs."""
    histories = recordings / "history"
    if not all((histories / name).is_file() for name in (WILD, WILDEST, CALM, MIXED, *PUMPS, *OTHERS)):
        return []
    return [Made(how, [_played(how, trades) for trades in made]) for how, made in made_of(histories)]


def made_of(histories: Path) -> Iterator[tuple[str, Iterator[Iterable[Trade]]]]:
    """(how, histories) of each kind."""
    months = {name: list(read_minutes(histories / name)) for name in (WILD, WILDEST, CALM, MIXED)}
    bitcoin = list(months.values())
    for times in (2.0, 0.5):
        for name, of in ((WILD, "May 2021"), (CALM, "July 2023"), (MIXED, "August 2024")):
            yield f"{of}, every return × {times:g}", iter([_bitcoin(stretched(months[name], times))])
    yield "six hours each, drawn from all months of bitcoin", iter([_bitcoin(shuffled(bitcoin, 31, _SEED))])
    yield "the same from the two calmer ones", iter([_bitcoin(shuffled(bitcoin[2:], 31, _SEED))])
    yield "May 2021 divided by July 2023", iter([_bitcoin(divided(months[WILD], months[CALM]))])
    yield "March 2020, one trade of ten", iter([thinned(_bitcoin(months[WILDEST]), 0.1, _SEED)])
    yield "March 2020, one trade a minute", iter([closes(as_trades(months[WILDEST], BITCOIN, prints=1))])
    yield (
        "ETH and NEO of 2017, one trade a minute",
        (closes(as_trades(read_minutes(histories / name), market_of(histories / name), prints=1)) for name in OTHERS),
    )
    yield "four pumps, one trade of ten", (thinned(read_history(histories / name), 0.1, _SEED) for name in PUMPS)


def _bitcoin(minutes: Iterable[Minute]) -> Iterator[Trade]:
    return as_trades(minutes, BITCOIN)


def _played(name: str, trades: Iterable[Trade]) -> Result:
    seen = Seen()
    alerts = list(replay(trades, seen))
    return result_of(name, seen, alerts)


def lines(found: Sequence[Made]) -> list[str]:
    """The section, as Markdown."""
    if not found:
        return []
    return [
        "## Histories that nobody recorded",
        "",
        "Made of those above, to see which target gives way first where a market is another. Each keeps what is hard",
        "in a real one and changes one thing; nothing was chosen on them.",
        "",
        "| made | moves told | of every 3 % | delay p50 | later than fixed | wild months, episodes a day | calm ones |",
        "|---|---|---|---|---|---|---|",
        *(f"| {' | '.join(_cells(made))} |" for made in found),
        "",
    ]


def _cells(made: Made) -> tuple[str, ...]:
    total = together(made.how, made.results)
    score = total.scores[OURS]
    delay_s = score.delay_s(0.5)
    wild = [month for month in total.months if month.events]
    calm = [month for month in total.months if not month.events]
    return (
        made.how, f"{score.events - score.missed} of {score.events}",
        f"{score.plain_events - score.plain_missed} of {score.plain_events}",
        "–" if delay_s is None else f"{delay_s:.0f} s", str(score.later_than_fixed), _a_day(wild), _a_day(calm),
    )  # fmt: skip


def _a_day(months: Iterable[Month]) -> str:
    known = list(months)
    episodes, days = sum(month.episodes for month in known), sum(month.days for month in known)
    return f"{episodes} in {days:.1f} days, {episodes / days:.2f}" if days else "–"
