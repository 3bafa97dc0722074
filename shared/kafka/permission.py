"""Before anything else: whether Kafka lets this login do what the process needs, all of it told at once.

A right that is taken away later ends the process at its next request; the start after that tells which it was.
"""

import asyncio
from collections.abc import Sequence

import structlog
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    GroupCoordinatorNotAvailableError,
    KafkaError,
    TopicAuthorizationFailedError,
)

from shared.errors import WrongUse
from shared.kafka.clients import client_options
from shared.kafka.lists import operations_of
from shared.kafka.metadata import describe_topics
from shared.rights import RIGHTS, Kind, Role, name_of, refused, sentence
from shared.settings import KafkaSettings

_TELL_WITHIN_S = 10.0
log = structlog.get_logger(__name__)
_Allowed = dict[tuple[Kind, str], frozenset[str]]


async def check_rights(settings: KafkaSettings, role: Role, groups: Sequence[str] = ()) -> None:
    """Raise WrongUse with every right on topics that `role` needs and this login has not; or when it may not be in a
    group of `groups`.

    What is not there yet is not known, nor is anything of a broker that does not tell soon: that is no reason to wait.
    """
    try:
        async with asyncio.timeout(_TELL_WITHIN_S):
            await _check(settings, role, groups)
    except (KafkaError, TimeoutError) as error:
        log.warning("Kafka does not tell what we may do", reason=repr(error))


async def _check(settings: KafkaSettings, role: Role, groups: Sequence[str]) -> None:
    needs = RIGHTS[role]
    allowed = await _on_topics(settings, [right.name for right in needs if right.kind == "topic"])
    if lacking := refused(needs, allowed):
        raise WrongUse(sentence(lacking, settings.sasl_username, role))
    for group in groups:
        if await _is_refused(settings, group):
            begins = " or ".join(right.name for right in needs if right.kind == "group")
            raise WrongUse(
                f"Kafka does not let {name_of(settings.sasl_username)} Read group {group}; groups of {role} begin with "
                f"{begins}, and `tapewatch topics grant {role}` gives the right to them"
            )


async def _on_topics(settings: KafkaSettings, names: Sequence[str]) -> _Allowed:
    found = await describe_topics(settings, list(dict.fromkeys(names)), "rights", with_operations=True)
    allowed: _Allowed = {}
    for topic in (found or {}).values():
        if topic.error == TopicAuthorizationFailedError.errno:
            allowed["topic", topic.name] = frozenset()
        elif not topic.error and (operations := operations_of(topic.operations)) is not None:
            allowed["topic", topic.name] = operations
    return allowed


async def _is_refused(settings: KafkaSettings, group: str) -> bool:
    admin = AIOKafkaAdminClient(**client_options(settings, "rights"))
    try:
        await admin.start()
        [answer] = await admin.describe_consumer_groups([group])
    except GroupAuthorizationFailedError:
        return True
    except GroupCoordinatorNotAvailableError:  # no group ever committed anything to this Kafka
        return False
    finally:
        await admin.close()
    [(error, *_)] = answer.groups  # who may Read it may describe it; more than that aiokafka does not read of an answer
    return bool(error == GroupAuthorizationFailedError.errno)
