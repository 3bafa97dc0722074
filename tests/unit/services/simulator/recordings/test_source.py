"""A recording whose market left its list goes on without it."""

from services.simulator.publication import Key, Publication
from services.simulator.recordings.files import Recording
from services.simulator.recordings.frames import Frame
from services.simulator.recordings.source import RecordedSource
from services.simulator.rows import TradeRow


class Voice:
    """Hears everything."""

    def __init__(self) -> None:
        self.keys: list[Key] = []

    def publish(self, publication: Publication) -> None:
        self.keys.append(publication.key)

    def say(self, publication: Publication) -> None:
        raise AssertionError

    def hears(self, key: Key) -> bool:
        return True


def frame(key: Key, number: int) -> Frame:
    return Frame(key, b"{}", "", float(number), number, TradeRow(number, "1", "1", True, number))


def test_frames_of_a_market_that_rests_are_left_out_under_every_name() -> None:
    keys = [("binance", "trade", "BTCUSDT"), ("binance_agg", "trade", "BTCUSDT"), ("upbit", "trade", "KRW-BTC")]
    source = RecordedSource(Recording([frame(key, number) for number, key in enumerate([*keys, *keys])]))
    source.set_open("binance", "BTCUSDT", is_open=False)
    voice = Voice()
    for _ in range(4):
        source.tell(voice)
    source.set_open("binance", "BTCUSDT", is_open=True)
    source.tell(voice)
    source.tell(voice)
    assert voice.keys == [keys[2], keys[1], keys[2]]
    assert not source.trades("binance", "BTCUSDT")
    assert [row.trade_id for row in source.trades("upbit", "KRW-BTC")] == [2, 5]
