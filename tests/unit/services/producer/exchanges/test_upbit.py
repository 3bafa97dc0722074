import json

import msgspec
import pytest

from services.producer.exchanges.base import Alive, ExchangeError, InvalidFrame, Stream
from shared.events import OrderBook, Ticker, Trade


def test_a_trade_keeps_every_digit_and_its_own_time(read_one, frames):
    assert read_one("upbit", frames["upbit"]["trade"]) == Trade(
        exchange="upbit",
        symbol="KRW-BTC",
        base="BTC",
        quote="KRW",
        trade_id="17883351803770004",
        price="106691000",
        quantity="0.00009370",
        side="sell",
        traded_at_us=1788335180377000,
        received_at_us=7,
    )


def test_short_names_mean_the_same(read_one, frames):
    trade = read_one("upbit", frames["upbit"]["short trade"])
    assert (trade.symbol, trade.price, trade.quantity, trade.side) == ("KRW-IQ", "41.2", "0.00079276", "buy")
    assert (trade.trade_id, trade.traded_at_us) == ("1617646620000000", 1617646620000000)


@pytest.mark.parametrize("kind", ["trade", "ticker", "orderbook", "short trade", "short ticker", "short orderbook"])
def test_key_order_spaces_and_text_frames_change_nothing(read_one, frames, kind):
    frame = frames["upbit"][kind]
    fields = msgspec.json.decode(frame, type=dict[str, msgspec.Raw])
    turned = "{ " + ", ".join(f'"{name}" : {bytes(fields[name]).decode()}' for name in reversed(fields)) + " }"
    assert read_one("upbit", turned) == read_one("upbit", frame.decode()) == read_one("upbit", frame)


def test_a_ticker(read_one, frames):
    assert read_one("upbit", frames["upbit"]["ticker"]) == Ticker(
        exchange="upbit",
        symbol="KRW-BTC",
        base="BTC",
        quote="KRW",
        price="113.2",
        window="utc_day",
        open="108.9",
        high="114.8",
        low="107.8",
        volume_24h="175084721.83636555",
        turnover_24h="19431492753.813377",
        event_at_us=1752472006666000,
        received_at_us=7,
    )


def test_a_book_is_cut_and_padding_is_dropped(read_one, frames):
    book = read_one("upbit", frames["upbit"]["orderbook"])
    assert isinstance(book, OrderBook)
    assert book.bids == [("100", "1.5"), ("99", "0.25")]
    assert book.asks == [("101", "0.10"), ("102", "2"), ("103", "3")]
    assert (book.event_at_us, book.sequence) == (1788335180423000, None)
    assert read_one("upbit", frames["upbit"]["orderbook"], levels=1).asks == [("101", "0.10")]
    assert read_one("upbit", frames["upbit"]["short orderbook"]).bids == []


def test_list_formats_hold_any_number_of_events(make_adapter, frames):
    adapter = make_adapter("upbit")
    for kinds in (["trade", "ticker", "orderbook"], ["short trade", "short orderbook"], []):
        frame = b"[" + b",".join(frames["upbit"][kind] for kind in kinds) + b"]"
        alone = [adapter.parse(frames["upbit"][kind], 7)[0] for kind in kinds]
        assert adapter.parse(frame, 7) == adapter.parse(frame.decode(), 7) == alone


def test_microseconds_of_august_2023_give_the_time_of_rest(read_one, frames):
    frame = frames["upbit"]["trade"].replace(b'"trade_timestamp":1788335180377', b'"trade_timestamp":1788335180377123')
    assert read_one("upbit", frame).traded_at_us == 1788335180377000


def test_quoted_numbers_are_numbers(read_one, frames):
    frame = frames["upbit"]["trade"].replace(b"0.00009370", b'"0.00009370"')
    assert read_one("upbit", frame).quantity == "0.00009370"


@pytest.mark.parametrize(
    "frame",
    [
        b'{"status":"UP"}',
        b'{"method":"LIST_SUBSCRIPTIONS","result":[{"type":"ticker","codes":["KRW-BTC"]}],"ticket":"t"}',
        b'{"mthd":"LIST_SUBSCRIPTIONS","rslt":[{"ty":"ticker","cds":["KRW-BTC"]}],"tckt":"t"}',
    ],
)
def test_signs_of_life_are_no_data(make_adapter, frame):
    assert make_adapter("upbit").parse(frame, 7) == Alive()


@pytest.mark.parametrize(
    ("frame", "permanent"),
    [
        ('{"error":{"name":"NO_TICKET","message":"티켓이 존재하지 않습니다."}}', True),
        ('{"error":{"message":"nope 은 지원하지 않는 타입입니다.","name":"INVALID_PARAM"}}', True),
        ('{"error":{"name":500,"message":"later"}}', False),
    ],
)
def test_errors_of_the_exchange(make_adapter, frame, permanent):
    with pytest.raises(ExchangeError) as raised:
        make_adapter("upbit").parse(frame.encode(), 7)
    assert raised.value.permanent is permanent


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"KRW-BTC", b"KRW-DOGE"),
        (b'"ASK"', b'"BOTH"'),
        (b"1.06691E8", b"0"),
        (b"1.06691E8", b"-1"),
        (b"1.06691E8", b"1e99999999"),
        (b"1.06691E8", b"null"),
        (b"1.06691E8", b"[1]"),
        (b"1.06691E8", b'"\xff"'),
        (b"1.06691E8", b"1" + b"0" * 38),
        (b"0.00009370", b"0.0000000000000000001"),
        (b"17883351803770004", b"17883351803770004.0"),
        (b"17883351803770004", b"1e16"),
        (b"17883351803770004", b"9223372036854775808"),
        (b"17883351803770004", b"-1"),
        (b"1788335180377,", b"1e99999999,"),
        (b"1788335180377,", b"9000000000001,"),
        (b'"type":"trade"', b'"type":"candle.1m"'),
        (b'"code":"KRW-BTC",', b""),
        (b'"change":"FALL"', b'"change":' + b"[" * 100_000),
    ],
)
def test_a_trade_with_one_fault_is_refused(make_adapter, frames, old, new):
    frame = frames["upbit"]["trade"]
    assert old in frame
    with pytest.raises(InvalidFrame):
        make_adapter("upbit").parse(frame.replace(old, new), 7)


def test_one_request_asks_for_everything(make_adapter):
    streams = [Stream("trade", "KRW-BTC"), Stream("orderbook", "KRW-BTC"), Stream("trade", "KRW-IQ")]
    request = make_adapter("upbit", levels=6).subscribe(streams, "t")
    assert [json.loads(message) for message in request.messages] == [
        [
            {"ticket": "t"},
            {"type": "trade", "codes": ["KRW-BTC", "KRW-IQ"]},
            {"type": "orderbook", "codes": ["KRW-BTC.15"]},
            {"format": "DEFAULT"},
        ]
    ]
    assert not request.acknowledged_ids


def test_new_fields_are_found(make_adapter, frames):
    adapter = make_adapter("upbit")
    assert not any(adapter.unknown_fields(frame) for frame in frames["upbit"].values())
    news = frames["upbit"]["trade"].replace(b'"change"', b'"mood"', 1)
    assert adapter.unknown_fields(news) == {"trade": {"mood"}}
    assert adapter.unknown_fields(b"[1]") == adapter.unknown_fields(b"\xff") == {}
