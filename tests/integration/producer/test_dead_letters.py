"""An exchange changes a field: nothing of it is read, nothing of it is lost, once the adapter is mended."""

import asyncio
import json
import os
import sys
from decimal import Decimal
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from services.consumer.migrate import migrate
from shared.events import DeadLetter
from shared.topics import DEAD_LETTERS, FEED, TRADES
from shared.wire import encode

BOTH = ("upbit", "binance")
CHANGED_S = 60
RENAMED = {"upbit": ("trade_price", "price_of_trade"), "binance": ("p", "price")}
# Today's command with adapters that know the new names: what the next release would be.
MENDED = f"""
from services.producer.exchanges import ADAPTERS

def mend(adapter, name, into):
    class Mended(adapter):
        def parse(self, frame, received_at_us):
            return super().parse(frame.replace(f'"{{into}}":'.encode(), f'"{{name}}":'.encode()), received_at_us)
    return Mended

for exchange, (name, into) in {RENAMED!r}.items():
    ADAPTERS[exchange] = mend(ADAPTERS[exchange], name, into)
from services.cli.main import main
main()
"""
AS_IT_IS = "from services.cli.main import main; main()"
STORED = """
    SELECT exchange, symbol, trade_id, price, quantity, side, (extract(epoch FROM traded_at) * 1000000)::bigint
    FROM trade_tape
"""


@pytest.fixture
async def dsns(fresh_database):
    """DSNs of a migrated database: of its owner, and of a user who may do what the writer may."""
    await asyncio.to_thread(migrate, fresh_database, 0)
    owner = await asyncpg.connect(fresh_database.dsn.get_secret_value())
    await owner.execute("DROP ROLE IF EXISTS a_writer")
    await owner.execute("CREATE ROLE a_writer LOGIN PASSWORD 'a_password' IN ROLE tapewatch_writer")
    await owner.close()
    parts = urlsplit(fresh_database.dsn.get_secret_value())
    netloc = f"a_writer:a_password@{parts.hostname}:{parts.port}"
    return urlunsplit(parts), urlunsplit(parts._replace(netloc=netloc))


async def tapewatch(ground, *arguments, code=AS_IT_IS, **settings):
    """Run a command to its end: exit status, what it printed, what it said to people."""
    own = {"TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS": ground.kafka.bootstrap_servers, "TAPEWATCH_START__WAIT_S": "10"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code, *arguments),
        env=os.environ | own | {f"TAPEWATCH_{name}": value for name, value in settings.items()},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    ground.processes.append(process)
    output, errors = await process.communicate()
    return process.returncode, output.decode(), errors.decode()


async def consumer(ground, dsn):
    own = {"TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS": ground.kafka.bootstrap_servers, "TAPEWATCH_POSTGRES__DSN": dsn}
    with ground.log("consumer").open("a") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", AS_IT_IS, "consumer", "postgres"), env=os.environ | own, stderr=log
        )
    ground.processes.append(process)
    return process


async def counted(dsn, query):
    session = await asyncpg.connect(dsn)
    try:
        return await session.fetchval(query)
    finally:
        await session.close()


async def stored(dsn):
    session = await asyncpg.connect(dsn, server_settings={"timezone": "UTC"})
    try:
        rows = [tuple(row) for row in await session.fetch(STORED)]
    finally:
        await session.close()
    return {row[:3]: row[3:] for row in rows}, len(rows)


def published(truth):
    return {
        (t["exchange"], t["symbol"], t["trade_id"]): (
            Decimal(t["price"]),
            Decimal(t["quantity"]),
            t["side"],
            t["traded_at_us"],
        )
        for t in truth
        if t["channel"] == "trade"
    }


