"""What the simulated exchanges list: names, price scales and tick sizes that look like the real ones."""

from dataclasses import dataclass

KRW_PER_USDT = 1409
UPBIT_QUANTITY_SCALE = 8
BINANCE_WIRE_SCALE = 8


@dataclass(frozen=True, slots=True, eq=False)
class Instrument:
    """One market of one exchange. Prices are integers of 10**-price_scale, quantities of 10**-quantity_scale.

    `anchor` is the quiet market's middle price and a multiple of `tick`. `rank` is 0 for the busiest.
    """

    exchange: str
    symbol: str
    base: str
    quote: str
    korean_name: str
    english_name: str
    anchor: int
    price_scale: int
    tick: int
    quantity_scale: int
    rank: int


_DAY_TURNOVER = {"KRW": 400_000_000_000, "USDT": 300_000_000}  # of the busiest, before the market opens


def usual_day_volume(instrument: Instrument) -> int:
    """What is traded of it in a day before the market opens, in its units."""
    turnover = _DAY_TURNOVER[instrument.quote] // (instrument.rank + 1)
    return int(turnover * 10 ** (instrument.price_scale + instrument.quantity_scale) // instrument.anchor)


_Coin = tuple[str, str, str, str, str]
# base, Korean name, English name, price and tick in KRW. A tick is at most a thousandth of the price, so that the
# bounce between bid and ask of a quiet market stays far below what counts as a move.
_COINS: tuple[_Coin, ...] = (
    ("BTC", "비트코인", "Bitcoin", "93421000", "1000"),
    ("ETH", "이더리움", "Ethereum", "3312000", "1000"),
    ("XRP", "엑스알피(리플)", "XRP", "812.4", "0.1"),
    ("SOL", "솔라나", "Solana", "214500", "50"),
    ("DOGE", "도지코인", "Dogecoin", "171.3", "0.1"),
    ("ADA", "에이다", "Cardano", "561.2", "0.1"),
    ("SHIB", "시바이누", "Shiba Inu", "0.02473", "0.00001"),
    ("AVAX", "아발란체", "Avalanche", "38450", "10"),
    ("LINK", "체인링크", "Chainlink", "19860", "10"),
    ("TRX", "트론", "TRON", "189.4", "0.1"),
    ("DOT", "폴카닷", "Polkadot", "7215", "5"),
    ("BCH", "비트코인캐시", "Bitcoin Cash", "512500", "100"),
    ("ETC", "이더리움클래식", "Ethereum Classic", "28730", "10"),
    ("XLM", "스텔라루멘", "Stellar Lumens", "151.2", "0.1"),
    ("SUI", "수이", "Sui", "2671", "1"),
    ("APT", "앱토스", "Aptos", "12240", "10"),
    ("NEAR", "니어프로토콜", "NEAR Protocol", "6905", "5"),
    ("ATOM", "코스모스", "Cosmos", "8310", "5"),
    ("HBAR", "헤데라", "Hedera", "98.41", "0.01"),
    ("PEPE", "페페", "Pepe", "0.01412", "0.00001"),
    ("SAND", "샌드박스", "The Sandbox", "512.3", "0.1"),
    ("MANA", "디센트럴랜드", "Decentraland", "561.4", "0.1"),
    ("CHZ", "칠리즈", "Chiliz", "91.22", "0.01"),
    ("AXS", "엑시인피니티", "Axie Infinity", "8120", "5"),
    ("STX", "스택스", "Stacks", "2512", "1"),
    ("IMX", "이뮤터블엑스", "Immutable X", "2231", "1"),
    ("GRT", "더그래프", "The Graph", "262.1", "0.1"),
    ("ALGO", "알고랜드", "Algorand", "182.3", "0.1"),
    ("VET", "비체인", "VeChain", "34.51", "0.01"),
    ("AAVE", "에이브", "Aave", "198750", "50"),
    ("EGLD", "멀티버스엑스", "MultiversX", "41230", "10"),
    ("XTZ", "테조스", "Tezos", "1412", "1"),
    ("FLOW", "플로우", "Flow", "912.4", "0.1"),
    ("NEO", "네오", "NEO", "15640", "10"),
    ("QTUM", "퀀텀", "Qtum", "4212", "1"),
    ("ICX", "아이콘", "ICON", "214.5", "0.1"),
    ("ZIL", "질리카", "Zilliqa", "24.61", "0.01"),
    ("ANKR", "앵커", "Ankr", "41.72", "0.01"),
    ("SEI", "세이", "Sei", "612.7", "0.1"),
    ("ARB", "아비트럼", "Arbitrum", "1221", "1"),
)
MAX_COINS = 1_500


def listing(coins: int) -> list[Instrument]:
    """List `coins` coins on both exchanges, busiest first. Raises ValueError outside 1 to MAX_COINS."""
    if not 1 <= coins <= MAX_COINS:
        raise ValueError(f"between 1 and {MAX_COINS}, not {coins}")
    rows = [*_COINS[:coins], *(_invented(number) for number in range(len(_COINS), coins))]
    return [one for rank, row in enumerate(rows) for one in (_on_upbit(rank, row), _on_binance(rank, row))]


def _invented(number: int) -> _Coin:
    return (f"SIM{number:03d}", f"가상코인{number}", f"Simulated {number}", str(2_000 + number * 7), "1")


def _on_upbit(rank: int, coin: _Coin) -> Instrument:
    base, korean, english, price, tick = coin
    scale = _scale(tick)
    return Instrument(
        exchange="upbit",
        symbol=f"KRW-{base}",
        base=base,
        quote="KRW",
        korean_name=korean,
        english_name=english,
        anchor=_units(price, scale),
        price_scale=scale,
        tick=_units(tick, scale),
        quantity_scale=UPBIT_QUANTITY_SCALE,
        rank=rank,
    )


def _on_binance(rank: int, coin: _Coin) -> Instrument:
    base, korean, english, price, tick = coin
    krw, krw_scale = _units(price, _scale(tick)), _scale(tick)
    scale = 2
    while scale < BINANCE_WIRE_SCALE and _in_usdt(krw, krw_scale, scale) < 100_000:
        scale += 1
    return Instrument(
        exchange="binance",
        symbol=f"{base}USDT",
        base=base,
        quote="USDT",
        korean_name=korean,
        english_name=english,
        anchor=_in_usdt(krw, krw_scale, scale),
        price_scale=scale,
        tick=1,
        quantity_scale=_lot_scale(krw, krw_scale),
        rank=rank,
    )


def _in_usdt(krw_units: int, krw_scale: int, scale: int) -> int:
    return int(krw_units * 10**scale // (KRW_PER_USDT * 10**krw_scale))


def _lot_scale(krw_units: int, krw_scale: int) -> int:
    whole = krw_units // int(10**krw_scale)
    return 5 if whole > 1_000_000 else 3 if whole > 10_000 else 1 if whole > 100 else 0


def _scale(text: str) -> int:
    return len(text.partition(".")[2])


def _units(text: str, scale: int) -> int:
    whole, _, fraction = text.partition(".")
    return int(whole + fraction.ljust(scale, "0"))
