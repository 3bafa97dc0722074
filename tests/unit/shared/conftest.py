"""Strategies that draw any event that the types of `shared.events` allow."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import strategies as st
from msgspec import inspect

from shared.wire import SCHEMA_OF_EVENT

Strategies = dict[type, st.SearchStrategy[Any]]


@pytest.fixture(scope="session")
def plain_decimals() -> st.SearchStrategy[str]:
    return _plain_decimals()


@pytest.fixture(scope="session")
def events() -> Strategies:
    """A strategy for each event type."""
    return {event: _structs(event) for event in SCHEMA_OF_EVENT}


def _plain_decimals() -> st.SearchStrategy[str]:
    whole = st.integers(0, 10**20 - 1).map(str)
    # Few draws: a regular expression, or digits one by one, took most of the time of every property.
    digits = st.tuples(st.integers(0, 10**18 - 1), st.integers(1, 18)).map(
        lambda drawn: f"{drawn[0]:018d}"[-drawn[1] :]
    )
    fraction = st.just("") | digits.map(lambda last: f".{last}")
    return st.tuples(whole, fraction).map("".join)


def _structs(struct: type[msgspec.Struct]) -> st.SearchStrategy[msgspec.Struct]:
    described = inspect.type_info(struct)
    assert isinstance(described, inspect.StructType)
    required = {field.name: _values(field.type, field.name) for field in described.fields if field.required}
    optional = {field.name: _values(field.type, field.name) for field in described.fields if not field.required}
    return st.fixed_dictionaries(required, optional=optional).map(lambda fields: struct(**fields))


def _values(kind: inspect.Type, name: str) -> st.SearchStrategy[Any]:
    match kind:
        case inspect.StrType(max_length=19):
            return st.integers(0, (1 << 63) - 1).map(str)
        case inspect.StrType(max_length=None):  # prices and quantities, and what may be any text at all
            return _above_zero() if name in {"price", "quantity"} else _plain_decimals()
        case inspect.StrType(min_length=shortest, max_length=longest):
            characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
            return st.text(characters, min_size=shortest or 0, max_size=min(longest or 30, 30))
        case inspect.IntType(ge=lowest, le=highest):
            return st.integers(lowest, highest)
        case inspect.BoolType():
            return st.booleans()
        case inspect.NoneType():
            return st.none()
        case inspect.LiteralType(values=values):
            return st.sampled_from(values)
        case inspect.UnionType(types=types):
            return st.one_of(*(_values(one, name) for one in types))
        case inspect.ListType(item_type=item):
            return st.lists(_values(item, name), max_size=4)
        case inspect.TupleType(item_types=items):
            return st.tuples(*(_values(item, name) for item in items))
    raise NotImplementedError(kind)


def _above_zero() -> st.SearchStrategy[str]:
    return _plain_decimals().filter(lambda text: text.strip("0.") != "")


@pytest.fixture(scope="session")
def sample() -> Callable[[type], msgspec.Struct]:
    """One event of a type with every field set."""

    def make(event: type[msgspec.Struct]) -> msgspec.Struct:
        fields = msgspec.structs.fields(event)
        described = inspect.type_info(event)
        assert isinstance(described, inspect.StructType)
        return event(**{field.name: _one(kind.type) for field, kind in zip(fields, described.fields, strict=True)})

    return make


def _one(kind: inspect.Type) -> Any:
    match kind:
        case inspect.StrType():
            return "1"
        case inspect.IntType():
            return 1
        case inspect.BoolType():
            return True
        case inspect.LiteralType(values=values):
            return values[0]
        case inspect.UnionType(types=types):
            return _one(next(one for one in types if not isinstance(one, inspect.NoneType)))
        case inspect.ListType(item_type=item):
            return [_one(item)]
        case inspect.TupleType(item_types=items):
            return tuple(_one(item) for item in items)
    raise NotImplementedError(kind)
