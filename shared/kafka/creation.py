"""Creating the topics with the settings that `shared.topics` promises, and refusing those that break the order."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import NoError, TopicAlreadyExistsError, TopicAuthorizationFailedError, for_code
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from shared.errors import Unreachable, WrongUse
from shared.kafka.clients import client_options
from shared.rights import Right, sentence
from shared.settings import KafkaSettings
from shared.topics import TOPICS, Topic


class TopicsNotVisible(Unreachable):
    """A broker does not list a topic that its controller made just now."""


async def create_topics(settings: KafkaSettings, topics: Sequence[Topic] = TOPICS) -> list[str]:
    """Make the topics that are not there yet and return their names, once they can be used. Safe to repeat.

    Raises WrongUse when a topic exists with another partition count: keys would change partition and lose their order.
    """
    admin = AIOKafkaAdminClient(**client_options(settings, "topics"))
    try:
        await admin.start()
        factor = settings.replication_factor
        wanted = [NewTopic(t.name, t.partitions, factor, topic_configs=t.config()) for t in topics]
        # Asking for all of them lets the controller decide: what brokers list may be a moment old.
        made = _names_made(await admin.create_topics(wanted), settings.sasl_username)
        _check_counts(topics, await _partition_counts(admin, {topic.name for topic in topics}))
        return made
    finally:
        await admin.close()


def _names_made(response: Any, user: str | None) -> list[str]:
    made = []
    for name, code, *rest in response.topic_errors:
        error = for_code(code)
        if error is NoError:
            made.append(name)
        elif error is TopicAuthorizationFailedError:
            raise WrongUse(sentence([Right("topic", name, "Create")], user, "setup"))
        elif error is not TopicAlreadyExistsError:
            raise WrongUse(f"Kafka refused to create {name}: {error.__name__} {rest[0] if rest else ''}".rstrip())
    return made


@retry(retry=retry_if_exception_type(TopicsNotVisible), wait=wait_fixed(0.05), stop=stop_after_delay(10), reraise=True)
async def _partition_counts(admin: AIOKafkaAdminClient, names: Collection[str]) -> dict[str, int]:
    counts = {entry["topic"]: len(entry["partitions"]) for entry in await admin.describe_topics()}
    missing = sorted(name for name in names if name not in counts)
    if missing:
        raise TopicsNotVisible(f"Kafka made {missing[0]} and does not list it")
    return counts


def _check_counts(topics: Sequence[Topic], found: Mapping[str, int]) -> None:
    for topic in topics:
        if found[topic.name] != topic.partitions:
            raise WrongUse(
                f"topic {topic.name} has {found[topic.name]} partitions and must have {topic.partitions}, or keys "
                "change their partition and lose their order: delete the topic or use another cluster"
            )
