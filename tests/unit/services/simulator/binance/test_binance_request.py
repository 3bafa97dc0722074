import json

import pytest

from services.simulator.binance.request import Refused, Request, key_of, read_request


def test_a_subscription() -> None:
    assert read_request('{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":7}') == Request(
        "SUBSCRIBE", ["btcusdt@trade"], 7
    )


@pytest.mark.parametrize(
    ("text", "code", "request_id"),
    [
        ("not json", 3, None),
        ("[]", 2, None),
        ('{"method":"NOPE","id":1}', 2, 1),
        ('{"method":"SUBSCRIBE","id":2}', 2, 2),
        ('{"method":"SUBSCRIBE","params":["btcusdt"],"id":2}', 2, 2),
        ('{"method":"SUBSCRIBE","params":["a@b"],"id":1.5}', 2, None),
        ('{"method":"GET_PROPERTY","params":["x"],"id":3}', 0, 3),
        ('{"method":"SET_PROPERTY","params":["combined",1],"id":4}', 1, 4),
    ],
)
def test_errors_are_nested_and_carry_the_id(text: str, code: int, request_id: int | None) -> None:
    with pytest.raises(Refused) as refused:
        read_request(text)
    body = json.loads(refused.value.body())
    assert body["error"]["code"] == code
    assert body["error"]["msg"]
    assert body["id"] == request_id


@pytest.mark.parametrize(
    ("stream", "key"),
    [
        ("btcusdt@trade", ("binance", "trade", "BTCUSDT")),
        ("btcusdt@aggTrade", ("binance_agg", "trade", "BTCUSDT")),
        ("btcusdt@ticker", ("binance", "ticker", "BTCUSDT")),
        ("btcusdt@depth5", ("binance", "orderbook", "BTCUSDT")),
        ("btcusdt@depth20@100ms", ("binance", "orderbook", "BTCUSDT")),
        ("btcusdt@kline_1m", ("binance", "kline_1m", "BTCUSDT")),
        ("btcusdt@depth7", None),
        ("btcusdt@depth@100ms", None),
        ("BTCUSDT@trade", None),
        ("btcusdt@nope", None),
        ("btcusdt", None),
    ],
)
def test_what_a_stream_stands_for(stream: str, key: tuple[str, str, str] | None) -> None:
    assert key_of(stream) == key
