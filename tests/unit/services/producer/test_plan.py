import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.producer.plan import connections, owned
from shared.partitioning import Shard, partition_of, symbol_key

SYMBOLS = [f"KRW-S{number}" for number in range(40)]


@given(
    count=st.integers(0, 700),
    limit=st.integers(1, 300),
    channels=st.sets(st.sampled_from(["trade", "ticker", "orderbook"])),
)
def test_every_stream_once_and_no_connection_too_full(count, limit, channels):
    symbols = [f"S{number}" for number in range(count)]
    plan = connections(
        "x", "x", shard=Shard(), symbols=symbols, book_symbols=symbols[:3], channels=list(channels), limit=limit
    )
    streams = [stream for work in plan for stream in work.streams]
    wanted = {(c, s) for c in channels for s in (symbols[:3] if c == "orderbook" else symbols)}
    assert len(streams) == len(wanted)
    assert {(s.channel, s.symbol) for s in streams} == wanted
    assert all(1 <= len(work.streams) <= limit for work in plan)
    assert len({work.name for work in plan}) == len(plan)
    assert all(len({s.channel == "trade" for s in work.streams}) == 1 for work in plan)


def test_trades_travel_under_their_own_name():
    plan = connections(
        "binance",
        "binance_agg",
        shard=Shard(1, 2),
        symbols=["A"],
        book_symbols=[],
        channels=["trade", "ticker"],
        limit=9,
    )
    assert [(work.name, work.exchange, work.carries_trades) for work in plan] == [
        ("binance_agg-1-trades-1", "binance_agg", True),
        ("binance-1-books-1", "binance", False),
    ]


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_shards_share_the_symbols_by_whole_partitions(count):
    parts = [owned(SYMBOLS, "upbit", Shard(index, count)) for index in range(count)]
    assert sorted(symbol for part in parts for symbol in part) == sorted(SYMBOLS)
    writers = [{partition_of(symbol_key("upbit", symbol), 8) for symbol in part} for part in parts]
    assert sum(map(len, writers)) == len(set().union(*writers))
