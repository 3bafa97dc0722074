"""Writes docs/ALERT_QUALITY.md and its pictures from recorded histories: `make evaluate RECORDINGS=…`."""

import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from services.alert_worker.backtest.episode_chart import picture
from services.alert_worker.backtest.history_files import read_history
from services.alert_worker.backtest.replay import replay
from services.alert_worker.backtest.report import Result, result_of, together
from services.alert_worker.backtest.scoring import OURS
from services.alert_worker.backtest.series import Seen
from services.alert_worker.backtest.shocks import OVER_S, SIZES, Power, power, quiet_stretches
from services.alert_worker.rules import RULE_VERSION, RULES
from services.cli import one_sided_quality
from services.cli.backtest_tables import HEADINGS, by_episode, cells, power_cells, rules_explained
from services.cli.one_sided_quality import OneSided
from shared.errors import TapewatchError, WrongUse
from shared.events import Alert

TUNED = ("binance_BTCUSDT_1m_2021-05", "binance_BTCUSDT_1m_2023-07")
"""What the thresholds were chosen on. Everything else is held out."""

HELD_OUT_BITCOIN = (
    "binance_BTCUSDT_1m_2020-03",
    "binance_BTCUSDT_1m_2024-08",
    "upbit_KRW-BTC_1m_sampled_2024-08_2025-02",
)
PICTURES = {
    "binance_BTCUSDT_1m_2020-03": ("2020-03-12T10:25", "alert-crash-2020-03-12.png"),
    "binance_BTCUSDT_1m_2024-08": ("2024-08-05T00:40", "alert-crash-2024-08-05.png"),
    "upbit_KRW-BTC_1m_sampled_2024-08_2025-02": ("2024-11-22T13:20", "alert-korea-2024-11-22.png"),
    "binance_EVXBTC_trades_pump_2021-01-09T2100": ("2021-01-09T20:59", "alert-pump-2021-01-09.png"),
}
QUIET = "binance_BTCUSDT_1m_2023-07"
_HISTORY_HEADINGS = (
    "history", "symbol-days", "moves told", "delay p50", "later than fixed", "alerts a day", "episodes a day",
    "calm episodes",
)  # fmt: skip
_STRETCH_HOURS, _STRETCHES = 4, 12


@dataclass(frozen=True)
class Found:
    """What came of one history."""

    result: Result
    png: bytes | None
    powers: Sequence[Power]


def main(recordings: Path, docs: Path) -> None:
    """Play every history below `recordings`, write the document and the pictures. Raises WrongUse."""
    files = sorted(file for file in (recordings / "history").glob("*") if file.name.endswith((".csv.gz", ".jsonl.gz")))
    if not files:
        raise WrongUse(
            f"{recordings / 'history'}: no histories there; say where they are: make evaluate RECORDINGS=DIR"
        )
    found: dict[str, Found] = {}
    with ProcessPoolExecutor() as pool:
        one_sided = pool.submit(one_sided_quality.evaluate_one_sided, recordings)
        for name, one in zip(map(_name, files), pool.map(evaluate, files), strict=True):
            print(f"{name}: {one.result.trades:,} trades", file=sys.stderr)
            found[name] = one
    for name, (_, file) in PICTURES.items():
        if name in found and (png := found[name].png) is not None:
            (docs / "images" / file).write_bytes(png)
    (docs / "ALERT_QUALITY.md").write_text(document(found, one_sided.result()), encoding="utf-8")


def evaluate(file: Path) -> Found:
    """Play one history."""
    name, seen = _name(file), Seen()
    trades = list(read_history(file))
    alerts = list(replay(trades, seen))
    result = result_of(name, seen, alerts)
    powers: list[Power] = []
    if name == QUIET:
        stretches = quiet_stretches(trades, [a.event_at_us or 0 for a in alerts], _STRETCH_HOURS, _STRETCHES)
        powers = [power(stretches, size, over_s) for over_s in OVER_S for size in SIZES]
    return Found(result, _picture(name, seen, alerts, result), powers)


def _picture(name: str, seen: Seen, alerts: Sequence[Alert], result: Result) -> bytes | None:
    if name not in PICTURES:
        return None
    at_us = int(datetime.fromisoformat(PICTURES[name][0]).replace(tzinfo=UTC).timestamp() * 1e6)
    for own in by_episode(alerts).values():
        if (own[-1].event_at_us or 0) >= at_us:
            (series,) = seen.series.values()
            return picture(series, own, [event for _, event in result.events], at_us)
    return None


