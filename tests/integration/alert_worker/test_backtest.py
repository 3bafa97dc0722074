"""`tapewatch backtest --topic`: what Kafka holds, played as it came in."""

import asyncio
import json
from typing import Any

from msgspec.structs import replace
from typer.testing import CliRunner

from services.cli.main import app
from shared.clock import now_us


async def test_the_trades_topic_is_played(publish, crash, fresh_topics) -> None:
    began_us = now_us() - 30_000_000
    bitcoin = crash(began_us)
    await publish([*bitcoin, *(replace(trade, symbol="KRW-ETH", base="ETH", price="5000000") for trade in bitcoin)])

    async def backtest(*words: str) -> dict[str, Any]:
        environment = {"TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS": fresh_topics.bootstrap_servers}
        done = await asyncio.to_thread(
            CliRunner().invoke, app, ["backtest", "--topic", "--json", *words], env=environment, catch_exceptions=False
        )
        assert done.exit_code == 0, done.output
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    found = await backtest()
    (history,) = found["histories"]
    assert (history["name"], history["symbols"], history["trades"]) == ("tape.trades.v1", 2, 2 * len(bitcoin))
    assert {alert["symbol"] for alert in found["alerts"]} == {"KRW-BTC"}
    assert found["alerts"][0]["state"] == "open"
    alone = await backtest("--symbol", "KRW-ETH", "--since", "1h")
    assert [(one["symbols"], one["trades"]) for one in alone["histories"]] == [(1, len(bitcoin))]
    assert alone["alerts"] == []
    assert (await backtest("--since", "2999-01-01T00:00"))["histories"][0]["trades"] == 0
