"""The reconciliation against real stores: sound ones pass, and each fault that is put into one is told."""

import asyncio
import json
from typing import Any

import pytest
from typer.testing import CliRunner

from services.cli.main import app
from services.reconcile.report import Report
from shared.errors import TapewatchError
from shared.events import Trade
from shared.topics import TRADES

Run = Any
STREAM = "trades:upbit:KRW-BTC"


async def test_a_sound_run_passes_and_each_fault_in_redis_is_told(run: Run) -> None:
    report = await run.report()
    assert_sound(report)
    for channel, field in (("ticker", "low"), ("orderbook", "asks")):
        await assert_newest_state_is_checked(run, channel, field)
    entries = await run.redis.xrevrange(STREAM, count=3)
    entry_id, fields = entries[1]
    await run.redis.xdel(STREAM, entry_id)
    assert (await run.report()).faults == ["redis.trade.lost = 1"]
    await run.redis.xadd(STREAM, fields)
    assert (await run.report()).faults == ["redis.trade.out_of_order = 1"]
    await run.redis.xadd(STREAM, fields)
    assert "redis.trade.duplicated = 1" in (await run.report()).faults
    await run.redis.xadd(STREAM, entries[0][1] | {"price": "1"})
    assert "redis.trade.wrong = 1" in (await run.report()).faults


def assert_sound(report: Report) -> None:
    assert report.faults == []
    assert report.ok
    assert report.published == {"trade": 120, "ticker": 120, "orderbook": 120}
    assert report.kafka["trade"]["found"] == report.postgres["trade"]["found"] == 120
    assert 40 <= report.redis["trade"]["expected"] == report.redis["trade"]["found"] <= 120
    assert report.redis["ticker"] == report.redis["orderbook"] == {"expected": 2, "stale": 0, "wrong": 0}
    assert report.postgres["candle_1m"] == {"expected": 2, "wrong": 0}
    for sink in ("redis", "postgres"):
        assert 0 < report.latency_ms[sink]["p50"] <= report.latency_ms[sink]["max"]


async def assert_newest_state_is_checked(run: Run, channel: str, field: str) -> None:
    key = f"{channel}:binance:ETHUSDT"
    held = await run.redis.hgetall(key)
    await run.redis.hset(key, field, held[field].replace("1", "2", 1))
    assert (await run.report()).faults == [f"redis.{channel}.wrong = 1"]
    await run.redis.delete(key)
    assert (await run.report()).faults == [f"redis.{channel}.wrong = 1"]
    await run.redis.hset(key, mapping={"nothing": "of ours"})
    assert (await run.report()).faults == [f"redis.{channel}.wrong = 1"]
    await run.redis.hset(key, mapping=held)


async def test_each_fault_in_postgres_is_told(run: Run) -> None:
    for fault, told in FAULTS_IN_POSTGRES.items():
        assert (await run.report_after(fault)).faults == [told], fault


FAULTS_IN_POSTGRES = {
    "DELETE FROM trade WHERE trade_id = 1003 AND instrument_id = 1": "postgres.trade.lost = 1",
    "UPDATE trade SET price = price + 0.01 WHERE trade_id = 1003 AND instrument_id = 1": "postgres.trade.wrong = 1",
    "UPDATE trade SET quantity = 0.000123001 WHERE trade_id = 1003": "postgres.trade.wrong = 2",
    "UPDATE trade SET side = 'sell' WHERE trade_id = 1003": "postgres.trade.wrong = 2",
    "UPDATE trade SET received_at = received_at + interval '1 us'": "postgres.trade.wrong = 120",
    "UPDATE candle_1m SET volume = volume + 0.00000001": "postgres.candle_1m.wrong = 2",
    "UPDATE candle_1m SET trades = trades - 1 WHERE instrument_id = 1": "postgres.candle_1m.wrong = 1",
    "DELETE FROM candle_1m WHERE instrument_id = 1": "postgres.candle_1m.wrong = 1",
    "DROP INDEX trade_20260101_key; INSERT INTO trade SELECT * FROM trade LIMIT 2": "postgres.trade.duplicated = 2",
}
GAP = (
    "INSERT INTO gap (gap_id, exchange, channel, symbols, from_at, to_at, reason, noticed_at)"
    " VALUES ('one', 'upbit', 'trade', '{KRW-BTC}', '2026-01-01Z', '2026-01-01 00:00:01Z', 'a test', now())"
)


async def test_what_kafka_lacks_is_lost_unless_an_open_gap_explains_it(run: Run) -> None:
    line = run.truth.read_text(encoding="utf-8").splitlines()[0]
    with run.truth.open("a", encoding="utf-8") as file:
        file.write(json.dumps(json.loads(line) | {"trade_id": "5000", "heard": 0}) + "\n")
    faults = (await run.report()).faults
    assert faults[0] == "kafka.trade.lost = 1"
    assert "postgres.trade.lost = 1" in faults
    report = await run.report_after(GAP)
    assert report.faults == []
    assert report.unheard["trade"] == 1
    assert report.gaps == {"open": 1, "closed": 0}
    assert "kafka.trade.lost = 1" in (await run.report_after(GAP, "UPDATE gap SET status = 'closed'")).faults


async def test_what_nobody_published_is_wrong_and_the_command_says_so(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS", run.settings.kafka.bootstrap_servers)
    monkeypatch.setenv("TAPEWATCH_POSTGRES__DSN", run.settings.postgres.dsn.get_secret_value())
    monkeypatch.setenv("TAPEWATCH_REDIS__URL", run.settings.redis.url.get_secret_value())
    monkeypatch.setenv("TAPEWATCH_REDIS__STREAM_CAP", str(run.settings.redis.stream_cap))
    arguments = ["reconcile", "--truth", str(run.truth), "--json"]
    sound = await asyncio.to_thread(CliRunner().invoke, app, arguments)
    assert (sound.exit_code, json.loads(sound.stdout)["ok"]) == (0, True)
    await run.send(INVENTED)
    file = run.truth.with_name("report.json")
    broken = await asyncio.to_thread(CliRunner().invoke, app, [*arguments, "--report", str(file)])
    assert broken.exit_code == 1
    assert json.loads(broken.stdout) == json.loads(file.read_text(encoding="utf-8"))
    assert json.loads(broken.stdout)["faults"] == ["kafka.trade.wrong = 1"]
    await run.producer.send_and_wait("tape.tickers.v1", b"{}")
    assert "kafka.ticker.wrong = 1" in (await run.report()).faults


INVENTED = Trade(
    exchange="upbit",
    symbol="KRW-BTC",
    base="BTC",
    quote="KRW",
    trade_id="77",
    price="1",
    quantity="1",
    side="buy",
    traded_at_us=1_767_225_600_000_000,
    received_at_us=1_767_225_600_000_000,
)


async def test_a_newer_version_of_a_record_is_refused_with_the_remedy(run: Run) -> None:
    await run.producer.send_and_wait(TRADES.name, b"{}", partition=0, headers=[("schema", b"trade/2")])
    with pytest.raises(TapewatchError, match="this program reads trade/1 and found trade/2: upgrade it first"):
        await run.report()
