from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from shared.errors import Unreachable, WrongUse
from shared.kafka import create_topics
from shared.settings import KafkaSettings
from shared.topic_ids import MissingTopic, read_topic_ids, wait_for_topic_ids
from shared.topics import FEED, TOPICS, TRADES


@pytest.fixture
async def admin(fresh_topics: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=fresh_topics.bootstrap_servers)
    await client.start()
    yield client
    await client.close()


async def test_every_topic_has_an_id_of_its_own_that_stays(fresh_topics: KafkaSettings) -> None:
    ids = await read_topic_ids(fresh_topics, TOPICS)

    assert set(ids) == {topic.name for topic in TOPICS}
    assert len(set(ids.values())) == len(TOPICS)
    assert all(len(bytes.fromhex(topic_id)) == 16 and any(bytes.fromhex(topic_id)) for topic_id in ids.values())
    assert await read_topic_ids(fresh_topics, TOPICS) == ids


async def test_a_topic_made_anew_has_another_id(fresh_topics: KafkaSettings, admin: AIOKafkaAdminClient) -> None:
    before = await read_topic_ids(fresh_topics, [FEED])
    await admin.delete_topics([FEED.name])
    while FEED.name in await admin.list_topics():
        pass
    await create_topics(fresh_topics)

    after = await wait_for_topic_ids(fresh_topics, [FEED], 10)

    assert after[FEED.name] != before[FEED.name]


async def test_a_missing_topic_is_told_with_the_remedy(fresh_topics: KafkaSettings) -> None:
    missing = replace(TRADES, name="tape.missing.v1")

    with pytest.raises(MissingTopic, match=r"tape\.missing\.v1"):
        await read_topic_ids(fresh_topics, [TRADES, missing])
    with pytest.raises(Unreachable, match=r"tape\.missing\.v1 is not there after 0 s: run `tapewatch topics create`"):
        await wait_for_topic_ids(fresh_topics, [missing], 0)


async def test_another_partition_count_would_break_the_order(fresh_topics: KafkaSettings) -> None:
    with pytest.raises(WrongUse, match=r"tape\.trades\.v1 has 8 partitions and must have 16"):
        await read_topic_ids(fresh_topics, [replace(TRADES, partitions=16)])
