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
from services.alert_worker.backtest.scoring import OURS, Score
from services.alert_worker.backtest.series import Seen
from services.alert_worker.backtest.shocks import OVER_S, SIZES, Power, power, quiet_stretches
from services.alert_worker.rules import RULE_VERSION, RULES
from services.cli import made_quality, one_sided_quality
from services.cli.backtest_tables import HEADINGS, by_episode, cells, power_cells, rules_explained
from services.cli.made_quality import Made
from services.cli.one_sided_quality import OneSided
from shared.errors import TapewatchError, WrongUse
from shared.events import Alert

CHOSEN_ON = (
    "binance_BTCUSDT_1m_2021-05",
    "binance_BTCUSDT_1m_2023-07",
    "binance_EVXBTC_trades_pump_2021-01-09T2100",
    "binance_NASBTC_trades_pump_2021-01-14T2100",
    "binance_RCNBTC_trades_pump_2021-01-07T2100",
    "bitfinex_NEOUSD_1m_2017-11-28_2017-11-30",
)
"""What the thresholds were chosen on. Everything else is held out."""

PICTURES = {
    "binance_BTCUSDT_1m_2020-03": ("2020-03-12T10:25", "alert-crash-2020-03-12.png"),
    "binance_BTCUSDT_1m_2024-08": ("2024-08-05T00:40", "alert-crash-2024-08-05.png"),
    "upbit_KRW-BTC_1m_sampled_2024-08_2025-02": ("2024-11-22T13:20", "alert-korea-2024-11-22.png"),
    "binance_EVXBTC_trades_pump_2021-01-09T2100": ("2021-01-09T20:59", "alert-pump-2021-01-09.png"),
}
MOST_A_DAY, MOST_A_CALM_DAY, MOST_DELAY_S = 1.0, 0.1, 60
_HISTORY_HEADINGS = (
    "history", "used", "symbol-days", "moves told", "of every 3 %", "delay p50", "from start p50", "later than fixed",
    "alerts a day", "episodes", "a day",
)  # fmt: skip
_QUIET_DAYS = 7
"""So long is a history without a labelled move into which shocks are put."""
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
        made = pool.submit(made_quality.evaluate_made, recordings)
        for name, one in zip(map(_name, files), pool.map(evaluate, files), strict=True):
            print(f"{name}: {one.result.trades:,} trades", file=sys.stderr)
            found[name] = one
    for name, (_, file) in PICTURES.items():
        if name in found and (png := found[name].png) is not None:
            (docs / "images" / file).write_bytes(png)
    (docs / "ALERT_QUALITY.md").write_text(document(found, one_sided.result(), made.result()), encoding="utf-8")


def evaluate(file: Path) -> Found:
    """Play one history."""
    name, seen = _name(file), Seen()
    trades = list(read_history(file))
    alerts = list(replay(trades, seen))
    result = result_of(name, seen, alerts)
    powers: list[Power] = []
    if not result.events and result.days >= _QUIET_DAYS:
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


