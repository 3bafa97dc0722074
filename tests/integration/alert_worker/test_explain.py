"""`tapewatch explain` over Kafka, where the worker's records say what was told, and over Postgres when it is asked."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from importlib.resources import files

import asyncpg
from msgspec.structs import replace
from typer.testing import CliRunner

from services.cli.main import app
from services.consumer.migrate import migrate
from services.consumer.sinks.postgres_rows import alert_row
from shared.clock import now_us
from shared.events import Alert, Control, Instrument, Notification
from shared.topics import ALERTS, NOTIFICATIONS
from shared.wire import HEADERS_OF_EVENT, encode

WRITE_ALERT = (files("services.consumer.sinks") / "sql" / "write_alert.sql").read_text(encoding="utf-8")

WITHOUT_KAFKA = {"TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1", "TAPEWATCH_START__WAIT_S": "0"}


async def explain(*words: str, **environment: str) -> str:
    done = await asyncio.to_thread(CliRunner().invoke, app, ["explain", *words], env=environment)
    return done.stdout if done.exit_code == 0 else f"{done.exit_code}: {done.exception!r}"


def minute_of(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1e6, UTC).strftime("%Y-%m-%dT%H:%MZ")


async def test_kafka_holds_the_trades_and_the_records_of_what_was_told(
    worker, publish, crash, alerts, notifications, slack, eventually, fresh_topics
) -> None:
    began_us = now_us() - 12_000_000
    await worker.start()
    await publish(crash(began_us))
    await eventually(lambda: any("RESOLVED" in message.text for message in slack.parents))
    assert await worker.stop() == 0
    kafka = {
        "TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS": fresh_topics.bootstrap_servers,
        "TAPEWATCH_POSTGRES__DSN": "postgresql://x@127.0.0.1:1/x",
    }
    found = json.loads(await explain("KRW-BTC", minute_of(began_us + 3_000_000), "--json", **kafka))
    assert found["source"] == "tape.trades.v1"
    assert [alert["alert_id"] for alert in found["alerts"]] == [alert.alert_id for alert in await alerts()]
    assert found["alerts"][0]["told"].startswith("told")
    unknown = await explain("KRW-XRP", minute_of(began_us), **kafka)
    assert "holds no trade" in unknown
    early = await explain("KRW-BTC", "2020-01-01T00:00", **kafka)
    assert "tape.trades.v1: holds what came in from" in early


async def test_a_further_step_of_an_episode_older_than_the_replay_is_shown_as_it_was_told(
    publish, crash, producer, fresh_topics
) -> None:
    began_us = now_us() - 60_000_000
    await publish(crash(began_us))
    step = fall(began_us + 3_000_000, alert_id="old-1", state="escalate", started_at_us=began_us - 40_000 * 1_000_000)
    note = Notification(
        episode_id="old", notifier="slack-bot", stage="sent", alert_id="old-1", alert_ids=["old-1"], at_us=began_us
    )
    await producer.send_and_wait(ALERTS.name, encode(step), b"old", headers=HEADERS_OF_EVENT[Alert])
    await producer.send_and_wait(NOTIFICATIONS.name, encode(note), b"old", headers=HEADERS_OF_EVENT[Notification])
    kafka = {"TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS": fresh_topics.bootstrap_servers}
    found = json.loads(await explain("KRW-BTC", minute_of(began_us + 3_000_000), "--json", **kafka))
    shown = [(one["alert_id"], one["told"]) for one in found["alerts"] if one["state"] != "resolve"]
    assert shown == [("old-1", "told by slack-bot")]


def fall(at_us: int, **changes: object) -> Alert:
    fields: dict[str, object] = {
        "alert_id": "old-open", "episode_id": "old", "state": "open", "kind": "move", "detectors": ["move"],
        "scope": "symbol", "direction": "down", "severity": "danger", "started_at_us": at_us, "decided_at_us": at_us,
        "rule_version": "x", "exchange": "upbit", "symbol": "KRW-BTC", "base": "BTC", "quote": "KRW",
        "event_at_us": at_us, "change_pct": "-4.00",
    }  # fmt: skip
    return Alert(**(fields | changes))  # type: ignore[arg-type]


async def test_what_a_fresh_worker_knew_from_candles_is_known_here_too(
    worker, publish, publish_candles, crash, alerts, slack, eventually, fresh_topics
) -> None:
    began_us = now_us() - 12_000_000
    await publish_candles(began_us)
    await worker.start()
    await publish(crash(began_us))
    await eventually(lambda: any("RESOLVED" in message.text for message in slack.parents))
    assert await worker.stop() == 0
    kafka = {"TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS": fresh_topics.bootstrap_servers}
    found = json.loads(await explain("KRW-BTC", minute_of(began_us + 3_000_000), "--json", **kafka))
    assert [alert["alert_id"] for alert in found["alerts"]] == [alert.alert_id for alert in await alerts()]
    assert found["alerts"][0]["kind"] == "move"
    assert found["minutes"] > 150
    assert found["volume"]["times"] > 0


async def test_a_notice_is_shown_with_its_verdict_though_nobody_traded(
    worker, publish_instruments, wish, alerts, slack, eventually, fresh_topics
) -> None:
    now = now_us()
    bitcoin = Instrument(
        exchange="upbit", symbol="KRW-BTC", base="BTC", quote="KRW", status="trading", updated_at_us=now - 1_000_000
    )
    ether = replace(bitcoin, symbol="KRW-ETH", base="ETH")
    await wish(Control(action="mute", target="KRW-ETH", at_us=now))
    await worker.start()
    await worker.watching()
    await publish_instruments(bitcoin, ether)
    await publish_instruments(replace(ether, status="halted", updated_at_us=now))
    await publish_instruments(replace(bitcoin, warning=True, updated_at_us=now))
    await eventually(lambda: len(slack.parents) == 1)
    assert await worker.stop() == 0
    kafka = {
        "TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS": fresh_topics.bootstrap_servers,
        "TAPEWATCH_POSTGRES__DSN": "postgresql://x@127.0.0.1:1/x",
    }
    told = json.loads(await explain("KRW-BTC", minute_of(now), "--json", **kafka))
    assert [(one["changes"], one["told"][:7]) for one in told["alerts"]] == [(["raised:WARNING"], "told by")]
    assert told["conclusion"][-1] == "the exchange said: now under investment warning"
    held_back = json.loads(await explain("KRW-ETH", minute_of(now), "--json", **kafka))
    assert [(one["changes"], one["told"]) for one in held_back["alerts"]] == [(["halted"], "not told: muted")]
    assert "holds no trade" in await explain("KRW-XRP", minute_of(now), **kafka)


async def test_postgres_holds_what_kafka_no_longer_does(fresh_database) -> None:
    dsn = fresh_database.dsn.get_secret_value()
    await asyncio.to_thread(migrate, fresh_database, 0)
    connection = await asyncpg.connect(dsn)
    began = datetime(2024, 11, 22, 10, 0, tzinfo=UTC)
    try:
        await connection.execute(
            "INSERT INTO instrument (exchange, symbol, base, quote) VALUES ('upbit', 'KRW-BTC', 'BTC', 'KRW')"
        )
        for minute in range(240):
            price = 96_000_000 if minute >= 207 else 100_000_000 + 20_000 * (minute % 3)
            await insert_minute(connection, began + timedelta(minutes=minute), price)
    finally:
        await connection.close()
    environment = {**WITHOUT_KAFKA, "TAPEWATCH_POSTGRES__DSN": dsn}
    found = json.loads(await explain("KRW-BTC", "2024-11-22T22:27", "--json", **environment))
    assert found["source"] == "PostgreSQL (candle_1m)"
    assert [(alert["state"], alert["told"]) for alert in found["alerts"]] == [("open", "would be told")]
    assert "did you mean upbit:KRW-BTC?" in await explain("KRW-BTX", "2024-11-22T22:27", **environment)
    assert "holds upbit:KRW-BTC from 2024-11-22 19:00:00" in await explain("KRW-BTC", "2024-11-25T22:27", **environment)


async def test_postgres_holds_the_alerts_that_kafka_no_longer_does(fresh_database) -> None:
    dsn = fresh_database.dsn.get_secret_value()
    await asyncio.to_thread(migrate, fresh_database, 0)
    at_us = int(datetime(2024, 11, 22, 13, 27, 10, tzinfo=UTC).timestamp()) * 1_000_000
    connection = await asyncpg.connect(dsn)
    try:
        for alert in (fall(at_us), fall(at_us, alert_id="eth-open", symbol="KRW-ETH")):
            await connection.execute(WRITE_ALERT, *alert_row(alert))
    finally:
        await connection.close()
    environment = {**WITHOUT_KAFKA, "TAPEWATCH_POSTGRES__DSN": dsn}
    found = json.loads(await explain("KRW-BTC", "2024-11-22T22:27", "--json", **environment))
    shown = [(one["alert_id"], one["change_pct"], one["event_at_us"], one["told"]) for one in found["alerts"]]
    assert shown == [("old-open", "-4.00", at_us, "recorded; whether people were told is not known here")]
    unread, came_to = found["conclusion"]
    assert unread.startswith("the trades of that time could not be read: ")
    assert came_to == "it came to: open (danger)"


async def test_postgres_alone_shows_that_the_exchanges_went_apart(fresh_database) -> None:
    dsn = fresh_database.dsn.get_secret_value()
    await asyncio.to_thread(migrate, fresh_database, 0)
    connection = await asyncpg.connect(dsn)
    began = datetime(2024, 11, 22, 10, 0, tzinfo=UTC)
    try:
        await connection.execute(
            "INSERT INTO instrument (exchange, symbol, base, quote)"
            " VALUES ('upbit', 'KRW-BTC', 'BTC', 'KRW'), ('binance', 'BTCUSDT', 'BTC', 'USDT')"
        )
        for minute in range(240):
            opened_at, here = began + timedelta(minutes=minute), 96_000_000 if minute >= 207 else 100_000_000
            await insert_minute(connection, opened_at, here + 20_000 * (minute % 3))
            await insert_minute(connection, opened_at, 70_000 + 14 * (minute % 3), of=2)
    finally:
        await connection.close()
    environment = {**WITHOUT_KAFKA, "TAPEWATCH_POSTGRES__DSN": dsn}
    for symbol, is_told in (("KRW-BTC", True), ("BTCUSDT", False)):
        found = json.loads(await explain(symbol, "2024-11-22T22:27", "--json", **environment))
        (apart,) = (one for one in found["rules"] if one["rule"] == "divergence")
        assert not apart["missing"]
        assert 3.9 < apart["measures"][0]["value"] < 4.2
        assert apart["fired_at_us"] is not None
        told = [one for one in found["alerts"] if one["kind"] == "divergence" or one["divergence_pct"] is not None]
        assert bool(told) == is_told, "of the one that moved"
        assert all(abs(float(one["divergence_pct"]) + 4.08) < 0.1 for one in told)


async def insert_minute(connection: asyncpg.Connection, opened_at: datetime, price: int, of: int = 1) -> None:
    columns = await connection.fetch(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'candle_1m'"
    )
    values: dict[str, object] = {"instrument_id": of, "opened_at": opened_at}
    for name, kind in ((str(row[0]), str(row[1])) for row in columns):
        if name not in values:
            values[name] = opened_at if kind.startswith("timestamp") else price if kind == "numeric" else 1
    names = ", ".join(values)
    places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    await connection.execute(f"INSERT INTO candle_1m ({names}) VALUES ({places})", *values.values())  # noqa: S608
