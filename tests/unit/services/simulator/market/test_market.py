import random
from itertools import islice, pairwise

import pytest

from services.simulator.market.desk import Walk
from services.simulator.market.instruments import MAX_COINS, listing
from services.simulator.market.market import Market
from services.simulator.market.records import Book, Record, Ticker, Trade
from services.simulator.scenarios import SCENARIOS

EPOCH_MS = 1_700_000_000_000
Told = list[tuple[float, Record]]


def tell(market: Market, seconds: float) -> Told:
    return [*((0.0, record) for record in market.open()), *go_on(market, seconds)]


def go_on(market: Market, seconds: float) -> Told:
    told: Told = []
    while (due_s := market.due_s()) <= seconds:
        if (record := market.tell()) is not None:
            told.append((due_s, record))
    return told


def market(*, seed: int = 1, rate: float = 300.0, scenario: str = "calm", coins: int = 10) -> Market:
    return Market(listing(coins), rate, seed, SCENARIOS[scenario], EPOCH_MS)


def trades_by_symbol(told: Told) -> dict[str, list[Trade]]:
    found: dict[str, list[Trade]] = {}
    for _, record in told:
        if isinstance(record, Trade):
            found.setdefault(record.instrument.symbol, []).append(record)
    return found


def without_instrument(record: Record) -> tuple[object, ...]:
    return tuple(getattr(record, name) for name in record.__struct_fields__ if name != "instrument")


def test_the_same_seed_tells_the_same_story() -> None:
    one, other, different = (tell(market(seed=seed), 5) for seed in (7, 7, 8))
    assert [without_instrument(r) for _, r in one] == [without_instrument(r) for _, r in other]
    assert [without_instrument(r) for _, r in one] != [without_instrument(r) for _, r in different]


def test_the_rate_is_what_was_asked_for() -> None:
    told = tell(market(rate=1_000.0), 60)
    assert 0.9 < len(told) / 60_000 < 1.1
    share = sum(isinstance(record, Trade) for _, record in told) / len(told)
    assert 0.45 < share < 0.55


def test_records_come_in_order_of_their_due_time() -> None:
    assert all(one[0] <= next_[0] for one, next_ in pairwise(tell(market(), 20)))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_calm_market_stays_below_every_floor_for_ten_minutes(seed: int) -> None:
    for symbol, trades in trades_by_symbol(tell(market(seed=seed, rate=80.0, coins=40), 600)).items():
        prices = [trade.price for trade in trades]
        assert max(prices) / min(prices) < 1.008, symbol


def test_a_quiet_price_never_leaves_its_band_however_long_it_is_watched() -> None:
    walk = Walk(random.Random(1))
    deviations = [walk.at(float(second)) for second in range(100_000)]
    assert max(map(abs, deviations)) == Walk.CLAMP
    assert Walk.CLAMP <= 0.002


def test_a_calm_market_is_not_dead() -> None:
    prices = [trade.price for trade in trades_by_symbol(tell(market(), 300))["BTCUSDT"]]
    assert max(prices) / min(prices) > 1.0003


def test_a_flash_crash_strikes_one_market_within_ten_seconds_and_is_over_by_twenty() -> None:
    told = tell(market(scenario="flash-crash"), 20)
    crashed = [(s, r.price) for s, r in told if isinstance(r, Trade) and r.instrument.symbol == "KRW-BTC"]
    before = [price for seconds, price in crashed if seconds < 4]
    assert 0.945 < min(price for seconds, price in crashed if seconds < 10) / before[0] < 0.955
    assert all(0.994 < price / before[0] < 1.002 for seconds, price in crashed if seconds > 13)
    for symbol, trades in trades_by_symbol(told).items():
        if symbol != "KRW-BTC":
            assert max(t.price for t in trades) / min(t.price for t in trades) < 1.008, symbol


def test_binance_ids_are_consecutive_and_upbit_ids_unique_and_sometimes_late() -> None:
    by_symbol = trades_by_symbol(tell(market(rate=2_000.0), 30))
    late = 0
    for symbol, trades in by_symbol.items():
        ids = [trade.trade_id for trade in trades]
        assert len(set(ids)) == len(ids)
        if symbol.startswith("KRW-"):
            late += sum(after < before for before, after in pairwise(ids))
        else:
            assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert late > 100
    assert {len(str(trades[0].trade_id)) for symbol, trades in by_symbol.items() if symbol[:4] == "KRW-"} == {16, 17}