def document(found: dict[str, Found], one_sided: OneSided | None, made: Sequence[Made] = ()) -> str:
    """The whole document."""
    results = {name: one.result for name, one in found.items()}
    parts = _parts(results)
    totals = [(title, together(title, part)) for title, part in parts]
    return "\n".join(
        [
            *_head(),
            *_targets(parts),
            *(line for title, part in parts for line in _section(f"{title[0].upper()}{title[1:]}", part)),
            *_by_rule(totals),
            "## Each history",
            "",
            *_markdown(_HISTORY_HEADINGS, (_line(result) for result in results.values())),
            "",
            "A day is one that was watched: minutes without a trade belong to a thin market, an hour without one is",
            "a hole of the recording and counts for nothing.",
            "`bitfinex_BTCUSD_1m_2013-04-15` holds a bad print at 0.01: no alert has it as a price.",
            "",
            *made_quality.lines(made),
            *_shocks(found),
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


def _parts(results: dict[str, Result]) -> list[tuple[str, list[Result]]]:
    """All histories: those that were chosen on, and what is held out, bitcoin and the rest."""
    parts: dict[str, list[Result]] = {"chosen on": [], "held out, bitcoin": [], "held out, the rest": []}
    for name, result in results.items():
        is_bitcoin = any(part in name for part in ("_BTCUSDT_", "_KRW-BTC_"))
        held_out = "held out, bitcoin" if is_bitcoin else "held out, the rest"
        parts["chosen on" if name in CHOSEN_ON else held_out].append(result)
    return list(parts.items())


def _head() -> list[str]:
    return [
        "# How good the alerts are",
        "",
        f"Made by `make evaluate` (rules `{RULE_VERSION}`); `tapewatch backtest FILE` shows one history.",
        "The same code that watches the live tape is fed with recorded prices. Moves are labelled in",
        "hindsight over the whole series: closes of minutes at most ten minutes apart that differ by",
        "3 % or more, of which half still stands at most of the next five closes; where eight times the",
        "median ten-minute move is more, it has to be that much, if a day or more of such moves says so:",
        "that leaves out what is ordinary for a coin whose smallest step is one per cent. *Of every 3 %*",
        "counts those, too. A delay counts from the crossing of",
        "1 % to the first word of that direction; *from start*, from where the move began. Closes are",
        "what the naive rules see; each keeps silent for ten minutes after it spoke. A minute is played",
        "as open, extremes and close at 0, 20, 40 and 59 s, each traded three times: times are honest to",
        "about 20 s, and a minute that ran the other way round is told in the wrong order.",
        "",
        "## Chosen on, and held out",
        "",
        "Thresholds, the shape of an episode included, were chosen on six histories: May 2021 (wild) and July",
        "2023 (calm) of Binance bitcoin, three of the six announced pumps (EVX, NAS, RCN) and one of the four",
        "histories of another venue (NEO). The rest is held out for them. It was not unseen: that thin markets",
        "missed moves under the rules before was known of all; when a further move is told in an episode (five",
        "minutes after the last word) was settled with the misses of March 2020 in view, that a message opens at",
        "2 % and not at 1.5 % with the calm months of Upbit, that ten minutes of silence are no hole and a market",
        "that nobody knows has the fixed rule with the misses of the Upbit ticks, and that within an episode the",
        "fixed rule holds in every market with those of Bitfinex in 2013 and of IDEX. That the way back counts on",
        "when a leg is over, and that whoever was told of a thin market need not wait for its next trade, was chosen",
        "on the six, when what was missed or told later in all histories had been looked at one by one. An episode is",
        "one message; what moves again is told in its thread: *alerts* counts every word, *episodes* the messages.",
        "",
    ]


def _by_rule(totals: Sequence[tuple[str, Result]]) -> list[str]:
    return [
        "## Which rule spoke",
        "",
        "Episodes that a rule opened, and alerts that name it; several name one alert where they agree.",
        "",
        *_markdown(
            ("rule", *(title for title, _ in totals)),
            ([rule.name, *(_spoke(rule.name, total) for _, total in totals)] for rule in RULES),
        ),
        "",
    ]


def _shocks(found: dict[str, Found]) -> list[str]:
    name, powers = next(((name, one.powers) for name, one in found.items() if one.powers), ("", ()))
    if not powers:
        return []
    return [
        "## Shocks of known size in quiet hours",
        "",
        f"Put into twelve quiet stretches of `{name}`, up and down in turn, spread evenly over one or",
        "five minutes; from then on there is a trade a second. The delay counts from the first moment",
        "of the shock, so that half of a five-minute shock is 150 s.",
        "",
        *_markdown(("size", "within", "told", "delay p50", "longest"), (power_cells(one) for one in powers)),
        "",
    ]


def _targets(parts: Sequence[tuple[str, Sequence[Result]]]) -> list[str]:
    headings = ("target", *(title for title, _ in parts))
    rows = (
        ("every move of 3 % within 10 minutes told", _recall),
        (f"median delay from crossing 1 % at most {MOST_DELAY_S} s", _median_delay),
        ("never later than the fixed 2 % rule", _later),
        (f"at most {MOST_A_DAY:g} episode a symbol-day in a wild month", _wild),
        (f"at most {MOST_A_CALM_DAY:g} in a calm one", _calm),
    )
    return [
        "A month of a symbol, or as much of it as there is, is wild where it holds a labelled move, and calm",
        "where it holds none. **Bold** misses the target.",
        "",
        *_markdown(headings, ([title, *(measure(part) for _, part in parts)] for title, measure in rows)),
        "",
        *(line for _, part in parts for result in part for line in _cut_short(result)),
    ]


def _cut_short(result: Result) -> list[str]:
    """Why a history misses the target of wild months where each market of it was told once, in less than a day."""
    wild = [month for month in result.months if month.events]
    days = sum(month.days for month in wild)
    if not wild or any(month.episodes != 1 or month.days >= 1 / MOST_A_DAY for month in wild):
        return []
    hours, a_day = 24 * days / len(wild), len(wild) / days
    return [
        f"`{result.name}`: each of the {len(wild)} markets with a labelled move had one episode. It was",
        f"watched for some {hours:.0f} hours, in which one message is {a_day:.0f} a day already.",
        "",
    ]


def _recall(part: Sequence[Result]) -> str:
    score = _ours(part)
    told = _judged(f"{score.events - score.missed} of {score.events}", is_met=not score.missed)
    plain = f"{score.plain_events - score.plain_missed} of {score.plain_events}"
    return f"{told}; of every 3 % {_judged(plain, is_met=not score.plain_missed)}"


def _median_delay(part: Sequence[Result]) -> str:
    delay_s = _ours(part).delay_s(0.5)
    return "–" if delay_s is None else _judged(f"{delay_s:.0f} s", is_met=delay_s <= MOST_DELAY_S)


def _later(part: Sequence[Result]) -> str:
    score = _ours(part)
    later = _judged(f"{score.later_than_fixed} later", is_met=not score.later_than_fixed)
    return f"{later}; of every 3 % {_judged(f'{score.plain_later} later', is_met=not score.plain_later)}"


def _wild(part: Sequence[Result]) -> str:
    return _episodes_in_months(part, MOST_A_DAY, is_wild=True)


def _calm(part: Sequence[Result]) -> str:
    return _episodes_in_months(part, MOST_A_CALM_DAY, is_wild=False)


def _episodes_in_months(part: Sequence[Result], most: float, *, is_wild: bool) -> str:
    """All together, and each history that is beyond the target on its own."""
    figures = [(result.name, *_summed(result, is_wild=is_wild)) for result in part]
    episodes, days = sum(count for _, count, _ in figures), sum(days for _, _, days in figures)
    if not days:
        return "–"
    total = _judged(_a_day(episodes, days), is_met=episodes <= most * days)
    beyond = [f"**{name}: {_a_day(count, days)}**" for name, count, days in figures if count > most * days]
    return "; ".join([total, *beyond])


def _summed(result: Result, *, is_wild: bool) -> tuple[int, float]:
    """(episodes, days) of its wild or calm months."""
    months = [month for month in result.months if bool(month.events) == is_wild]
    return sum(month.episodes for month in months), sum(month.days for month in months)


def _a_day(episodes: int, days: float) -> str:
    return f"{episodes} in {days:.1f} days, {episodes / days:.2f}"


def _judged(text: str, *, is_met: bool) -> str:
    return text if is_met else f"**{text}**"


def _ours(part: Sequence[Result]) -> Score:
    total = Score(OURS)
    for result in part:
        if (score := result.scores.get(OURS)) is not None:
            total.add(score)
    return total


def _spoke(rule: str, part: Result) -> str:
    return f"{part.opened_by[rule]} opened, {part.named[rule]} named"


def _section(title: str, results: Sequence[Result]) -> list[str]:
    if not results:
        return []
    total = together(title, results)
    headings = tuple(heading.replace("\n", " ") for heading in HEADINGS)
    rows = (cells(score) for score in total.scores.values())
    return [f"## {title}", "", f"{total.days:.1f} symbol-days.", "", *_markdown(headings, rows), ""]


def _line(result: Result) -> Sequence[str]:
    score = result.scores[OURS]
    known = dict(zip((heading.replace("\n", " ") for heading in HEADINGS), cells(score), strict=True))
    return (
        result.name, "chosen on" if result.name in CHOSEN_ON else "held out", f"{result.days:.1f}", known["told"],
        known["of every 3 %"], known["delay p50"], known["start p50"], known["after fixed"], known["alerts a day"],
        str(score.episodes), known["episodes a day"],
    )  # fmt: skip


def _markdown(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(headings)} |", "|---" * len(headings) + "|", *(f"| {' | '.join(row)} |" for row in rows)]


def _name(file: Path) -> str:
    return file.name.removesuffix(".gz").removesuffix(".csv").removesuffix(".jsonl")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    except TapewatchError as error:
        sys.exit(f"evaluate: {error}")
