"""What a newer list changes: told once, and not because of a list that was cut short."""

from msgspec.structs import replace

from services.producer.catalogue import Market
from services.producer.list_watch import LONGEST_S, pause_s
from services.producer.market_list import Changes, MarketList
from services.producer.symbols import read_selectors, takes_new

BTC, ETH, XRP = (Market(f"KRW-{base}", base, "KRW") for base in ("BTC", "ETH", "XRP"))


def test_the_first_list_of_all_is_no_news_and_the_same_again_neither():
    known = MarketList()
    assert known.renew([BTC, ETH], 1) == Changes()
    assert known.renew([ETH, BTC], 2) == Changes()
    assert known.markets == [ETH, BTC]


def test_a_market_that_appears_is_news_once_and_keeps_its_date():
    known = MarketList([BTC])
    dated = replace(ETH, listed_at_us=5)
    assert known.renew([BTC, ETH], 5) == Changes(listed=(dated,))
    assert known.renew([BTC, ETH], 6) == Changes()
    warned = replace(dated, warning=True)
    assert known.renew([BTC, replace(ETH, warning=True)], 7) == Changes(other=(warned,))
    assert MarketList(known.markets).renew([BTC, replace(ETH, warning=True)], 8) == Changes()
    assert known.before_us == 6


def test_a_market_is_gone_when_two_lists_in_a_row_lack_it():
    known = MarketList([BTC, ETH, XRP])
    assert known.renew([BTC], 1) == Changes()
    assert set(known.markets) == {BTC, ETH, XRP}
    assert known.renew([BTC, XRP], 2) == Changes(gone=(ETH,))
    assert known.renew([BTC], 3) == Changes()
    assert known.renew([BTC, ETH], 4) == Changes(listed=(replace(ETH, listed_at_us=4),), gone=(XRP,))


def test_a_flag_that_changed_while_nobody_looked_is_news_and_so_is_trading_no_more():
    known = MarketList([BTC, ETH])
    changed = (replace(BTC, cautions=("PRICE_FLUCTUATIONS",)), replace(ETH, trading=False))
    assert known.renew(changed, 1) == Changes(other=changed)


def test_a_market_whose_spot_side_is_switched_off_is_halted_and_back_later_never_gone_or_listed():
    known = MarketList([BTC, ETH])
    off = replace(ETH, trading=False, spot=False)
    assert known.renew([BTC, off], 1) == Changes(other=(off,))
    assert known.renew([BTC, off], 2) == Changes()
    assert MarketList(known.markets).renew([BTC, off], 3) == Changes()
    assert known.renew([BTC, ETH], 4) == Changes(other=(ETH,))


def test_what_was_never_a_spot_market_is_listed_when_it_becomes_one():
    known = MarketList([BTC])
    margin_only = replace(ETH, trading=False, spot=False)
    assert known.renew([BTC, margin_only], 1) == Changes()
    assert known.renew([BTC, ETH], 2) == Changes(listed=(replace(ETH, listed_at_us=2),))


def test_refusals_make_the_pause_longer_up_to_a_bound():
    pauses = [pause_s(180, refusals, 0) for refusals in range(8)]
    assert pauses[:3] == [180, 360, 720]
    assert pauses[-1] == LONGEST_S
    assert pause_s(180, 0, 0.999) < 200
    assert pause_s(86_400, 9, 0) == 86_400


def test_what_appears_is_read_at_once_where_a_currency_is_asked_for():
    read = read_selectors("KEY", ["KRW-ETH", "top:5:BTC", "quote:KRW", "paired:USDT"])
    assert takes_new(read, BTC, ())
    assert not takes_new(read, replace(BTC, trading=False), ())
    assert not takes_new(read, Market("BTC-ETH", "ETH", "BTC"), ())
    assert takes_new(read, Market("XRPUSDT", "XRP", "USDT"), {"XRP"})
    assert not takes_new(read, Market("XRPUSDT", "XRP", "USDT"), {"ETH"})
