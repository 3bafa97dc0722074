"""What a trade costs the detectors with every market of both exchanges loaded, and what a market's state takes.

`python -m benchmarks.detector`. Trades fall on the markets as in a real market: the busiest has a tenth of them. They
come at 5,000 a second of event time, out of order as exchanges send them; nothing but the watch itself is timed. Memory
counts after five minutes, when windows and comparisons of exchanges are full.
"""

import gc
import math
import random
import time
import tracemalloc
from collections.abc import Iterable, Iterator, Sequence

from services.alert_worker import snapshot
from services.alert_worker.rules.tiers import A_DOLLAR
from services.alert_worker.watch import Watch
from shared.events import Trade
from shared.partitioning import partition_of, symbol_key
from shared.topics import TRADES
from shared.wire import decode, encode

RATE, BEGAN_US = 5_000, 1_790_000_000_000_000
WARM_S, WARM_RATE = 330, 1_000
TIMED_S, ROUNDS = 60, 3
BATCH = 500
MOST_CPU_US, MOST_STATE_BYTES = 5.0, 2_048
UPBIT = {"KRW": 270, "BTC": 200, "USDT": 230}
BINANCE = {"USDT": 430, "USDC": 270, "FDUSD": 200, "BTC": 300, "TRY": 300}
"""Markets by currency, roughly as the exchanges list them; those for KRW and for USDT are compared with each other."""

PAIRED = 220
"""Coins that both exchanges trade."""

Placed = tuple[int, Trade]
"""A trade and its partition."""

Record = tuple[int, Trade]
"""A trade and its offset."""


def markets() -> list[tuple[str, str, str, str]]:
    """(exchange, symbol, base, quote) of every market of both exchanges."""
    upbit = [("upbit", f"{quote}-C{i}", f"C{i}", quote) for quote, count in UPBIT.items() for i in range(count)]
    bases = [i if i < PAIRED else i + UPBIT["KRW"] for i in range(max(BINANCE.values()))]
    return upbit + [
        ("binance", f"C{i}{quote}", f"C{i}", quote) for quote, count in BINANCE.items() for i in bases[:count]
    ]


def weights(count: int) -> list[float]:
    """Share of each market, busiest first: the n-th has as much as 1/n, which is near to what exchanges show."""
    return [1 / (n + 1) for n in range(count)]


def first_prices(rng: random.Random) -> dict[tuple[str, str], float]:
    """A coin costs the same in every currency."""
    dollars = dict[str, float]()
    return {
        (exchange, symbol): dollars.setdefault(base, 10 ** rng.uniform(0, 2)) * A_DOLLAR[quote]
        for exchange, symbol, base, quote in markets()
    }


def _decimals(price: float) -> int:
    """Below 65,536 without the point, as 95 % of Binance's markets and 98 % of Upbit's are on a recorded day."""
    whole = math.floor(math.log10(price)) + 1
    return min(8, max(0, (5 if price < 6 * 10 ** (whole - 1) else 4) - whole))


def tape(
    rng: random.Random, first_s: int, seconds: int, prices: dict[tuple[str, str], float], rate: int = RATE
) -> list[Placed]:
    """Trades of `seconds`; the prices walk on."""
    chosen = markets()
    rng_markets = random.Random(3)
    rng_markets.shuffle(chosen)
    picked = rng.choices(chosen, weights(len(chosen)), k=seconds * rate)
    found = []
    for n, (exchange, symbol, base, quote) in enumerate(picked):
        at_us = BEGAN_US + first_s * 1_000_000 + n * 1_000_000 // rate
        key = exchange, symbol
        price = prices[key] = prices[key] * (1 + rng.gauss(0, 0.00002))
        trade = Trade(
            exchange=exchange, symbol=symbol, base=base, quote=quote, trade_id=str(first_s * RATE + n),
            price=f"{price:.{_decimals(price)}f}", quantity=f"{rng.expovariate(10):.6f}1", side="buy",
            traded_at_us=at_us - rng.randrange(0, 150_000), received_at_us=at_us,
        )  # fmt: skip
        found.append((partition_of(symbol_key(exchange, symbol), TRADES.partitions), trade))
    return found


def batches(trades: Sequence[Placed], offsets: list[int]) -> Iterator[tuple[int, list[Record]]]:
    """What a reader is given at once, by partition: what comes within a tenth of a second."""
    for first in range(0, len(trades), BATCH):
        batch: dict[int, list[Record]] = {}
        for partition, trade in trades[first : first + BATCH]:
            batch.setdefault(partition, []).append((offsets[partition], trade))
            offsets[partition] += 1
        yield from batch.items()


def as_read(trades: Iterable[Record]) -> list[Record]:
    """The same, with objects of their own for every text, as bytes from Kafka give them."""
    return [(offset, decode(Trade, encode(trade))) for offset, trade in trades]


def play(watch: Watch, parts: Iterable[tuple[int, list[Record]]]) -> int:
    """Let the watch have the trades; the number of alerts."""
    return sum(len(watch.observe_all(records, partition)) for partition, records in parts)


def state_bytes(watch: Watch) -> list[int]:
    """Bytes that each market's snapshot takes on Kafka, smallest first."""
    records = (record for n, part in enumerate(watch.partitions) for _, record in snapshot.take(part, n, BEGAN_US))
    return sorted(len(record.state) for record in records if record.exchange != snapshot.MARK)


def main() -> int:
    rng = random.Random(7)
    prices = first_prices(rng)
    warm = tape(rng, 0, WARM_S, prices, WARM_RATE)
    rounds = [tape(rng, WARM_S + n * TIMED_S, TIMED_S, prices) for n in range(ROUNDS)]
    gc.collect()
    tracemalloc.start()
    watch, offsets = Watch(TRADES.partitions), [0] * TRADES.partitions
    play(watch, ((partition, as_read(records)) for partition, records in batches(warm, offsets)))
    watch.run_on(BEGAN_US + WARM_S * 1_000_000 + 1_000_000, range(TRADES.partitions))  # nothing waits for its tick
    gc.collect()
    in_memory = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    loaded = sum(1 for part in watch.partitions for _ in part.symbols())
    costs = []
    for trades in rounds:
        parts = list(batches(trades, offsets))
        gc.freeze()  # the tape that lies ready would be looked through for garbage again and again
        began = time.process_time()
        alerts = play(watch, parts)
        costs.append((time.process_time() - began) * 1e6 / len(trades))
        print(f"{len(trades):,} trades, {loaded:,} markets loaded: {costs[-1]:.2f} cpu-µs a trade, {alerts} alerts")
    sizes = state_bytes(watch)
    print(f"state of a market as saved: median {sizes[len(sizes) // 2]:,} B, largest {sizes[-1]:,} B")
    print(f"state of a market in memory: {in_memory / loaded:,.0f} B on average")
    is_small = max(in_memory / loaded, sizes[len(sizes) // 2]) <= MOST_STATE_BYTES
    is_well = min(costs) <= MOST_CPU_US and is_small
    print(f"promised: {MOST_CPU_US:g} cpu-µs a trade, {MOST_STATE_BYTES:,} B a market: {'ok' if is_well else 'MISSED'}")
    return 0 if is_well else 1


if __name__ == "__main__":
    raise SystemExit(main())
