"""Kafka's own id of each topic, which tells a topic from one of the same name that was deleted and made anew."""

from collections.abc import Sequence

import structlog
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError, UnknownTopicOrPartitionError, for_code
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_delay, wait_exponential_jitter

from shared.errors import Unreachable, WrongUse
from shared.kafka.metadata import Described, describe_topics
from shared.rights import name_of
from shared.settings import KafkaSettings
from shared.topics import Topic

NO_ID = "none"
"""Stands for the id where the broker knows no topic ids: a topic made anew is then not told from the old one."""

log = structlog.get_logger(__name__)


class MissingTopic(Exception):
    """A topic is not there, or not yet."""


async def read_topic_ids(settings: KafkaSettings, topics: Sequence[Topic]) -> dict[str, str]:
    """Kafka's id of each topic by name, as 32 hexadecimal digits; `NO_ID` from a broker without topic ids.

    Raises MissingTopic, WrongUse when a topic has another partition count than it must have or is not ours to see,
    and KafkaError.
    """
    found = await describe_topics(settings, [topic.name for topic in topics], "topic-ids")
    if found is None:
        log.warning("this broker knows no topic ids: a topic that is deleted and made anew will not be noticed")
        return {topic.name: NO_ID for topic in topics}
    return {topic.name: _id_of(topic, found[topic.name], settings.sasl_username) for topic in topics}


def _id_of(topic: Topic, described: Described, user: str | None) -> str:
    if described.error == UnknownTopicOrPartitionError.errno:
        raise MissingTopic(topic.name)
    if described.error == TopicAuthorizationFailedError.errno:
        raise WrongUse(
            f"Kafka does not let {name_of(user)} Describe topic {topic.name}: "
            "`tapewatch topics grant --help` says how rights are given"
        )
    if described.error:
        raise for_code(described.error)(topic.name)
    if len(described.partitions) != topic.partitions:
        raise WrongUse(
            f"topic {topic.name} has {len(described.partitions)} partitions and must have {topic.partitions}: "
            "order would break; delete it or use another cluster"
        )
    return described.topic_id.hex


async def wait_for_topic_ids(settings: KafkaSettings, topics: Sequence[Topic], wait_s: int) -> dict[str, str]:
    """Like `read_topic_ids`, and waits for topics that are not there yet. Raises Unreachable after `wait_s` seconds."""

    def say(state: RetryCallState) -> None:
        reason = state.outcome.exception() if state.outcome else None
        log.warning("waiting for the topics", missing=str(reason), waited_s=round(state.seconds_since_start or 0))

    attempts = AsyncRetrying(
        retry=retry_if_exception_type((MissingTopic, KafkaError)),
        wait=wait_exponential_jitter(multiplier=0.1, max=3),
        stop=stop_after_delay(wait_s),
        before_sleep=say,
        reraise=True,
    )
    try:
        async for attempt in attempts:
            with attempt:
                return await read_topic_ids(settings, topics)
    except MissingTopic as error:
        raise Unreachable(f"topic {error} is not there after {wait_s} s: run `tapewatch topics create`") from None
    except KafkaError as error:
        raise Unreachable(f"Kafka did not tell its topics within {wait_s} s: {error!r}") from None
    raise AssertionError("the retry loop ends by returning or raising")
