"""A service's connections are given up when the other side has vanished without a word, whichever client made them.

A cable that was pulled tells nobody. Who only waits for an answer then waits until the other side tries again, and that
tries ever more seldom (RFC 6298): after half a minute of silence the next attempt may be another half away.
"""

import asyncio
import socket
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

GIVEN_UP_AFTER_S = 10
"""No sign of life for so long, and a connection is broken (RFC 5482): of bytes that nobody acknowledged, of one that
is being opened, and of a silent one, which is asked from the fourth second on. Also of one that answers and takes
nothing for so long: whoever is frozen while buffers are full finds its connection gone."""

_ASKED_AFTER_S, _ASKED_EVERY_S = 4, 2
_TIMES_ASKED = (GIVEN_UP_AFTER_S - _ASKED_AFTER_S) // _ASKED_EVERY_S
_BY_NAME = {
    "TCP_USER_TIMEOUT": GIVEN_UP_AFTER_S * 1_000,
    "TCP_KEEPIDLE": _ASKED_AFTER_S,
    "TCP_KEEPINTVL": _ASKED_EVERY_S,
    "TCP_KEEPCNT": _TIMES_ASKED,
}
OPTIONS: Mapping[int, int] = {
    number: value for name, value in _BY_NAME.items() if (number := getattr(socket, name, None)) is not None
}
"""Options of TCP, those that this system has, for clients that set their own."""
LIBPQ = {
    "tcp_user_timeout": GIVEN_UP_AFTER_S * 1_000,
    "keepalives_idle": _ASKED_AFTER_S,
    "keepalives_interval": _ASKED_EVERY_S,
    "keepalives_count": _TIMES_ASKED,
}
"""The same for libpq, which opens connections by itself: parameters of a connection string."""
POSTGRES = {
    "tcp_user_timeout": f"{GIVEN_UP_AFTER_S}s",
    "tcp_keepalives_idle": str(_ASKED_AFTER_S),
    "tcp_keepalives_interval": str(_ASKED_EVERY_S),
    "tcp_keepalives_count": str(_TIMES_ASKED),
}
"""The same for a session's other end: a host that vanished gives up its locks when it gives up its connections."""

T = TypeVar("T")


class _Loop(asyncio.SelectorEventLoop):
    """Every client of a service opens its connections through the event loop; few let their sockets be set."""

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            watch(sock)
        await super().sock_connect(sock, address)


def watch(sock: socket.socket) -> None:
    """Give this connection up in time; of a socket that listens, each that it accepts."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in OPTIONS.items():
        sock.setsockopt(socket.IPPROTO_TCP, option, value)


def run(main: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.run`; a TCP connection made inside is given up after `GIVEN_UP_AFTER_S` without a sign of life."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(main)
