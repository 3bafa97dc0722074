"""`tapewatch producer`: one exchange's feeds, as a process of its own."""

from typing import Annotated

import typer

from shared.errors import WrongUse
from shared.partitioning import Shard


def producer(
    exchange: Annotated[str, typer.Argument(help="upbit or binance.", metavar="upbit|binance")],
    shard: Annotated[str, typer.Option(help="Part k of n, from 0/n: the symbols of every n-th partition.")] = "0/1",
) -> None:
    """Read one exchange and publish its trades, tickers and order books to Kafka.

    Example: TAPEWATCH_UPBIT__SYMBOLS=KRW-BTC,KRW-ETH tapewatch producer upbit
    """
    try:
        part = Shard.parse(shard)
    except ValueError as error:
        raise WrongUse(f"--shard: {error}") from None
    from services.producer import app

    raise typer.Exit(app.run(exchange, part))
