"""Ports that are asked for are these or an error; free ones are outside the range of outgoing connections."""

import socket
from collections.abc import Iterator

import pytest

from devstack.ports import Port, free_port, is_free
from shared.errors import WrongUse


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_port_with_a_listener_is_not_free(taken: int) -> None:
    assert not is_free(taken)


def test_free_ports_lie_below_those_of_outgoing_connections() -> None:
    ports = {free_port() for _ in range(20)}
    assert max(ports) < 32_768
    assert all(is_free(port) for port in ports)


def test_a_taken_port_that_was_asked_for_is_an_error_that_names_it(taken: int) -> None:
    with pytest.raises(WrongUse, match=f"port {taken} for Kafka is already in use"):
        Port(taken).pick("Kafka")


def test_a_picked_port_stays_the_same_until_it_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    offered = iter((20_001, 20_002))
    monkeypatch.setattr("devstack.ports.free_port", lambda: next(offered))
    port = Port()
    assert [port.pick("Kafka"), port.pick("Kafka"), port.number] == [20_001] * 3
    assert port.drop()
    assert port.pick("Kafka") == 20_002


def test_a_port_that_was_asked_for_is_not_dropped() -> None:
    port = Port(asked=free_port())
    port.pick("Kafka")
    assert not port.drop()
    assert port.number == port.asked
