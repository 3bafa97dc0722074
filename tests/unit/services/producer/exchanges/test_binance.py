import json

import pytest

from services.producer.exchanges.base import Acknowledged, Alive, ExchangeError, InvalidFrame, ShuttingDown, Stream
from shared.events import OrderBook, Ticker, Trade


def test_a_trade(read_one, frames):
    assert read_one("binance", frames["binance"]["trade"]) == Trade(
        exchange="binance",
        symbol="BTCUSDT",
        base="BTC",
        quote="USDT",
        trade_id="3735683259",
        price="61837.63000000",
        quantity="0.02000000",
        side="sell",
        traded_at_us=1723161255342000,
        received_at_us=7,
    )


def test_a_bare_trade_and_the_takers_side(read_one, frames):
    trade = read_one("binance", frames["binance"]["bare trade"])
    assert (trade.price, trade.quantity, trade.side) == ("0.00000100", "9", "buy")


def test_aggregated_trades_are_another_exchange(read_one, make_adapter, frames):
    trade = read_one("binance", frames["binance"]["aggTrade"], trade_stream="aggTrade")
    assert (trade.exchange, trade.trade_id, trade.side) == ("binance_agg", "18938405", "buy")
    marker = frames["binance"]["aggTrade"].replace(b"23806928", b"-1").replace(b"0.21448000", b"0")
    assert make_adapter("binance", trade_stream="aggTrade").parse(marker, 7) == []


@pytest.mark.parametrize(("kind", "stream"), [("aggTrade", "trade"), ("trade", "aggTrade")])
def test_the_other_kind_of_trades_would_count_twice(make_adapter, frames, kind, stream):
    with pytest.raises(InvalidFrame, match="not subscribed"):
        make_adapter("binance", trade_stream=stream).parse(frames["binance"][kind], 7)


def test_a_ticker(read_one, frames):
    ticker = read_one("binance", frames["binance"]["ticker"])
    assert isinstance(ticker, Ticker)
    assert (ticker.window, ticker.price, ticker.open, ticker.high) == ("rolling_24h", "0.0025", "0.0010", "0.0025")
    assert (ticker.volume_24h, ticker.turnover_24h, ticker.event_at_us) == ("10000", "18", 1672515782136000)
    assert (ticker.bid_price, ticker.bid_quantity, ticker.ask_quantity) == ("0.0024", "10", "100")
    empty = frames["binance"]["ticker"].replace(b'"b":"0.0024"', b'"b":"0.00000000"')
    assert read_one("binance", empty).bid_price is None


def test_a_book_is_named_by_its_stream(read_one, frames):
    book = read_one("binance", frames["binance"]["depth"])
    assert isinstance(book, OrderBook)
    assert (book.symbol, book.sequence, book.event_at_us) == ("BTCUSDT", 160, None)
    assert book.bids == [("0.0024", "10"), ("0.0022", "5")]
    assert book.asks == [("0.0026", "100")]
    named = frames["binance"]["depth"].replace(b"btcusdt", "币安人生usdt".encode())
    assert read_one("binance", named).symbol == "币安人生USDT"


def test_microseconds_are_cut_to_what_rest_gives(read_one, frames):
    frame = frames["binance"]["trade"].replace(b"1723161255342", b"1723161255342999")
    assert read_one("binance", frame).traded_at_us == 1723161255342000


@pytest.mark.parametrize(
    ("frame", "notice"),
    [
        (b'{"result":null,"id":3}', Acknowledged(3)),
        (b'{"result":["btcusdt@trade"],"id":4}', Acknowledged(4)),
        (b'{"result":null,"id":null}', Alive()),
        (b'{"e":"serverShutdown","E":1770123456789}', ShuttingDown()),
        (b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}', ShuttingDown()),
    ],
)
def test_notices(make_adapter, frame, notice):
    assert make_adapter("binance").parse(frame, 7) == notice


@pytest.mark.parametrize(
    "frame",
    [
        b'{"error":{"code":2,"msg":"Invalid request: bad"},"id":1}',
        b'{"error":{"code":4,"msg":"Too many subscriptions"}}',
        b'{"code":3,"msg":"Invalid JSON"}',
    ],
)
def test_errors_nested_and_flat(make_adapter, frame):
    with pytest.raises(ExchangeError):
        make_adapter("binance").parse(frame, 7)


def test_a_code_alone_is_no_error_of_the_exchange(make_adapter):
    with pytest.raises(InvalidFrame):
        make_adapter("binance").parse(b'{"code":1}', 7)


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("trade", b"BTCUSDT", b"DOGEUSDT"),
        ("trade", b'"61837.63000000"', b"61837.63"),
        ("trade", b"61837.63000000", b"NaN"),
        ("trade", b"61837.63000000", b"1_000"),
        ("trade", b"61837.63000000", "６１８".encode()),
        ("trade", b"61837.63000000", b"0.00000000"),
        ("trade", b"61837.63000000", b"1 2"),
        ("trade", b"61837.63000000", b"+1"),
        ("trade", b"3735683259", b"3735683259.5"),
        ("trade", b"3735683259", b"9" * 4400),
        ("trade", b'"m":true', b'"m":1'),
        ("trade", b'"e":"trade"', b'"e":"kline"'),
        ("depth", b"btcusdt", b"dogeusdt"),
        ("depth", b'["0.0024","10"]', b'["0.0024"]'),
        ("depth", b'["0.0024","10"]', b'["0.0024","10","1"]'),
        ("depth", b'"0.0024","10"', b'"0.0024 1","10"'),
        ("depth", b'"lastUpdateId":160', b'"lastUpdateId":-1'),
        ("depth", b'["0.0024","10"]', b'["1","1"],' * 100 + b'["1","1"]'),
        ("ticker", b'"c":"0.0025"', b'"c":"1e400"'),
    ],
)
def test_a_frame_with_one_fault_is_refused(make_adapter, frames, kind, old, new):
    frame = frames["binance"][kind]
    assert old in frame
    with pytest.raises(InvalidFrame):
        make_adapter("binance").parse(frame.replace(old, new), 7)


def test_requests_stay_within_what_the_exchange_reads(make_adapter):
    adapter = make_adapter("binance", levels=7)
    streams = [Stream("trade", f"S{number}USDT") for number in range(250)] + [Stream("orderbook", "BTCUSDT")]
    request = adapter.subscribe(streams, "t")
    asked = [json.loads(message) for message in request.messages]
    assert [message["id"] for message in asked] == sorted(request.acknowledged_ids) == [1, 2, 3]
    assert all(len(message["params"]) <= 100 and message["method"] == "SUBSCRIBE" for message in asked)
    assert all(len(message.encode()) <= 4096 for message in request.messages)
    names = [name for message in asked for name in message["params"]]
    assert (len(names), names[0], names[-1]) == (251, "s0usdt@trade", "btcusdt@depth10@100ms")
    wide = adapter.subscribe([Stream("ticker", "币" * 60 + str(number)) for number in range(90)], "t")
    assert len(wide.messages) > 1
    assert all(len(message.encode()) <= 4096 for message in wide.messages)


def test_new_fields_are_found(make_adapter, frames):
    adapter = make_adapter("binance")
    assert not any(adapter.unknown_fields(frame) for frame in frames["binance"].values())
    news = frames["binance"]["trade"].replace(b'"m":true', b'"m":true,"Z":1')
    assert adapter.unknown_fields(news) == {"trade": {"Z"}}