def document(found: dict[str, Found], one_sided: OneSided | None) -> str:
    """The whole document."""
    results = {name: one.result for name, one in found.items()}
    rest = [name for name in results if name not in {*TUNED, *HELD_OUT_BITCOIN}]
    powers = [one for each in found.values() for one in each.powers]
    parts = [
        (title, together(title, _those(results, names)))
        for title, names in (("chosen on", TUNED), ("held-out bitcoin", HELD_OUT_BITCOIN), ("the rest", rest))
    ]
    return "\n".join(
        [
            "# How good the alerts are",
            "",
            f"Made by `make evaluate` (rules `{RULE_VERSION}`); `tapewatch backtest FILE` shows one history.",
            "The same code that watches the live tape is fed with recorded prices. Moves are labelled in",
            "hindsight over the whole series: closes of minutes at most ten minutes apart that differ by",
            "3 % or more, of which half still stands at most of the next five closes; where eight times the",
            "median ten-minute move is more, it has to be that much. A delay counts from the crossing of",
            "1 % to the first word of that direction. Closes are what the naive rules see; each keeps silent",
            "for ten minutes after it spoke. A minute is played as open, extremes and close at 0, 20, 40",
            "and 59 s, each traded three times: times are honest to about 20 s, and a minute that ran the",
            "other way round is told in the wrong order.",
            "",
            "## Chosen on, and held out",
            "",
            "Thresholds were chosen on May 2021 (wild) and July 2023 (calm) of Binance bitcoin. The rest is held",
            "out for them, but not for the shape of an episode: when a further move is told in it (five minutes",
            "after the last word) and how long it takes moves up (8 hours, at most a day) were settled with the",
            "misses of March 2020 in view; May 2021 alone cannot tell 6 from 8 hours. August 2024 and Upbit are",
            "the clean part. How long a `drift` has to be was chosen on the same two months; `jump` has the numbers",
            "of its definition. An episode is one message; what moves again is told in its thread: *alerts* counts",
            "every word, *episodes* the messages.",
            "",
            *_targets(together("held-out bitcoin", _those(results, HELD_OUT_BITCOIN)), results),
            *_section("Chosen on: bitcoin, May 2021 and July 2023", _those(results, TUNED)),
            *_section("Held out: bitcoin of other months and of Upbit", _those(results, HELD_OUT_BITCOIN)),
            *_section("Held out: thin markets, other venues, announced pumps", _those(results, rest)),
            "## Which rule spoke",
            "",
            "Episodes that a rule opened, and alerts that name it; several name one alert where they agree.",
            "",
            *_markdown(
                ("rule", *(title for title, _ in parts)),
                ([rule.name, *(_spoke(rule.name, part) for _, part in parts)] for rule in RULES),
            ),
            "",
            "## Each history",
            "",
            *_markdown(_HISTORY_HEADINGS, (_line(result) for result in results.values())),
            "",
            "In a thin market (below 50,000 dollars a minute) the fixed part of the rules asks for 3 %,",
            "below 5,000 for 8 %: what is a crash of bitcoin is a few orders there. Moves of 3 % in such",
            "markets are labelled all the same, and not all of those are told.",
            "`bitfinex_BTCUSD_1m_2013-04-15` holds a bad print at 0.01: no alert has it as a price.",
            "",
            "## Shocks of known size in quiet hours",
            "",
            "Put into twelve quiet stretches of July 2023, up and down in turn, spread evenly over one or",
            "five minutes; from then on there is a trade a second. The delay counts from the first moment",
            "of the shock, so that half of a five-minute shock is 150 s.",
            "",
            *_markdown(("size", "within", "told", "delay p50", "longest"), (power_cells(one) for one in powers)),
            "",
            *(one_sided_quality.lines(one_sided) if one_sided is not None else []),
            "## Pictures",
            "",
            *(f"![{name}](images/{file})\n" for name, (_, file) in PICTURES.items() if name in found),
            "## The naive rules",
            "",
            *(f"- **{name}**: {says}" for name, says in rules_explained()),
            "",
        ]
    )  # fmt: skip


def _targets(held_out: Result, results: dict[str, Result]) -> list[str]:
    score = held_out.scores.get(OURS)
    if score is None:
        return []
    wild = {name: _episodes_a_day(results[name]) for name in ("binance_BTCUSDT_1m_2020-03",) if name in results}
    wild |= {name: _episodes_a_day(results[name]) for name in ("binance_BTCUSDT_1m_2021-05",) if name in results}
    calm = {name: _episodes_a_day(results[name]) for name in (QUIET,) if name in results}
    rows = [
        ("every move of 3 % within 10 minutes told", f"{score.events - score.missed} of {score.events}"),
        ("median delay from crossing 1 % at most 60 s", f"{score.delay_s(0.5) or 0:.0f} s"),
        ("never later than the fixed 2 % rule", f"{score.later_than_fixed} later"),
        ("at most 1 episode a symbol-day in wild months", _spelled(wild)),
        ("at most 0.1 in calm months", _spelled(calm)),
    ]
    return [*_markdown(("target (the first three on held-out bitcoin)", "measured"), rows), ""]


def _spoke(rule: str, part: Result) -> str:
    return f"{part.opened_by[rule]} opened, {part.named[rule]} named"


def _spelled(figures: dict[str, float]) -> str:
    return ", ".join(f"{value:.2f} ({name.rpartition('_')[2]})" for name, value in figures.items())


def _episodes_a_day(result: Result) -> float:
    return result.scores[OURS].episodes / result.days if result.days else 0.0


def _section(title: str, results: Sequence[Result]) -> list[str]:
    if not results:
        return []
    total = together(title, results)
    headings = tuple(heading.replace("\n", " ") for heading in HEADINGS)
    rows = (cells(score) for score in total.scores.values())
    return [f"## {title}", "", f"{total.days:.1f} symbol-days.", "", *_markdown(headings, rows), ""]


def _line(result: Result) -> Sequence[str]:
    _, told, p50, _, *rest, _ = cells(result.scores[OURS])
    return result.name, f"{result.days:.1f}", told, p50, *rest


def _markdown(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(headings)} |", "|---" * len(headings) + "|", *(f"| {' | '.join(row)} |" for row in rows)]


def _those(results: dict[str, Result], names: Iterable[str]) -> list[Result]:
    return [results[name] for name in names if name in results]


def _name(file: Path) -> str:
    return file.name.removesuffix(".gz").removesuffix(".csv").removesuffix(".jsonl")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    except TapewatchError as error:
        sys.exit(f"evaluate: {error}")
