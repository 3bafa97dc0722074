"""XML-RPC over a Unix socket, which is how supervisor is spoken to without a port."""

import socket
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from xmlrpc.client import ServerProxy, Transport

_ANSWERS_WITHIN_S = 30.0


class _Connection(HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_ANSWERS_WITHIN_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class _UnixTransport(Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> HTTPConnection:
        """One connection for all calls; the base class closes it after a failure."""
        connection = self._connection[1] or _Connection(self._path)
        self._connection = host, connection
        return connection


def connect(path: Path) -> ServerProxy:
    """A server's methods by name. Raises FileNotFoundError or ConnectionError at the first call when nobody listens."""
    return ServerProxy("http://localhost", transport=_UnixTransport(path))
