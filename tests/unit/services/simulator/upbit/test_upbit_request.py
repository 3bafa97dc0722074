import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.simulator.upbit.request import ListSubscriptions, Refused, Subscribe, Wanted, read_request

TICKET = {"ticket": "t"}


def read(*parts: Any) -> Subscribe:
    request = read_request(json.dumps(parts))
    assert isinstance(request, Subscribe)
    return request


def test_types_codes_levels_and_format_anywhere() -> None:
    request = read(
        TICKET,
        {"format": "SIMPLE"},
        {"type": "trade", "codes": ["KRW-BTC"]},
        {"type": "orderbook", "codes": ["KRW-BTC.5", "KRW-ETH.7", "KRW-XRP"]},
    )
    assert request.format == "SIMPLE"
    assert request.wanted == [
        Wanted("trade", "KRW-BTC", 30),
        Wanted("orderbook", "KRW-BTC", 5),
        Wanted("orderbook", "KRW-ETH", 30),
        Wanted("orderbook", "KRW-XRP", 30),
    ]


@pytest.mark.parametrize("flag", ["is_only_realtime", "isOnlyRealtime"])
def test_both_spellings_of_only_realtime(flag: str) -> None:
    assert read(TICKET, {"type": "trade", "codes": ["A"], flag: True}).wanted == [Wanted("trade", "A", snapshot=False)]


@pytest.mark.parametrize("flag", ["is_only_snapshot", "isOnlySnapshot"])
def test_both_spellings_of_only_snapshot(flag: str) -> None:
    assert read(TICKET, {"type": "trade", "codes": ["A"], flag: True}).wanted == [Wanted("trade", "A", realtime=False)]


def test_a_grouping_level_gives_nothing_and_no_error() -> None:
    assert read(TICKET, {"type": "orderbook", "codes": ["BTC-ETH"], "level": 10_000}).wanted == []


def test_the_question_for_subscriptions() -> None:
    assert read_request('[{"ticket":"q"},{"method":"LIST_SUBSCRIPTIONS"}]') == ListSubscriptions("q", None)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("hello", "WRONG_FORMAT"),
        ('{"ticket":"t"}', "WRONG_FORMAT"),
        ("[1]", "WRONG_FORMAT"),
        ("[" * 5_000, "WRONG_FORMAT"),
        ("[]", "NO_TICKET"),
        ('[{"type":"trade","codes":["A"]}]', "NO_TICKET"),
        ('[{"ticket":"t"}]', "NO_TYPE"),
        ('[{"ticket":"t"},{"codes":["A"]}]', "NO_TYPE"),
        ('[{"ticket":"t"},{"type":"trade"}]', "NO_CODES"),
        ('[{"ticket":"t"},{"type":"nope","codes":["A"]}]', "INVALID_PARAM"),
        ('[{"ticket":"t"},{"type":"trade","codes":["A"]},{"format":"XML"}]', "INVALID_PARAM"),
    ],
)
def test_what_upbit_refuses(text: str, name: str) -> None:
    with pytest.raises(Refused) as refused:
        read_request(text)
    error = json.loads(refused.value.body())["error"]
    assert error["name"] == name
    assert error["message"]


@given(st.text(max_size=200))
def test_any_text_is_a_request_or_refused(text: str) -> None:
    with pytest.raises(Refused):
        read_request("x" + text)
