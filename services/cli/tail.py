"""`tapewatch tail`: follow a topic as it grows."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from shared.topics import Topic

_WAIT_S = 2
What = Literal["trades", "tickers", "orderbooks", "alerts", "feed"]


def tail(
    what: Annotated[What, typer.Argument(help="What to follow.")],
    symbols: Annotated[list[str] | None, typer.Argument(metavar="[SYMBOL]…", help="Only these, e.g. KRW-BTC.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The records as they are, one a line.")] = False,
    count: Annotated[int | None, typer.Option("--count", "-n", min=1, help="End after so many.")] = None,
) -> None:
    """Print what comes in from now on, until Ctrl-C.

    Example: tapewatch tail trades KRW-BTC BTCUSDT
    """
    from shared import connections, logs
    from shared.settings import load_settings

    in_force = load_settings()
    logs.configure(in_force.log.model_copy(update={"level": "error"}), "tail")
    connections.run(_follow(in_force, what, frozenset(symbols or ()), as_json, count))


async def _follow(in_force: Any, what: What, symbols: frozenset[str], as_json: bool, count: int | None) -> None:
    from aiokafka import AIOKafkaConsumer
    from aiokafka.structs import TopicPartition

    from shared import canary
    from shared.kafka import client_options, wait_until_reachable
    from shared.topic_ids import wait_for_topic_ids
    from shared.wire import InvalidRecord, read_record

    topic = _topic(what)
    await wait_until_reachable(in_force.kafka, min(_WAIT_S, in_force.start.wait_s))
    await wait_for_topic_ids(in_force.kafka, [topic], 0)
    options = client_options(in_force.kafka, "tail")
    consumer = AIOKafkaConsumer(**options, auto_offset_reset="latest", enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic.name, number) for number in range(topic.partitions)])
        await consumer.seek_to_end()
        async for record in consumer:
            try:
                event: Any = read_record(topic.event, record)
            except InvalidRecord as error:
                typer.echo(f"partition {record.partition} offset {record.offset}: {error}", err=True)
                continue
            if not symbols and getattr(event, "exchange", None) == canary.EXCHANGE:
                continue
            if symbols and not symbols.intersection(_symbols_of(event)):
                continue
            typer.echo(record.value.decode() if as_json else LINES[what](event))
            count = None if count is None else count - 1
            if count == 0:
                return
    finally:
        await consumer.stop()


def _topic(what: What) -> "Topic":
    from shared import topics

    return {
        "trades": topics.TRADES,
        "tickers": topics.TICKERS,
        "orderbooks": topics.ORDERBOOKS,
        "alerts": topics.ALERTS,
        "feed": topics.FEED,
    }[what]


def _symbols_of(event: Any) -> list[str]:
    """What a record is about; a feed event may be about several symbols."""
    return list(getattr(event, "symbols", None) or filter(None, [getattr(event, "symbol", None)]))


def clock(at_us: int | None) -> str:
    """Time of day, UTC, to the millisecond."""
    if at_us is None:
        return "-" * 12
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).strftime("%H:%M:%S.%f")[:-3]


def _where(event: Any) -> str:
    return f"{event.exchange:8} {event.symbol:12}"


def _trade(trade: Any) -> str:
    return f"{clock(trade.traded_at_us)} {_where(trade)} {trade.side:4} {trade.quantity:>18} at {trade.price}"


def _ticker(ticker: Any) -> str:
    return (
        f"{clock(ticker.event_at_us)} {_where(ticker)} {ticker.price:>18}"
        f"  low {ticker.low}  high {ticker.high}  24 h turnover {ticker.turnover_24h} {ticker.quote}"
    )


def _book(book: Any) -> str:
    bid, ask = (" × ".join(side[0]) if side else "nobody" for side in (book.bids, book.asks))
    return f"{clock(book.event_at_us or book.received_at_us)} {_where(book)} bid {bid}   ask {ask}"


def _alert(alert: Any) -> str:
    where = f"{alert.symbol or 'whole market'} on {alert.exchange or 'both exchanges'}"
    change = "" if alert.change_pct is None else f" {alert.change_pct} %"
    return f"{clock(alert.decided_at_us)} {alert.state:8} {alert.severity:7} {alert.kind}: {where}{change}"


def _feed(event: Any) -> str:
    about = "" if event.symbols is None else f" ({len(event.symbols)} symbols)"
    return f"{clock(event.at_us)} {event.exchange:8} {event.kind:12} {event.connection or ''}{about} {event.reason}"


LINES: dict[str, Callable[[Any], str]] = {
    "trades": _trade,
    "tickers": _ticker,
    "orderbooks": _book,
    "alerts": _alert,
    "feed": _feed,
}
