"""Gives users of Kafka a password and the rights of a role. Whoever calls this is Kafka's administrator.

aiokafka 0.14 has no request for SCRAM credentials (KIP-554): it is here, version 0, as Kafka's protocol guide has it.
The password never leaves this process: Kafka is sent a salt and the salted password (RFC 5802).
"""

import asyncio
import secrets
from collections.abc import Sequence
from hashlib import pbkdf2_hmac
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import ClusterAuthorizationFailedError, IncompatibleBrokerVersion, for_code
from aiokafka.protocol.admin import CreateAclsRequest_v1, DescribeAclsRequest
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    CompactArray,
    CompactBytes,
    CompactString,
    Int8,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from shared.errors import Unreachable, WrongUse
from shared.kafka.clients import client_options
from shared.kafka.lists import ALLOW, ANY, KINDS, LITERAL, OPERATIONS, PREFIX
from shared.rights import Kind, Operation, Right
from shared.settings import KafkaSettings

_SHA_512 = 2
_ITERATIONS = 8192
_SALT_BYTES = 24
_SEEN_WITHIN_S, _LOOK_EVERY_S = 10.0, 0.02
_Name = CompactString("utf-8")
_KIND_OF: dict[int, Kind] = {number: kind for kind, number in KINDS.items()}
_OPERATION_OF: dict[int, Operation] = {number: operation for operation, number in OPERATIONS.items()}


class ScramResponseV0(Response):  # type: ignore[misc]  # aiokafka is untyped
    API_KEY = 51
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("results", CompactArray(("user", _Name), ("error_code", Int16), ("message", _Name), ("tags", TaggedFields))),
        ("tags", TaggedFields),
    )


class ScramRequestV0(RequestStruct):  # type: ignore[misc]
    API_KEY = 51
    API_VERSION = 0
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = ScramResponseV0
    SCHEMA = Schema(
        ("deletions", CompactArray(("user", _Name), ("mechanism", Int8), ("tags", TaggedFields))),
        (
            "upsertions",
            CompactArray(
                ("user", _Name),
                ("mechanism", Int8),
                ("iterations", Int32),
                ("salt", CompactBytes),
                ("salted_password", CompactBytes),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _ScramRequest(Request[ScramRequestV0]):  # type: ignore[misc]
    API_KEY = 51

    def __init__(self, user: str, salt: bytes, salted_password: bytes) -> None:
        nothing: dict[int, bytes] = {}
        self._row = user, _SHA_512, _ITERATIONS, salt, salted_password, nothing

    def build(self, request_struct_class: type[ScramRequestV0]) -> ScramRequestV0:
        return request_struct_class([], [self._row], {})


class _AclsRequest(Request[CreateAclsRequest_v1]):  # type: ignore[misc]
    """All rights at once, where aiokafka's own has one: each request is a write to disk at the controller."""

    API_KEY = 30

    def __init__(self, user: str, rights: Sequence[Right]) -> None:
        self._rows = [
            (
                KINDS[right.kind], right.name, PREFIX if right.is_prefix else LITERAL,
                f"User:{user}", "*", OPERATIONS[right.operation], ALLOW,
            )
            for right in rights
        ]  # fmt: skip

    def build(self, request_struct_class: type[CreateAclsRequest_v1]) -> CreateAclsRequest_v1:
        return request_struct_class(self._rows)


class KafkaUsers:
    """Kafka as its administrator sees it. ``async with KafkaUsers(settings) as users``."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._client = AIOKafkaClient(**client_options(settings, "users"))

    async def __aenter__(self) -> "KafkaUsers":
        await self._client.bootstrap()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    async def set_password(self, user: str, password: str) -> None:
        """Let a user log in with SCRAM-SHA-512, or give it another password. Raises WrongUse when Kafka refuses."""
        salt = secrets.token_bytes(_SALT_BYTES)
        salted = pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS)
        try:
            answer = await self._ask(_ScramRequest(user, salt, salted))
        except (IncompatibleBrokerVersion, NotImplementedError):
            raise WrongUse(
                "this broker takes no users from clients: make the user with its own tool (Redpanda: "
                "`rpk security user create`), and repeat this without --password-file for the rights"
            ) from None
        [(_, error, message, _)] = answer.results
        _raise(error, message, "give a user a password")

    async def rights(self, user: str) -> list[Right]:
        """What a user may do by the lists; what is denied or allowed to everybody is not among it."""
        answer = await self._ask(DescribeAclsRequest(ANY, None, ANY, f"User:{user}", None, ANY, ALLOW))
        _raise(answer.error_code, answer.error_message, "list rights")
        return [
            Right(_KIND_OF[kind], name, _OPERATION_OF[operation], pattern == PREFIX)
            for kind, name, pattern, rows in answer.resources
            for _, _, operation, _ in rows
            if kind in _KIND_OF and operation in _OPERATION_OF
        ]

    async def allow(self, user: str, rights: Sequence[Right]) -> None:
        """Add rights, from any machine, and return once a broker goes by them, and by a password that was set before.

        Raises WrongUse when Kafka refuses, Unreachable when that takes too long.
        """
        answer = await self._ask(_AclsRequest(user, rights))
        for right, (error, message) in zip(rights, answer.creation_responses, strict=True):
            _raise(error, message, f"give the right to {right}")
        try:
            async with asyncio.timeout(_SEEN_WITHIN_S):
                while not set(rights) <= set(await self.rights(user)):  # noqa: ASYNC110  Kafka tells nobody
                    await asyncio.sleep(_LOOK_EVERY_S)
        except TimeoutError:
            raise Unreachable(f"Kafka took the rights of {user}, and its brokers do not go by them yet") from None

    async def _ask(self, request: Request[Any]) -> Any:
        return await self._client.send(self._client.get_random_node(), request)


def _raise(error: int, message: str | None, what: str) -> None:
    kind = for_code(error)
    if kind is ClusterAuthorizationFailedError:
        raise WrongUse(f"Kafka refused to {what}: log in as its administrator")
    if error:
        raise WrongUse(f"Kafka refused to {what}: {kind.__name__}{f' ({message})' if message else ''}")
