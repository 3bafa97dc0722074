"""`tapewatch backtest`: what the detectors would have told, beside the rules that one would write first."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from services.alert_worker.backtest.report import Result
    from services.alert_worker.backtest.series import Seen
    from services.alert_worker.rules.ruleset import Ruleset
    from services.cli.backtest_inputs import Input
    from shared.events import Alert

_SAY_EVERY = 5_000


def backtest(  # noqa: PLR0913, PLR0917  one parameter a flag
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE]…",
            help="Minutes or trades as CSV, ticks or trade records as JSON lines, or recorded frames.",
        ),
    ] = None,
    topic: Annotated[bool, typer.Option("--topic", help="The trades that Kafka holds (tape.trades.v1).")] = False,
    since: Annotated[
        str | None, typer.Option(help="Of the topic only what came from then on, e.g. 2h or a time.")
    ] = None,
    symbol: Annotated[list[str] | None, typer.Option(help="Of the topic only these. Repeatable.")] = None,
    market: Annotated[
        str | None, typer.Option(help="What a file holds when its name does not say, e.g. binance:BTCUSDT.")
    ] = None,
    together: Annotated[
        bool, typer.Option("--together", help="Play all files as one market, merged by time, not one by one.")
    ] = False,
    episodes: Annotated[bool, typer.Option("--episodes", help="List every episode.")] = False,
    chart: Annotated[
        str | None, typer.Option(metavar="EPISODE", help="Draw that episode (its name, or how it begins).")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where the chart goes. Default: EPISODE.png")] = None,
    power: Annotated[
        bool, typer.Option("--power", help="Also put shocks of known sizes into quiet stretches of the first file.")
    ] = False,
    rules: Annotated[
        Path | None, typer.Option(help="A rules file, to see what it would have told. Default: the built-in rules.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Play histories to the detectors and to naive rules, and compare what they tell, how early and how often.

    From Kafka, the exchanges' own minutes of the day before say what is usual, as they do to a worker that starts.
    Moves of 3 % within 10 minutes that stay are labelled in hindsight. A minute is played as its open, extremes and
    close, at 0, 20, 40 and 59 s: times from minutes are honest to about 20 s.

    Example: tapewatch backtest history/binance_BTCUSDT_1m_2021-05.csv.gz --episodes
    """
    from rich.console import Console

    from services.alert_worker.rules_keeper import load
    from services.cli.backtest_inputs import inputs_of_files
    from shared.errors import WrongUse

    ruleset = load(rules).ruleset
    if not files and not topic:
        raise WrongUse("nothing to play: name files, or say --topic")
    errors = Console(stderr=True)
    inputs = inputs_of_files(files or [], _market(market), together=together)
    if topic:
        inputs.append(_topic(errors, since, symbol))
    played = [play(one, errors, ruleset) for one in inputs]
    if chart is not None:
        _draw(chart, out, played, errors)
    powers = (
        _power(inputs_of_files((files or [])[:1], _market(market), together=False), played, errors) if power else []
    )
    results = [result for result, _, _ in played]
    if as_json:
        _print_json(results, [alerts for _, _, alerts in played], powers)
    else:
        _print_tables(Console(width=None if sys.stdout.isatty() else 120), played, powers, list_episodes=episodes)


def play(one: "Input", console: "Console", rules: "Ruleset") -> "tuple[Result, Seen, Sequence[Alert]]":
    """Play an input to these rules, with a line of progress where there is a terminal."""
    from services.alert_worker.backtest.replay import replay
    from services.alert_worker.backtest.report import result_of
    from services.alert_worker.backtest.series import Seen
    from services.cli.backtest_tables import moment

    seen, alerts = Seen(), []
    with console.status(f"reading {one.name}") as status:

        def watched() -> Any:
            for number, trade in enumerate(one.trades, 1):
                yield trade
                if number % _SAY_EVERY == 0:
                    status.update(f"{one.name}: {number:,} trades, at {moment(trade.traded_at_us)} UTC")

        alerts = list(replay(watched(), seen, rules, one.candles))
        status.update(f"{one.name}: labelling and comparing")
        return result_of(one.name, seen, alerts), seen, alerts


def _market(text: str | None) -> Any:
    from services.alert_worker.backtest.history_files import read_market

    return None if text is None else read_market(text)


def _topic(console: "Console", since: str | None, symbols: list[str] | None) -> "Input":
    import asyncio

    from services.cli.backtest_inputs import input_of_topic
    from services.cli.points_in_time import read_since
    from shared import logs
    from shared.clock import now_us
    from shared.settings import load_settings

    in_force = load_settings()
    logs.configure(in_force.log.model_copy(update={"level": "error"}), "backtest")
    since_us = None if since is None else read_since(since, now_us())
    with console.status("reading tape.trades.v1"):
        return asyncio.run(input_of_topic(in_force, since_us, frozenset(symbols or ())))


def _power(inputs: "Sequence[Input]", played: "Sequence[Any]", console: "Console") -> "list[Any]":
    from services.alert_worker.backtest.shocks import OVER_S, SIZES, power, quiet_stretches

    if not inputs:
        return []
    _, _, alerts = played[0]
    stretches = quiet_stretches(list(inputs[0].trades), [alert.event_at_us or 0 for alert in alerts], 4, 12)
    powers = []
    with console.status("putting shocks into quiet stretches") as status:
        for over_s in OVER_S:
            for size in SIZES:
                status.update(f"shocks of {size:.1%} within {over_s // 60} min")
                powers.append(power(stretches, size, over_s))
    return powers


def _draw(name: str, out: Path | None, played: "Sequence[Any]", console: "Console") -> None:
    from services.alert_worker.backtest.episode_chart import picture, shown_by
    from services.cli.backtest_tables import by_episode
    from shared.errors import WrongUse

    for result, seen, alerts in played:
        for episode_id, own in by_episode(alerts).items():
            if episode_id.startswith(name):
                series = seen.series[shown_by(own[0])]
                events = [event for symbol, event in result.events if symbol == series.symbol]
                file = out or Path(f"{episode_id}.png")
                try:
                    file.write_bytes(picture(series, own, events))
                except OSError as error:
                    raise WrongUse(f"--out: cannot write {file}: {error.strerror}") from None
                console.print(f"{file}: drawn")
                return
    raise WrongUse(f"--chart: no episode's name begins with {name!r}; --episodes lists them")


def _print_json(results: "Sequence[Result]", alerts: "Sequence[Sequence[Alert]]", powers: "Sequence[Any]") -> None:
    import msgspec

    from services.alert_worker.backtest.report import as_json

    told = [msgspec.to_builtins(alert) for own in alerts for alert in own]
    shocks = [
        {"size": one.size, "over_s": one.over_s, "tried": one.tried, "delays_s": list(one.delays_s)} for one in powers
    ]
    typer.echo(
        json.dumps({"histories": as_json(results), "alerts": told, "power": shocks}, indent=1, ensure_ascii=False)
    )


def _print_tables(console: "Console", played: "Sequence[Any]", powers: "Sequence[Any]", *, list_episodes: bool) -> None:
    from services.alert_worker.backtest.report import together
    from services.cli import backtest_tables as tables

    for result, _, alerts in played:
        tables.show_result(console, result)
        if list_episodes:
            tables.show_episodes(console, alerts)
    if len(played) > 1:
        tables.show_result(console, together("all of them", [result for result, _, _ in played]))
    if powers:
        tables.show_power(console, powers)
    tables.show_legend(console)