def test_a_market_that_rests_is_not_told_of_and_goes_on_with_the_next_id() -> None:
    one = market(rate=2_000.0, coins=2)
    first = tell(one, 5)
    for exchange, symbol in (("upbit", "KRW-BTC"), ("binance", "BTCUSDT")):
        one.set_open(exchange, symbol, is_open=False)
    resting = go_on(one, 10)
    assert {record.instrument.symbol for _, record in resting} == {"KRW-ETH", "ETHUSDT"}
    one.set_open("binance", "BTCUSDT", is_open=True)
    again = go_on(one, 15)
    assert {record.instrument.symbol for _, record in again} == {"KRW-ETH", "ETHUSDT", "BTCUSDT"}
    ids = [trade.trade_id for trade in trades_by_symbol([*first, *resting, *again])["BTCUSDT"]]
    assert ids == list(range(ids[0], ids[0] + len(ids)))


def test_a_whole_exchange_may_rest_from_before_the_opening() -> None:
    one = market(coins=2)
    for desk in one.desks:
        one.set_open(desk.instrument.exchange, desk.instrument.symbol, is_open=False)
    assert tell(one, 5) == []


def test_a_late_trade_keeps_its_own_time() -> None:
    told = tell(market(rate=2_000.0), 10)
    lags = [r.event_ms - r.traded_ms for _, r in told if isinstance(r, Trade) and r.instrument.exchange == "upbit"]
    assert 1_000 <= max(lags) <= 2_100
    assert min(lags) < 50


def test_tickers_agree_with_the_trades_told() -> None:
    volume: dict[str, int] = {}
    low: dict[str, int] = {}
    seen: dict[str, Ticker] = {}
    for _, record in tell(market(rate=1_000.0), 10):
        symbol = record.instrument.symbol
        if isinstance(record, Trade):
            volume[symbol] = volume.get(symbol, 0) + record.quantity
            low[symbol] = min(low.get(symbol, record.price), record.price)
        elif isinstance(record, Ticker):
            assert record.low <= record.price <= record.high
            first = seen.setdefault(symbol, record)
            if first is record:
                volume[symbol] = 0
            assert record.volume - first.volume == volume[symbol]
            assert record.low <= low[symbol]


def test_books_are_ordered_positive_and_now_and_then_thin() -> None:
    depths = set()
    for _, record in tell(market(rate=2_000.0), 10):
        if isinstance(record, Book):
            assert list(record.bids) == sorted(set(record.bids), reverse=True)
            assert list(record.asks) == sorted(set(record.asks))
            assert 0 < record.bids[-1] < record.bids[0] < record.asks[0]
            assert len(record.asks) == len(record.ask_quantities)
            assert min(*record.bid_quantities, *record.ask_quantities) > 0
            depths.add(len(record.asks))
    assert 30 in depths
    assert min(depths) < 5


def test_every_listed_market_has_a_price_on_its_tick() -> None:
    instruments = listing(MAX_COINS)
    assert len({(i.exchange, i.symbol) for i in instruments}) == 2 * MAX_COINS
    for instrument in instruments:
        assert instrument.anchor % instrument.tick == 0
        assert instrument.tick / instrument.anchor <= 0.001
    with pytest.raises(ValueError, match="not 0"):
        listing(0)


def test_a_hole_in_the_ids_is_as_wide_as_asked_for() -> None:
    told = market(coins=1)
    desk = next(desk for desk in told.desks if desk.instrument.exchange == "binance")
    first = desk.trade(0.0).trade_id
    desk.skip_ids(5)
    assert desk.trade(0.1).trade_id == first + 6


def test_postponing_moves_the_times_of_what_is_still_to_come() -> None:
    postponed, straight = market(), market()
    for one in (postponed, straight):
        one.open()
    postponed.postpone(5_000)
    moved, unmoved = (next(islice(iter(one.tell, None), 1)) for one in (postponed, straight))
    assert moved.event_ms - unmoved.event_ms == 5_000


def test_a_market_in_a_hurry_tells_so_many_times_more_for_so_long() -> None:
    calm, hurried = market(rate=100), market(rate=100)
    tell(calm, 5)
    tell(hurried, 5)
    hurried.hurry(20, 5)
    during, usual = len(tell_on(hurried, 10)), len(tell_on(calm, 10))
    assert 14 * usual < during < 26 * usual
    after, usual = len(tell_on(hurried, 40)), len(tell_on(calm, 40))
    assert 0.5 * usual < after < 2 * usual


def tell_on(market: Market, until_s: float) -> list[Record]:
    told = []
    while market.due_s() <= until_s:
        told.append(market.tell())
    return told


def test_one_market_falls_on_command_and_recovers() -> None:
    calm = market(rate=1_000.0, coins=3)
    tell(calm, 5)
    falling = calm.desks[0]
    calm.crash(falling)
    trades = trades_by_symbol(go_on(calm, 14))

    shares = {
        desk: [one.price / desk.instrument.anchor for one in trades[desk.instrument.symbol]] for desk in calm.desks
    }
    assert min(shares[falling]) < 0.96
    assert shares[falling][-1] > 0.98
    assert all(min(found) > 0.98 for desk, found in shares.items() if desk is not falling)
