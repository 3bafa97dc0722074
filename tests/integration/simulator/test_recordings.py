"""Recorded frames are sent byte for byte, and their truth is what the frames say."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from services.simulator.app import Simulator, SimulatorOptions
from services.simulator.recordings.files import read_recordings
from shared.errors import WrongUse

pytestmark = pytest.mark.needs_recordings
SETS = {
    "upbit/20210405_simple": ["upbit/20210405_simple_orderbook", "upbit/20210405_simple_trade"],
    "upbit/20250714_default_ticker": ["upbit/20250714_default_ticker_part1"],
    "binance_spot/20210405_10sym": ["binance_spot/20210405_10sym_aggTrade"],
    "binance_spot/20210417_10sym": ["binance_spot/20210417_10sym_aggTrade"],
    "binance_spot/20240808_btcusdt": ["binance_spot/20240808_btcusdt_trade"],
    "binance_spot/20240808_ethusdt": ["binance_spot/20240808_ethusdt_trade"],
}


def recorded(folder: Path, name: str) -> list[dict[str, Any]]:
    with gzip.open(folder / "ws" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@pytest.mark.parametrize("prefix", SETS)
def test_every_frame_of_the_played_channels_is_there_and_no_other(recordings: Path, prefix: str) -> None:
    stats = json.loads((recordings / "stats.json").read_text())["ws"]
    recording = read_recordings((recordings / "ws" / prefix,))
    assert len(recording.frames) == sum(stats[f"ws/{name}.jsonl.gz"]["frames"] for name in SETS[prefix])
    sent = sorted(row["frame"] for name in SETS[prefix] for row in recorded(recordings, name))
    assert sorted(frame.data.decode() for frame in recording.frames) == sent
    assert [frame.due_s for frame in recording.frames] == sorted(frame.due_s for frame in recording.frames)


def test_what_is_not_played_is_named(recordings: Path) -> None:
    recording = read_recordings((recordings / "ws" / "binance_spot/20240808_btcusdt",))
    assert recording.skipped == {"binance bookTicker": 28_040, "binance depth_100ms": 3_451}


@pytest.mark.parametrize(
    ("prefix", "says"),
    [
        ("binance_usdm/20240808_btcusdt", "futures"),
        ("bithumb_legacy/20210601", "Bithumb"),
        ("upbit/nothing", "no file begins like this"),
        ("binance_spot/20210417_10sym_kline", "nothing in"),
    ],
)
def test_what_cannot_be_played_is_refused_in_one_line(recordings: Path, prefix: str, says: str) -> None:
    with pytest.raises(WrongUse, match=says) as refused:
        read_recordings((recordings / "ws" / prefix,))
    assert "\n" not in str(refused.value)


async def test_upbit_frames_arrive_byte_for_byte(simulate: Any, recordings: Path) -> None:
    running = await simulate(recordings=(recordings / "ws" / "upbit/20210405_simple",), speed=200.0, expect=16)
    markets = await running.get(running.url["upbit_rest_url"] + "/market/all")
    codes = [row["market"] for row in markets]
    expected = recorded(recordings, SETS["upbit/20210405_simple"][0]) + recorded(
        recordings, SETS["upbit/20210405_simple"][1]
    )
    expected.sort(key=lambda row: row["seq"])
    async with connect(running.url["upbit_websocket_url"]) as client:
        types = [{"type": name, "codes": codes} for name in ("trade", "orderbook")]
        await client.send(json.dumps([{"ticket": "t"}, *types, {"format": "DEFAULT"}]))
        found = [await client.recv() for _ in expected]
    assert found == [row["frame"].encode() for row in expected]
    truth = await running.stop()
    assert len(truth) == len(expected)
    assert {line["heard"] for line in truth} == {1}
    assert not any("E" in str(line.get("price")) for line in truth)


async def test_binance_frames_arrive_byte_for_byte(simulate: Any, recordings: Path) -> None:
    sets = ("binance_spot/20240808_btcusdt", "binance_spot/20240808_ethusdt")
    running = await simulate(recordings=tuple(recordings / "ws" / name for name in sets), speed=400.0, expect=2)
    count = 5_000
    async with connect(running.url["binance_websocket_url"] + "/stream?streams=btcusdt@trade/ethusdt@trade") as client:
        found = [await client.recv() for _ in range(count)]
        client.transport.abort()  # a close would wait for a queue that nobody reads any more
    for name in sets:
        frames = [row["frame"] for row in recorded(recordings, SETS[name][0])]
        symbol = name.rpartition("_")[2]
        mine = [frame for frame in found if frame.startswith(f'{{"stream":"{symbol}@')]
        assert mine == frames[: len(mine)]
        assert len(mine) > 500


def test_the_exchange_lists_what_the_recording_holds(recordings: Path) -> None:
    simulator = Simulator(SimulatorOptions(recordings=(recordings / "ws" / "binance_spot/20210405_10sym",)))
    keys = {feed.key for feed in simulator.hub.feeds()}
    assert {key[0] for key in keys} == {"binance_agg"}
    assert len(keys) == 8
