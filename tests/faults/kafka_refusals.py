"""Answers of Kafka that say no: frames of its protocol, and what a broker would answer that refuses a request. Pure."""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from aiokafka.protocol.api import RequestHeader_v1, RequestStruct
from aiokafka.protocol.commit import OffsetCommitRequest
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.types import Array, Schema, String

PRODUCE, FETCH, OFFSET_COMMIT = 0, 1, 8
_KNOWN: dict[tuple[int, int], type[RequestStruct]] = {
    (one.API_KEY, one.API_VERSION): one
    for request in (ProduceRequest, FetchRequest, OffsetCommitRequest)
    for one in request._CLASSES
}
_HARMLESS = (18, 0)
"""ApiVersions: what the broker is asked instead, so that it answers in its turn."""


@dataclass(frozen=True)
class Refusal:
    """A share of the requests of one kind is answered with an error.

    `after`: the broker does what it was asked, and only the answer is another; else it never hears of it.
    """

    api: int
    code: int
    share: float
    after: bool = False


class Frames:
    """Whole messages of a stream, each with its four bytes of length; nothing is lost between calls."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Everything that is complete by now."""
        self._rest += chunk
        while len(self._rest) >= 4:
            end = 4 + int.from_bytes(self._rest[:4], "big")
            if len(self._rest) < end:
                return
            yield bytes(self._rest[:end])
            del self._rest[:end]


@dataclass
class Conversation:
    """One connection: its requests and its answers pass through here."""

    refusal: Callable[[], Refusal | None]
    luck: Callable[[], float]
    refused: Callable[[], None]
    _requests: Frames = field(default_factory=Frames)
    _answers: Frames = field(default_factory=Frames)
    _instead: dict[int, bytes] = field(default_factory=dict)

    def request(self, chunk: bytes) -> bytes:
        """What the broker gets instead of this part of the client's stream."""
        return b"".join(map(self._request, self._requests.feed(chunk)))

    def answer(self, chunk: bytes) -> bytes:
        """What the client gets instead of this part of the broker's stream."""
        return b"".join(map(self._answer, self._answers.feed(chunk)))

    def _request(self, frame: bytes) -> bytes:
        refusal = self.refusal()
        api, _, correlation_id = struct.unpack_from(">hhi", frame, 4)
        if refusal is None or api != refusal.api or self.luck() >= refusal.share:
            return frame
        if (answer := refused(frame, refusal.code)) is None:
            return frame
        self._instead[correlation_id] = answer
        self.refused()
        return frame if refusal.after else _framed(struct.pack(">hhih", *_HARMLESS, correlation_id, -1))

    def _answer(self, frame: bytes) -> bytes:
        return self._instead.pop(int.from_bytes(frame[4:8], "big", signed=True), frame)


def refused(frame: bytes, code: int) -> bytes | None:
    """The answer to a request that gives every partition in it this error; None for a kind that is not known here."""
    api, version, correlation_id = struct.unpack_from(">hhi", frame, 4)
    kind = _KNOWN.get((api, version))
    if kind is None or kind.FLEXIBLE_VERSION:
        return None
    body = BytesIO(frame[4:])
    RequestHeader_v1.SCHEMA.decode(body)
    asked = [(topic, [one[0] for one in partitions]) for topic, partitions, *_ in kind.decode(body).topics]
    schema = kind.RESPONSE_TYPE.SCHEMA
    values = [_topics(type_, asked, code) if name == "topics" else blank(type_) for name, type_ in _fields(schema)]
    return _framed(struct.pack(">i", correlation_id) + schema.encode(values))


def _topics(type_: Array, asked: list[tuple[str, list[int]]], code: int) -> list[Any]:
    (_, _), (_, partitions_type) = _fields(type_.array_of)
    known = {"error_code": code}
    return [
        (
            topic,
            [
                [number if place == 0 else known.get(name, blank(of)) for place, (name, of) in enumerate(fields)]
                for number in partitions
            ],
        )
        for topic, partitions in asked
        for fields in [_fields(partitions_type.array_of)]
    ]


def _fields(schema: Schema) -> list[tuple[str, Any]]:
    return list(zip(schema.names, schema.fields, strict=True))


def blank(type_: Any) -> Any:
    """A value of a type of the protocol that says nothing."""
    if isinstance(type_, Array):
        return []
    if isinstance(type_, Schema):
        return [blank(of) for of in type_.fields]
    if isinstance(type_, String):
        return None
    return b"" if type_.__name__ == "Bytes" else 0


def _framed(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body
