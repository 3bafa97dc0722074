"""Good frames as the exchanges document them, and adapters that are subscribed to their symbols."""

from services.producer.exchanges import ADAPTERS
from services.producer.exchanges.base import AdapterOptions, ExchangeAdapter, Listing

LISTINGS = {
    "upbit": {
        "KRW-BTC": Listing("KRW-BTC", "BTC", "KRW"),
        "BTC-ETH": Listing("BTC-ETH", "ETH", "BTC"),
        "KRW-IQ": Listing("KRW-IQ", "IQ", "KRW"),
    },
    "binance": {
        "BTCUSDT": Listing("BTCUSDT", "BTC", "USDT"),
        "币安人生USDT": Listing("币安人生USDT", "币安人生", "USDT"),
    },
}

UPBIT_FRAMES = {
    "trade": b'{"type":"trade","code":"KRW-BTC","timestamp":1788335180423,"trade_date":"2026-09-02","trade_time":'
    b'"07:46","trade_timestamp":1788335180377,"trade_price":1.06691E8,"trade_volume":0.00009370,"ask_bid":"ASK",'
    b'"prev_closing_price":107005000.00000000,"change":"FALL","change_price":314000.00000000,"sequential_id":'
    b'17883351803770004,"best_ask_price":106705000,"best_ask_size":0.00906333,"best_bid_price":106691000,'
    b'"best_bid_size":0.00702247,"stream_type":"SNAPSHOT"}',
    "short trade": b'{"ty":"trade","cd":"KRW-IQ","tms":1617646621082,"td":"2021-04-05","ttm":"18:17","ttms":'
    b'1617646620000,"tp":41.2,"tv":7.9276E-4,"ab":"BID","pcp":43.20000000,"c":"FALL","cp":2.00000000,"sid":'
    b'1617646620000000,"st":"REALTIME"}',
    "ticker": b'{"type": "ticker", "code": "KRW-BTC", "opening_price": 108.9, "high_price": 114.8, "low_price": 107.8,'
    b' "trade_price": 1.132E2, "prev_closing_price": 108.8, "acc_trade_price": 4596871205.797009, "change": "RISE",'
    b' "trade_volume": 176.67, "acc_trade_volume": 41033103.09010058, "trade_timestamp": 1752471975870,'
    b' "delisting_date": null, "timestamp": 1752472006666, "acc_trade_price_24h": 19431492753.813377,'
    b' "acc_trade_volume_24h": 175084721.83636555, "stream_type": "REALTIME"}',
    "short ticker": b'{"ty":"ticker","cd":"KRW-BTC","op":1,"hp":3,"lp":0.5,"tp":2,"atv24h":10,"atp24h":0,"tms":5}',
    "orderbook": b'{"type":"orderbook","code":"KRW-BTC","timestamp":1788335180423,"total_ask_size":1,"total_bid_size":'
    b'2,"orderbook_units":[{"ask_price":101,"bid_price":1E+2,"ask_size":0.10,"bid_size":1.5},{"ask_price":102,'
    b'"bid_price":99,"ask_size":2,"bid_size":0.25},{"ask_price":103,"bid_price":0,"ask_size":3,"bid_size":0}],'
    b'"level":0,"stream_type":"REALTIME"}',
    "short orderbook": b'{"ty":"orderbook","cd":"KRW-IQ","tms":1617646620673,"tas":38.1,"tbs":12.1,"obu":[{"ap":41.4,'
    b'"bp":41.2,"as":9354.4,"bs":0E-8}],"st":"REALTIME"}',
}
BINANCE_FRAMES = {
    "trade": b'{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":3735683259,"p":'
    b'"61837.63000000","q":"0.02000000","T":1723161255342,"m":true,"M":true}}',
    "bare trade": b'{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":1,"p":"0.00000100","q":"9","T":1,"m":false}',
    "aggTrade": b'{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1617647603484,"s":"BTCUSDT","a":18938405,'
    b'"p":"0.21448000","q":"2062.90000000","f":23806928,"l":23806929,"T":1617647603483,"m":false,"M":true}}',
    "ticker": b'{"stream":"btcusdt@ticker","data":{"e":"24hrTicker","E":1672515782136,"s":"BTCUSDT","p":"-0.0015","P":'
    b'"-250.00","w":"0.0018","x":"0.0009","c":"0.0025","Q":"10","b":"0.0024","B":"10","a":"0.0026","A":"100","o":'
    b'"0.0010","h":"0.0025","l":"0.0010","v":"10000","q":"18","O":0,"C":86400000,"F":0,"L":18150,"n":18151}}',
    "depth": b'{"stream":"btcusdt@depth5@100ms","data":{"lastUpdateId":160,"bids":[["0.0024","10"],["0.0022","5"]],'
    b'"asks":[["0.0026","100"],["0.0028","0.00000000"]]}}',
}
FRAMES = {"upbit": UPBIT_FRAMES, "binance": BINANCE_FRAMES}


def adapter(exchange: str, levels: int = 5, trade_stream: str = "trade") -> ExchangeAdapter:
    """An adapter that knows the symbols of these frames."""
    options = AdapterOptions("ws://127.0.0.1:1", LISTINGS[exchange], levels, trade_stream)
    return ADAPTERS[exchange](options)
