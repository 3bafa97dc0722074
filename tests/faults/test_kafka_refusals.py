"""What a refusing Kafka says is read by a real client's own code; everything else passes unchanged."""

from io import BytesIO

import pytest
from aiokafka.protocol.api import RequestHeader_v1
from aiokafka.protocol.commit import OffsetCommitRequest
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.produce import ProduceRequest

from tests.faults.kafka_refusals import FETCH, PRODUCE, Conversation, Frames, Refusal, blank, refused


def framed(request, correlation_id: int = 7) -> bytes:
    body = RequestHeader_v1(request, correlation_id, "client").encode() + request.encode()
    return len(body).to_bytes(4, "big") + body


def asked(kind, partitions):
    """A request of any version for partitions 3 and 4 of topic t."""
    values = [blank(field) for field in kind.SCHEMA.fields]
    values[kind.SCHEMA.names.index("topics")] = [("t", partitions(kind))]
    return kind(*values)


def rows(kind):
    """Rows of a request's partitions, filled with nothing but their numbers."""
    topics = kind.SCHEMA.fields[kind.SCHEMA.names.index("topics")].array_of
    return [[number, *map(blank, topics.fields[1].array_of.fields[1:])] for number in (3, 4)]


KINDS = [one for request in (ProduceRequest, FetchRequest, OffsetCommitRequest) for one in request._CLASSES]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_client_reads_the_error_of_every_partition(kind) -> None:
    answer = refused(framed(asked(kind, rows)), 45)
    assert answer is not None
    assert int.from_bytes(answer[:4], "big") == len(answer) - 4
    body = BytesIO(answer[4:])
    assert body.read(4) == (7).to_bytes(4, "big")
    ((topic, partitions),) = kind.RESPONSE_TYPE.decode(body).topics
    assert topic == "t"
    assert [one[0] for one in partitions] == [3, 4]
    schema = kind.RESPONSE_TYPE.SCHEMA.fields[kind.RESPONSE_TYPE.SCHEMA.names.index("topics")].array_of
    place = schema.fields[1].array_of.names.index("error_code")
    assert [one[place] for one in partitions] == [45, 45]
    assert body.read() == b""


def test_frames_come_whole_from_any_pieces() -> None:
    stream = b"".join(len(body).to_bytes(4, "big") + body for body in (b"", b"a", b"bc" * 500))
    frames = Frames()
    found = [frame for start in range(0, len(stream), 3) for frame in frames.feed(stream[start : start + 3])]
    assert b"".join(found) == stream
    assert len(found) == 3


@pytest.mark.parametrize("after", [True, False])
def test_only_the_refused_kind_is_answered_otherwise_and_in_its_turn(after: bool) -> None:
    counts: list[None] = []
    talk = Conversation(lambda: Refusal(PRODUCE, 6, 1.0, after), lambda: 0.5, lambda: counts.append(None))
    produce, fetch = (
        framed(asked(kind._CLASSES[-1], rows), number) for number, kind in ((1, ProduceRequest), (2, FetchRequest))
    )
    passed = talk.request(produce + fetch)
    assert passed.endswith(fetch)
    assert (passed[: -len(fetch)] == produce) is after
    first, second = ((len(body) + 4).to_bytes(4, "big") + number + body for number, body in _answers())
    assert talk.answer(first + second) == refused(produce, 6) + second
    assert len(counts) == 1


def _answers() -> list[tuple[bytes, bytes]]:
    return [(b"\0\0\0\1", b"whatever"), (b"\0\0\0\2", b"records")]


def test_without_bad_luck_or_for_another_kind_nothing_changes() -> None:
    produce = framed(asked(ProduceRequest._CLASSES[-1], rows))
    for refusal, luck in ((None, 0.0), (Refusal(FETCH, 6, 1.0), 0.0), (Refusal(PRODUCE, 6, 0.3), 0.3)):
        talk = Conversation(lambda refusal=refusal: refusal, lambda luck=luck: luck, lambda: None)
        assert talk.request(produce) == produce
