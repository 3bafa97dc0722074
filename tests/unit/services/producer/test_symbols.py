from decimal import Decimal

import pytest

from services.producer.catalogue import Market
from services.producer.symbols import (
    Code,
    Lists,
    Paired,
    Quote,
    Top,
    choose,
    needs_other_exchange,
    needs_turnovers,
    read_selectors,
)
from shared.errors import WrongUse

KEY = "TAPEWATCH_UPBIT__SYMBOLS"
LISTS = Lists(
    [
        Market("KRW-BTC", "BTC", "KRW"),
        Market("KRW-ETH", "ETH", "KRW"),
        Market("KRW-XRP", "XRP", "KRW"),
        Market("KRW-LUNA", "LUNA", "KRW", trading=False),
        Market("BTC-ETH", "ETH", "BTC"),
    ],
    {"KRW-BTC": Decimal(5), "KRW-ETH": Decimal(9), "KRW-LUNA": Decimal(99)},
    frozenset({"ETH", "XRP"}),
)


def _choose(*texts):
    return choose(KEY, "upbit", read_selectors(KEY, texts), LISTS)


def test_the_forms():
    assert read_selectors(KEY, ["KRW-BTC", "quote:krw", "top:5:USDT", "paired:KRW"]) == [
        Code("KRW-BTC"),
        Quote("KRW"),
        Top(5, "USDT"),
        Paired("KRW"),
    ]


def test_what_they_choose():
    assert _choose("BTC-ETH", "KRW-BTC") == ["BTC-ETH", "KRW-BTC"]
    assert _choose("quote:KRW") == ["KRW-ETH", "KRW-BTC", "KRW-XRP"]
    assert _choose("top:1:KRW") == ["KRW-ETH"]
    assert _choose("paired:KRW") == ["KRW-ETH", "KRW-XRP"]
    assert _choose("top:1:KRW", "paired:KRW", "KRW-LUNA") == ["KRW-ETH", "KRW-XRP", "KRW-LUNA"]
    assert _choose() == []


def test_lists_are_asked_for_only_when_needed():
    assert needs_turnovers([Top(1, "KRW")])
    assert not needs_turnovers([Quote("KRW"), Code("X"), Paired("KRW")])
    assert needs_other_exchange([Paired("KRW")])
    assert not needs_other_exchange([Quote("KRW"), Top(1, "KRW")])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("KRW-DOGE", "upbit does not list KRW-DOGE"),
        ("krw-btc", "upbit does not list krw-btc; did you mean KRW-BTC?"),
        ("quote:EUR", "lists nothing"),
        ("watchlist", "watchlist"),
        ("top:0:KRW", "is none of a code"),
        ("top:KRW", "is none of a code"),
        ("best:3", "is none of a code"),
        ("KRW BTC", "is none of a code"),
    ],
)
def test_one_line_says_what_is_wrong(text, says):
    with pytest.raises(WrongUse) as raised:
        _choose(text)
    line = str(raised.value)
    assert line.startswith(KEY + ": ")
    assert says in line
    assert "\n" not in line