@pytest.mark.long
@pytest.mark.timeout(420)
async def test_a_minute_of_a_changed_field_is_replayed_and_nothing_is_lost(ground, dsns, end_of):
    tape_dsn, writer_dsn = dsns
    market = await ground.market(rate=800)
    producers = [await ground.producer(exchange) for exchange in BOTH]
    storing = await consumer(ground, writer_dsn)
    await ground.until_more(250)
    for exchange in BOTH:
        name, into = RENAMED[exchange]
        order = {"exchange": exchange, "channel": "trade", "name": name, "into": into, "seconds": CHANGED_S}
        await market.control("fault", fault="rename_field", **order)
    await asyncio.sleep(CHANGED_S)
    await ground.until_more(250)
    truth = published(await market.stop())
    assert [await end_of(producer) for producer in producers] == [0, 0]
    letters = [one.event for one in await ground.held(DEAD_LETTERS)]
    unread = len(letters)
    assert {letter.exchange for letter in letters} == set(BOTH)
    assert sum(letter.suppressed for letter in letters) == 0

    async def all_kept():
        return await counted(tape_dsn, "SELECT count(*) FROM dead_letter") == unread

    await ground.until(all_kept)
    before, _ = await stored(tape_dsn)
    missing = truth.keys() - before.keys()
    assert len(missing) == unread > 5_000, "the change was to cost a minute of trades until it is mended"

    feed = [one.event for one in await ground.held(FEED)]
    assert sorted((e.exchange, e.reason) for e in feed if e.kind == "new_field") == sorted(
        (exchange, f"trade frames have a new field {into!r}") for exchange, (_, into) in RENAMED.items()
    )
    assert {e.exchange for e in feed if e.kind == "degraded"} == set(BOTH)
    assert [e for e in feed if e.kind in ("gap", "stalled")] == []

    status, said, _ = await tapewatch(ground, "dead-letters", "replay")
    assert status == 1
    assert f"{unread:,} dead letters: 0 read again, {unread:,} not" in said
    assert "still unreadable" in said

    for _ in range(2):
        status, said, errors = await tapewatch(ground, "dead-letters", "replay", "--json", code=MENDED)
        assert status == 0, errors
        outcome = json.loads(said)
        assert (outcome["chosen"], outcome["replayed"], outcome["failed"]) == (unread, unread, 0)
        assert outcome["published"] == {TRADES.name: unread}

    in_kafka = len(await ground.held(TRADES))

    async def all_stored():
        positions = "SELECT sum(next_offset) FROM sink_position WHERE topic = 'tape.trades.v1'"
        return await counted(tape_dsn, positions) == in_kafka

    await ground.until(all_stored)
    after, rows = await stored(tape_dsn)
    assert after == truth, "every trade once, every value exact"
    assert rows == len(truth)
    assert await end_of(storing) == 0


@pytest.mark.timeout(120)
async def test_a_new_field_is_told_once_and_stops_nothing(ground, compare, end_of):
    market = await ground.market(rate=1500)
    producers = [await ground.producer(exchange) for exchange in BOTH]
    await ground.until_more(50)
    for exchange, name in (("upbit", "prev_closing_price"), ("binance", "M")):  # fields that no adapter reads
        order = {"exchange": exchange, "channel": "trade", "name": name, "into": "novelty"}
        await market.control("fault", fault="rename_field", **order)

    async def told():
        kinds = [one.event.exchange for one in await ground.held(FEED) if one.event.kind == "new_field"]
        return set(kinds) == set(BOTH)

    await ground.until(told)
    await ground.until_more(1_000)
    truth = await market.stop()
    assert [await end_of(producer) for producer in producers] == [0, 0]
    assert compare(truth, await ground.held(TRADES)).fine
    news = [one.event for one in await ground.held(FEED) if one.event.kind == "new_field"]
    assert sorted(event.exchange for event in news) == sorted(BOTH)
    assert all("'novelty'" in event.reason for event in news)
    assert await ground.held(DEAD_LETTERS) == []


