"""The fields that the exchanges document, by channel: any other one is news, and people are told."""

from shared.events import Channel


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


UPBIT_FIELDS: dict[Channel, frozenset[str]] = {
    "trade": _words(
        "type code trade_price trade_volume ask_bid prev_closing_price change change_price trade_date trade_time"
        " trade_timestamp timestamp sequential_id best_ask_price best_ask_size best_bid_price best_bid_size stream_type"
        " ty cd tp tv ab pcp c cp td ttm ttms tms sid bap bas bbp bbs st"
    ),
    "ticker": _words(
        "type code opening_price high_price low_price trade_price prev_closing_price change change_price"
        " signed_change_price change_rate signed_change_rate trade_volume acc_trade_volume acc_trade_volume_24h"
        " acc_trade_price acc_trade_price_24h trade_date trade_time trade_timestamp ask_bid acc_ask_volume"
        " acc_bid_volume highest_52_week_price highest_52_week_date lowest_52_week_price lowest_52_week_date"
        " market_state is_trading_suspended market_warning delisting_date timestamp stream_type"
        " ty cd op hp lp tp pcp c cp scp cr scr tv atv atv24h atp atp24h tdt ttm ttms ab aav abv h52wp h52wdt"
        " l52wp l52wdt ms its mw dd tms st"
    ),
    "orderbook": _words(
        "type code timestamp total_ask_size total_bid_size orderbook_units level stream_type"
        " ty cd tms tas tbs obu lv st"
    ),
}

BINANCE_FIELDS: dict[Channel, frozenset[str]] = {
    "trade": _words("e E s t p q b a T m M f l"),
    "ticker": _words("e E s p P w x c Q b B a A o h l v q O C F L n"),
    "orderbook": _words("lastUpdateId bids asks"),
}
