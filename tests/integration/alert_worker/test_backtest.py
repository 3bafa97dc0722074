"""`tapewatch backtest --topic`: what Kafka holds, played as it came in."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from services.cli.main import app
from shared.clock import now_us


@pytest.fixture
def backtest(fresh_topics) -> Callable[..., Awaitable[dict[str, Any]]]:
    async def run(*words: str) -> dict[str, Any]:
        environment = {"TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS": fresh_topics.bootstrap_servers}
        done = await asyncio.to_thread(
            CliRunner().invoke, app, ["backtest", "--topic", "--json", *words], env=environment, catch_exceptions=False
        )
        assert done.exit_code == 0, done.output
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return run


async def test_the_trades_topic_is_played(publish, crash, backtest) -> None:
    began_us = now_us() - 30_000_000
    bitcoin = crash(began_us)
    await publish([*bitcoin, *(replace(trade, symbol="KRW-ETH", base="ETH", price="5000000") for trade in bitcoin)])
    found = await backtest()
    (history,) = found["histories"]
    assert (history["name"], history["symbols"], history["trades"]) == ("tape.trades.v1", 2, 2 * len(bitcoin))
    assert {alert["symbol"] for alert in found["alerts"]} == {"KRW-BTC"}
    assert found["alerts"][0]["state"] == "open"
    alone = await backtest("--symbol", "KRW-ETH", "--since", "1h")
    assert [(one["symbols"], one["trades"]) for one in alone["histories"]] == [(1, len(bitcoin))]
    assert alone["alerts"] == []
    assert (await backtest("--since", "2999-01-01T00:00"))["histories"][0]["trades"] == 0


async def test_what_was_usual_is_known_from_candles_as_a_worker_that_starts_knows_it(
    publish, publish_candles, crash, backtest
) -> None:
    began_us = now_us() - 30_000_000
    await publish(crash(began_us))
    assert (await backtest())["alerts"][0]["kind"] == "move_abs"
    await publish_candles(began_us)
    assert (await backtest("--since", "1h"))["alerts"][0]["kind"] == "move"