@pytest.fixture
async def letters(ground):
    """Three letters on their topic: a record, a cut-off frame, and bytes that are no letter."""
    from shared.kafka import make_producer
    from shared.wire import HEADERS_OF_EVENT

    record = DeadLetter(
        reason="a number is not a plain decimal",
        at_us=1_790_000_000_000_000,
        payload="e30=",
        payload_bytes=2,
        reader="consumer-postgres",
        topic=TRADES.name,
        partition=3,
        offset=77,
        schema="trade/1",
    )
    frame = DeadLetter(
        reason="too\x1b[31m long",
        at_us=1_790_000_060_000_000,
        payload="AP8=",
        payload_bytes=90_000,
        reader="producer-upbit",
        exchange="upbit",
        connection="upbit-0-trades-1",
        suppressed=5,
    )
    producer = make_producer(ground.kafka, "test")
    await producer.start()
    for value in (encode(record), encode(frame), b"\xff{"):
        await producer.send_and_wait(DEAD_LETTERS.name, value, headers=HEADERS_OF_EVENT[DeadLetter])
    await producer.stop()
    return ground


async def test_letters_are_listed_and_shown_without_postgres(letters):
    nothing = {"POSTGRES__DSN": "postgresql://127.0.0.1:1/nothing", "REDIS__URL": "redis://127.0.0.1:1/0"}
    status, said, errors = await tapewatch(letters, "dead-letters", "list", **nothing)
    lines = [line.split("\t") for line in said.splitlines()]
    assert (status, errors) == (0, "")
    assert [line[0] for line in lines] == ["0", "1", "2"]
    assert lines[0][2:4] == ["consumer-postgres", "tape.trades.v1/3@77"]
    assert lines[1][2:] == ["producer-upbit", "upbit-0-trades-1", "90,000", "5", "too [31m long"]
    assert "cannot be read itself" in lines[2][-1]

    status, said, errors = await tapewatch(
        letters, "dead-letters", "list", "--limit", "1", "--reader", "producer-upbit"
    )
    assert [line.split("\t")[0] for line in said.splitlines()] == ["1"]
    status, said, errors = await tapewatch(letters, "dead-letters", "list", "--limit", "1")
    assert [line.split("\t")[0] for line in said.splitlines()] == ["2"]
    assert errors == "1 of 3 dead letters\n"

    _, said, _ = await tapewatch(letters, "dead-letters", "list", "--json", "--topic", TRADES.name)
    [found] = json.loads(said)["letters"]
    assert (found["number"], found["offset"], found["partition"], found["reader"]) == (0, 77, 3, "consumer-postgres")

    status, said, _ = await tapewatch(letters, "dead-letters", "show", "0")
    assert (status, "payload        {}" in said, "2026-09-21" in said) == (0, True, True)
    status, said, _ = await tapewatch(letters, "dead-letters", "show", "1")
    assert "00 ff" in said
    assert "90,000 bytes; 2 were kept" in said
    status, said, errors = await tapewatch(letters, "dead-letters", "show", "3")
    assert (status, errors.count("\n")) == (2, 1)
    assert "there is no dead letter 3" in errors


async def test_what_cannot_be_replayed_is_told_and_the_rest_goes_on(letters):
    status, said, _ = await tapewatch(letters, "dead-letters", "replay")
    assert status == 1
    assert said.splitlines() == [
        "3 dead letters: 0 read again, 3 not",
        "records published: none",
        "still unreadable: 1 × not a trade/1: Object missing required field `exchange`",
        "cannot be replayed: 1 × only the first 2 bytes of it were kept",
        "cannot be replayed: 1 × it is itself about a dead letter",
        "only counted: 5 frames were never kept; those that may have been trades are gaps",
    ]
    status, said, _ = await tapewatch(
        letters, "dead-letters", "replay", "--since", "2026-09-21T14:14", "--exchange", "upbit"
    )
    assert "1 dead letters: 0 read again, 1 not" in said


async def test_a_wrong_since_and_an_absent_kafka_are_one_line_each(ground):
    status, _, errors = await tapewatch(ground, "dead-letters", "list", "--since", "yesterday")
    assert status == 2
    assert "neither like 15m" in errors
    status, _, errors = await tapewatch(ground, "dead-letters", "list", KAFKA__BOOTSTRAP_SERVERS="127.0.0.1:1")
    assert (status, errors.count("\n")) == (3, 1)
