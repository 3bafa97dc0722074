"""The command: finds the trades, plays them, asks what was recorded, and shows it all."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shared.errors import TapewatchError, Unreachable, WrongUse

if TYPE_CHECKING:
    from services.alert_worker.explanation import Span
    from services.alert_worker.records import Market
    from services.cli.explain.sources import Found, Say
    from services.cli.explain.verdicts import Records
    from shared.settings import Settings

_WAIT_S = 2
_US = 1_000_000
_UNITS_S = {"s": 1, "m": 60, "h": 3_600}


def explain(  # noqa: PLR0913, PLR0917  one parameter a flag
    symbol: Annotated[str, typer.Argument(help="KRW-BTC (Upbit), BTCUSDT (Binance), or exchange:symbol.")],
    time: Annotated[str, typer.Argument(help="22:27 or 2024-11-22T22:27, Korean time; add UTC for UTC.")],
    from_: Annotated[
        list[Path] | None,
        typer.Option("--from", metavar="FILE", help="Files as `backtest` reads them, instead of Kafka. Repeatable."),
    ] = None,
    market: Annotated[
        str | None, typer.Option(help="What a file holds when its name does not say, e.g. binance:BTCUSDT.")
    ] = None,
    around: Annotated[str, typer.Option(help="How much before and after that minute is looked at.")] = "2m",
    warm_up: Annotated[
        str, typer.Option("--warm-up", help="How much before that is played, to learn what is usual.")
    ] = "4h",
    rules: Annotated[
        Path | None, typer.Option(help="A rules file. Default: ALERTS__RULES_FILE, or the built-in rules.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for programs.")] = False,
) -> None:
    """Show what each rule measured around a minute, its threshold and verdict, and why people were told or not.

    Plays the trades of that time to the detectors: from Kafka, from Postgres once Kafka no longer holds them, or from
    files. Playing begins some time before, so what is usual may differ a little from what the worker knew: the alerts
    are those that the worker recorded, as far as Kafka or Postgres hold them.

    Example: tapewatch explain KRW-BTC 22:27

    Example: tapewatch explain BTCUSDT '2024-08-05 00:57 UTC' --from binance_BTCUSDT_1m_2024-08.csv.gz
    """
    from rich.console import Console

    from services.alert_worker import explanation
    from services.alert_worker.backtest.history_files import read_market
    from services.alert_worker.mutes import Mutes
    from services.alert_worker.quiet_hours import read_quiet_hours
    from services.alert_worker.rules_keeper import load
    from services.cli.explain import matching, sources, tables, verdicts
    from services.cli.points_in_time import read_time
    from shared import logs
    from shared.clock import now_us
    from shared.settings import load_settings

    in_force = load_settings()
    logs.configure(in_force.log.model_copy(update={"level": "error"}), "explain")
    policy = load(rules or in_force.alerts.rules_file)
    at_us, around_us, warm_up_us = read_time(time, now_us()), _length(around, "--around"), _length(warm_up, "--warm-up")
    minute_us = at_us // (60 * _US) * 60 * _US
    span = explanation.Span(minute_us - around_us, minute_us + 60 * _US + around_us)
    console = Console(width=None if sys.stdout.isatty() else 160)
    errors = Console(stderr=True)
    records: Records | None = None
    with errors.status("looking for the trades") as status:
        if from_:
            found = sources.of_files(from_, symbol, read_market(market) if market else None, span, warm_up_us)
        else:
            found, records = _stored(in_force, sources.market_asked(symbol), span, warm_up_us, status.update)
        status.update(f"playing {len(found.trades):,} trades of {found.source}")
        explained = explanation.explain(found.trades, found.market, span, policy.ruleset, found.candles)
    asked = in_force.alerts
    quiet = read_quiet_hours(
        {"notice": asked.quiet_notice, "warning": asked.quiet_warning, "danger": asked.quiet_danger}
    )
    wishes = verdicts.Wishes(Mutes(), policy.quiet_hours(quiet))
    wishes.mutes.stand(policy.mutes)
    recorded = records.alerts.values() if records is not None else ()
    alerts = matching.shown(explained.alerts, recorded, found.market, span)
    told = [tables.Told(alert, verdicts.verdict(alert, records, wishes)) for alert in alerts]
    conclusion = verdicts.conclusion(explained, alerts, found.unread)
    if as_json:
        whole = tables.as_object(explained, found.source, told, conclusion)
        typer.echo(json.dumps(whole, ensure_ascii=False, indent=1))
    else:
        tables.show(console, explained, found.source, told, conclusion)


def _stored(
    in_force: "Settings", market: "Market", span: "Span", warm_up_us: int, say: "Say"
) -> "tuple[Found, Records | None]":
    import asyncio

    return asyncio.run(_of_stores(in_force, market, span, warm_up_us, say))


async def _of_stores(
    in_force: "Settings", market: "Market", span: "Span", warm_up_us: int, say: "Say"
) -> "tuple[Found, Records | None]":
    """From Kafka; from Postgres where Kafka is away or no longer holds the time. Raises what Kafka said otherwise.

    A market that was halted, or is not read, has no trades, and trades are kept less long than alerts: what was
    recorded of it is shown all the same.
    """
    from services.cli.explain import matching, records, sources
    from shared.kafka import wait_until_reachable
    from shared.topic_ids import wait_for_topic_ids
    from shared.topics import ALERTS, NOTIFICATIONS, TRADES

    recorded = None
    try:
        await wait_until_reachable(in_force.kafka, min(_WAIT_S, in_force.start.wait_s))
        await wait_for_topic_ids(in_force.kafka, [TRADES, ALERTS, NOTIFICATIONS], 0)
        recorded = await records.read(in_force.kafka, span)
        return await sources.of_topic(in_force.kafka, market, span, warm_up_us, say), recorded
    except (Unreachable, sources.NotHeld) as error:
        fault: TapewatchError = error
    say("asking PostgreSQL")
    dsn = in_force.postgres.dsn.get_secret_value()
    try:
        recorded = records.with_stored(recorded, await records.stored(dsn, span))
        return await sources.of_postgres(dsn, market, span, warm_up_us), recorded
    except (Unreachable, WrongUse) as error:
        if recorded is not None and matching.recorded_of(recorded.alerts.values(), market, span):
            unread = f"the trades of that time could not be read: {fault}; {error}"
            return sources.Found(market, TRADES.name, [], unread=unread), recorded
        if isinstance(error, Unreachable):
            raise fault from None
        if isinstance(error, sources.NotHeld):
            raise sources.NotHeld(f"{fault}; {error}") from None
        raise


def _length(text: str, option: str) -> int:
    """``2m`` in microseconds."""
    unit, number = _UNITS_S.get(text[-1:]), text[:-1]
    if unit is None or not (number.isascii() and number.isdecimal()) or not 0 < int(number) * unit <= 48 * 3_600:
        raise WrongUse(f"{option}: {text!r} is not like 30s, 2m or 4h, of at most 48h")
    return int(number) * unit * _US
