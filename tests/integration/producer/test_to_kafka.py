"""From sockets to Kafka on a calm day: everything, exactly, in order, where readers look for it."""

import asyncio
import signal

from shared.partitioning import Shard, partition_of
from shared.topics import DEAD_LETTERS, FEED, INSTRUMENTS, ORDERBOOKS, TICKERS, TRADES


async def test_both_exchanges_arrive_exactly_once_and_in_order(ground, compare, end_of):
    market = await ground.market()
    producers = [await ground.producer(exchange) for exchange in ("upbit", "binance")]
    await ground.until_more(250)
    truth = await market.stop()
    assert [await end_of(producer) for producer in producers] == [0, 0]
    trades = await ground.held(TRADES)
    result = compare(truth, trades)
    assert result.fine, result
    for topic in (TRADES, TICKERS, ORDERBOOKS):
        held = await ground.held(topic)
        assert {one.event.exchange for one in held} == {"upbit", "binance"}
        for one in held:
            key = f"{one.event.exchange}:{one.event.symbol}"
            assert one.key == key.encode()
            assert one.partition == partition_of(key, topic.partitions)
    assert all(len(book.event.bids) <= 5 for book in await ground.held(ORDERBOOKS))
    instruments = [one.event for one in await ground.held(INSTRUMENTS)]
    assert {(i.exchange, i.symbol) for i in instruments} == {(t["exchange"], t["symbol"]) for t in truth}
    assert all(i.korean_name for i in instruments if i.exchange == "upbit")
    feed = [one.event for one in await ground.held(FEED)]
    assert {event.kind for event in feed} == {"connected", "disconnected"}
    assert await ground.held(DEAD_LETTERS) == []


async def test_told_to_stop_it_publishes_all_that_was_sent_to_it(ground, compare, end_of):
    market = await ground.market(rate=2000)
    producers = [await ground.producer(exchange) for exchange in ("upbit", "binance")]
    await ground.until_more(500)
    assert [await end_of(producer) for producer in producers] == [0, 0]
    heard = [line for line in await market.stop() if line["heard"]]
    result = compare(heard, await ground.held(TRADES))
    assert result.lost == []
    assert result.out_of_order == []


async def test_shards_read_everything_once(ground, compare, end_of):
    market = await ground.market(symbols=8)
    producers = [await ground.producer("upbit"), await ground.producer("binance", "--shard", "0/2")]
    producers.append(await ground.producer("binance", "--shard", "1/2"))
    await ground.until_more(250)
    truth = await market.stop()
    assert [await end_of(producer) for producer in producers] == [0, 0, 0]
    result = compare(truth, await ground.held(TRADES))
    assert result.fine, result
    assert result.repeated == 0
    for one in await ground.held(FEED):
        index = int(one.event.connection.split("-")[1])
        count = 2 if one.event.exchange == "binance" else 1
        owned = {partition_of(f"{one.event.exchange}:{symbol}", 8) for symbol in one.event.symbols}
        assert all(Shard(index, count).owns(partition) for partition in owned)


async def test_what_cannot_be_read_is_kept_and_the_rest_goes_on(ground, compare, end_of):
    market = await ground.market()
    producers = [await ground.producer(exchange) for exchange in ("upbit", "binance")]
    await ground.until_more(100)
    for exchange in ("upbit", "binance"):
        for text in ('{"type":"trade","code":1}', "x" * 70_000, "[" * 5000):
            await market.control("fault", fault="malformed", exchange=exchange, text=text)

    async def all_kept():
        return len(await ground.held(DEAD_LETTERS)) == 2 * 2 * 3  # every connection of both producers got them

    await ground.until(all_kept)
    truth = await market.stop()
    assert [await end_of(producer) for producer in producers] == [0, 0]
    assert compare(truth, await ground.held(TRADES)).fine
    letters = [one.event for one in await ground.held(DEAD_LETTERS)]
    assert {letter.exchange for letter in letters} == {"upbit", "binance"}
    assert {letter.payload_bytes for letter in letters} == {25, 70_000, 5000}
    assert all(letter.reason and letter.connection and len(letter.payload) <= 88_000 for letter in letters)


MENDABLE = (
    ("upbit", {"UPBIT__SYMBOLS": "KRW-NOPE"}, 2, "TAPEWATCH_UPBIT__SYMBOLS: upbit does not list KRW-NOPE"),
    ("upbit", {"UPBIT__SYMBOLS": "krw-btc"}, 2, "did you mean KRW-BTC?"),
    ("binance", {"BINANCE__SYMBOLS": "watchlist"}, 2, "watchlist"),
    ("bithumb", {}, 2, "no exchange is called 'bithumb'"),
    ("upbit", {"UPBIT__REST_URL": "http://127.0.0.1:9/v1", "START__WAIT_S": "1"}, 3, "gave no list"),
    ("upbit", {"KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:9", "START__WAIT_S": "1"}, 3, "Kafka"),
    ("upbit", {"KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:abc"}, 2, "TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS: server 1 is not"),
    ("upbit", {"KAFKA__SECURITY_PROTOCOL": "SASL_PLAINTEXT"}, 2, "TAPEWATCH_KAFKA__SASL_USERNAME is not set"),
    ("upbit", {"UPBIT__WEBSOCKET_URL": "ws://h:abc/"}, 2, "TAPEWATCH_UPBIT__WEBSOCKET_URL: is not an address"),
    ("upbit", {"UPBIT__REST_URL": "nonsense"}, 2, "TAPEWATCH_UPBIT__REST_URL: is not an address"),
)


async def test_what_a_person_can_mend_is_one_line(ground):
    await ground.market()

    async def said(number, exchange, settings):
        log = f"{exchange}-{number}"
        process = await ground.producer(exchange, log=log, **settings)
        return await process.wait(), ground.log(log).read_text()

    answers = await asyncio.gather(
        *(said(n, exchange, settings) for n, (exchange, settings, *_) in enumerate(MENDABLE))
    )
    for (code, text), (*_, expected_code, says) in zip(answers, MENDABLE, strict=True):
        assert code == expected_code, text
        assert says in text.splitlines()[-1]
        assert "Traceback" not in text


async def test_a_list_that_cannot_be_kept_is_no_reason_to_end(ground, end_of, tmp_path):
    (tmp_path / "a-file").touch()
    await ground.market(expect=6)
    producer = await ground.producer("upbit", UPBIT__CHANNELS="trade", STATE__DIRECTORY=str(tmp_path / "a-file" / "in"))
    await ground.until_more(10, "upbit")
    assert await end_of(producer) == 0
    assert "the list cannot be kept" in ground.log("upbit").read_text()


async def test_the_last_good_list_serves_when_the_exchange_gives_none(ground, end_of, tmp_path):
    await ground.market(expect=6)
    directory = {"STATE__DIRECTORY": str(tmp_path / "state"), "UPBIT__CHANNELS": "trade", "START__WAIT_S": "1"}
    first = await ground.producer("upbit", **directory)
    await ground.until_more(10, "upbit")
    assert await end_of(first) == 0
    second = await ground.producer("upbit", UPBIT__REST_URL="http://127.0.0.1:9/v1", **directory)
    await ground.until_more(50, "upbit")
    assert await end_of(second, signal.SIGTERM) == 0
    assert "the last good list is used" in ground.log("upbit").read_text()
