"""Ports on loopback: one that was asked for, or a free one."""

import random
import socket
from dataclasses import dataclass

from shared.errors import Unreachable, WrongUse

# Below the range that systems take outgoing ports from. Inside it, a client that retries against a server that is
# down can be given that very port as its own, connect to itself, and keep the server from coming back.
_CANDIDATES = range(20_000, 32_000)
_TRIES = 200


def is_free(port: int) -> bool:
    """Whether nobody listens on this port of loopback now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port that nobody listens on now; somebody may be quicker, so whoever binds it must be ready to ask again."""
    for port in random.sample(_CANDIDATES, _TRIES):
        if is_free(port):
            return port
    raise Unreachable(f"no free port among {_TRIES} tried between {_CANDIDATES.start} and {_CANDIDATES.stop}")


@dataclass
class Port:
    """A server's port. `asked` is the one a person wants; without it `pick` takes a free one and stays with it."""

    asked: int | None = None
    picked: int | None = None

    @property
    def number(self) -> int:
        """The port in force. Only after `pick`."""
        if self.picked is None:
            raise RuntimeError("the port has not been picked yet")
        return self.picked

    def pick(self, server: str) -> int:
        """Choose the port, or keep the one chosen before. Raises WrongUse when the one asked for is taken."""
        if self.picked is None:
            if self.asked is not None and not is_free(self.asked):
                raise in_use(server, self.asked)
            self.picked = self.asked or free_port()
        return self.picked

    def drop(self) -> bool:
        """Forget a free port that somebody else was quicker to take. False when this very one was asked for."""
        if self.asked is None:
            self.picked = None
        return self.asked is None


def in_use(server: str, port: int) -> WrongUse:
    """The error for a port that must be this one and is taken."""
    return WrongUse(f"port {port} for {server} is already in use: stop what listens there or choose another port")
