import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared import wire
from shared.contract.models import MODEL_OF_EVENT
from shared.events import Event

of_each_event = pytest.mark.parametrize("event_type", MODEL_OF_EVENT, ids=lambda one: one.__name__)

HOSTILE: list[Any] = [
    None,
    True,
    -1,
    0,
    1.5,
    1.0,
    10**15,
    10**19,
    1 << 31,
    1 << 63,
    (1 << 63) - 1,
    "",
    "0",
    "1",
    "-1",
    "-0.5",
    "00.1",
    "1.",
    "NaN",
    "1e5",
    "1_0",
    "１２",
    "9223372036854775808",
    "9" * 38,
    "9" * 39,
    "0." + "1" * 18,
    "0." + "1" * 19,
    "x" * 64,
    "x" * 65,
    "x" * 2001,
    "a\0b",
    "a\\u0000b",
    [],
    [""],
    ["x", None],
    [["1", "2"]],
    [["1"]],
    [["1", "1e3"]],
    [["1", "2", "3"]],
    [["1", "2"]] * 101,
    {},
    "buy",
    "gap",
    "open",
]


def accepted_by_codec(event_type: type[Event], value: bytes) -> bool:
    try:
        wire.decode(event_type, value)
    except wire.InvalidRecord:
        return False
    return True


def accepted_by_model(event_type: type[Event], value: bytes) -> bool:
    try:
        MODEL_OF_EVENT[event_type].model_validate_json(value)
    except ValidationError:
        return False
    return True


def test_every_event_is_published() -> None:
    assert set(MODEL_OF_EVENT) == set(wire.SCHEMA_OF_EVENT)


@of_each_event
def test_fields_have_the_same_names_order_and_defaults(event_type: type[Event]) -> None:
    fields = msgspec.structs.fields(event_type)
    required = {field.encode_name: field.required for field in fields}
    model = MODEL_OF_EVENT[event_type].model_fields
    assert {field.alias or name: field.is_required() for name, field in model.items()} == required
    assert [field.alias or name for name, field in model.items()] == list(required)


@of_each_event
@given(data=st.data())
def test_both_forms_write_the_same_bytes(event_type: type[Event], events: Any, data: st.DataObject) -> None:
    value = wire.encode(data.draw(events[event_type]))
    model = MODEL_OF_EVENT[event_type].model_validate_json(value)
    assert model.model_dump_json(by_alias=True).encode() == value


@of_each_event
@given(data=st.data())
def test_both_forms_refuse_the_same(event_type: type[Event], events: Any, data: st.DataObject) -> None:
    content = json.loads(wire.encode(data.draw(events[event_type])))
    name = data.draw(st.sampled_from(list(content)))
    if data.draw(st.booleans()):
        content[name] = data.draw(st.sampled_from(HOSTILE))
    else:
        del content[name]
    content["a field of tomorrow"] = data.draw(st.sampled_from([1, "x", None, {"deep": [1]}]))
    value = json.dumps(content).encode()
    assert accepted_by_codec(event_type, value) == accepted_by_model(event_type, value)


@of_each_event
def test_every_hostile_value_in_every_field(event_type: type[Event], sample: Any) -> None:
    content = json.loads(wire.encode(sample(event_type)))
    for name in content:
        for hostile in HOSTILE:
            value = json.dumps(content | {name: hostile}).encode()
            verdicts = accepted_by_codec(event_type, value), accepted_by_model(event_type, value)
            assert verdicts[0] == verdicts[1], (name, hostile)
