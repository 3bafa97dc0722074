"""What a backtest or an explanation reads: files of prices, recorded frames, or the trades topic."""

import gzip
import heapq
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from shared import canary
from shared.errors import WrongUse
from shared.events import Candle, Trade

if TYPE_CHECKING:
    from services.alert_worker.records import Market
    from shared.settings import Settings
    from shared.topics import Topic

MOST_FROM_TOPIC = 3_000_000
_EXCHANGE_OF_FOLDER = {"upbit": "upbit", "binance_spot": "binance"}
_US = 1_000_000
_DAY_US = 86_400 * _US
E = TypeVar("E", Trade, Candle)


@dataclass(frozen=True)
class Input:
    """A name for people and the trades, in the order of their arrival; the exchanges' own minutes, if any."""

    name: str
    trades: Iterable[Trade]
    candles: Sequence[Candle] = ()


def inputs_of_files(files: Iterable[Path], market: "Market | None", *, together: bool) -> list[Input]:
    """One input a file, or all as one, merged by the time of the trades. Raises WrongUse."""
    found = [Input(_short(file), trades_of(file, market)) for file in files]
    if not together or len(found) < 2:
        return found
    merged = heapq.merge(*(one.trades for one in found), key=attrgetter("traded_at_us"))
    return [Input(" + ".join(one.name for one in found), merged)]


def trades_of(file: Path, market: "Market | None") -> Iterator[Trade]:
    """The trades of one file of whatever kind. Raises WrongUse."""
    from services.alert_worker.backtest import history_files

    if not file.is_file():
        raise WrongUse(f"{file}: no such file")
    if history_files.kind_of(file) == history_files.FRAMES:
        return _frames(file)
    return history_files.read_history(file, market)


def _frames(file: Path) -> Iterator[Trade]:
    """Trades from recorded WebSocket frames, through the adapter that reads the exchange live."""
    from services.producer.exchanges import ADAPTERS
    from services.producer.exchanges.base import AdapterOptions, InvalidFrame

    folder = file.resolve().parent.name
    if folder not in _EXCHANGE_OF_FOLDER:
        raise WrongUse(f"{file}: recorded frames must lie in a folder named {' or '.join(_EXCHANGE_OF_FOLDER)}")
    stream = "aggTrade" if "_aggTrade" in file.name else "trade"
    options = AdapterOptions(url="", listings=_Listings(_EXCHANGE_OF_FOLDER[folder]), trade_stream=stream)
    adapter = ADAPTERS[_EXCHANGE_OF_FOLDER[folder]](options)
    for number, line in enumerate(_lines(file), 1):
        try:
            row = json.loads(line)
            received_at_us = int((row["received_at"] or 0) * _US)
            parsed = adapter.parse(row["frame"], received_at_us)
        except (ValueError, KeyError, TypeError, InvalidFrame) as error:
            raise WrongUse(f"{file}, line {number}: {error}") from None
        if isinstance(parsed, list):
            yield from (event for event in parsed if isinstance(event, Trade))


class _Listings(dict[str, Any]):
    """Every code is listed: what is in a recording was."""

    def __init__(self, exchange: str) -> None:
        super().__init__()
        self._exchange = exchange

    def get(self, symbol: str, default: Any = None) -> Any:
        return self[symbol]

    def __missing__(self, symbol: str) -> Any:
        from services.alert_worker.backtest.history_files import read_market
        from services.producer.exchanges.base import Listing

        market = read_market(f"{self._exchange}:{symbol}")
        self[symbol] = Listing(symbol, market.base, market.quote)
        return self[symbol]


async def input_of_topic(settings: "Settings", since_us: int | None, symbols: frozenset[str]) -> Input:
    """What the trades topic holds now, and the exchanges' own minutes since a day before that, by the time of receipt.

    `since_us` counts by the broker's clock. No symbols means all of them. Raises WrongUse when it is too much to keep
    at hand.
    """
    from shared.kafka import wait_until_reachable
    from shared.topics import CANDLES, TRADES

    await wait_until_reachable(settings.kafka, min(2, settings.start.wait_s))
    trades = await _held(settings, TRADES, Trade, since_us, symbols)
    candles = await _held(settings, CANDLES, Candle, since_us and since_us - _DAY_US, symbols)
    return Input(TRADES.name, trades, candles)


async def _held(
    settings: "Settings", topic: "Topic", event: type[E], since_us: int | None, symbols: frozenset[str]
) -> list[E]:
    from services.alert_worker.topic_reader import read_event, read_topic

    found: list[E] = []
    since_ms = None if since_us is None else since_us // 1000
    async for record in read_topic(settings.kafka, topic, since_ms=since_ms):
        one = read_event(event, record)
        if one is None or one.exchange == canary.EXCHANGE or (symbols and one.symbol not in symbols):
            continue
        found.append(one)
        if len(found) > MOST_FROM_TOPIC:
            raise WrongUse(
                f"{topic.name} holds more than {MOST_FROM_TOPIC:,} such records: say a later --since, or --symbol"
            )
    found.sort(key=attrgetter("received_at_us"))
    return found


def _lines(file: Path) -> Iterator[str]:
    opener: Any = gzip.open if file.name.endswith(".gz") else open
    try:
        with opener(file, "rt", encoding="utf-8") as lines:
            yield from lines
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise WrongUse(f"{file}: cannot be read: {error}") from None


def _short(file: Path) -> str:
    return file.name.removesuffix(".gz").removesuffix(".csv").removesuffix(".jsonl")
