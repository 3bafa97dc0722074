"""The sending half of one WebSocket connection: never waits, bounded, says whether a message was really taken."""

import asyncio
import struct

from aiohttp import web

from services.simulator.drip import Drip
from services.simulator.framing import Deflate, frame

MAX_UNSENT_BYTES = 8 << 20
_CLOSE, _PING, _PONG = 0x8, 0x9, 0xA
_CLOSE_WITHIN_S = 1.0


class Message:
    """One payload and its frame, made once however many connections it goes to."""

    __slots__ = ("frame", "payload")

    def __init__(self, opcode: int, payload: bytes) -> None:
        self.payload = payload
        self.frame = frame(opcode, payload)


class Connection:
    """Frames wait in `_unsent` until `flush`, so that a busy moment costs one system call a connection.

    A reader that leaves more than `max_unsent_bytes` unread is cut off, as exchanges do. While `is_mute`, nothing at
    all is sent: a connection that TCP believes alive and no frame ever leaves.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        opcode: int,
        deflate: Deflate | None = None,
        max_unsent_bytes: int = MAX_UNSENT_BYTES,
    ) -> None:
        self._transport = transport
        self._opcode = opcode
        self._deflate = deflate
        self.max_unsent_bytes = max_unsent_bytes
        self._unsent: list[bytes] = []
        self._unsent_bytes = 0
        self._is_closing = False
        self._drip: Drip | None = None
        self.is_mute = False
        self.sent_messages = 0
        self.last_sent_s = 0.0

    @classmethod
    def of(cls, request: web.Request, response: web.WebSocketResponse, opcode: int) -> "Connection":
        """Send on an upgraded request, compressed as it was negotiated."""
        transport = request.transport
        if not isinstance(transport, asyncio.Transport):
            raise ConnectionResetError("the client is gone")
        deflate = None
        if response.compress:
            extensions = response.headers.get("Sec-WebSocket-Extensions", "")
            deflate = Deflate(int(response.compress), keeps_context="server_no_context_takeover" not in extensions)
        return cls(transport, opcode, deflate)

    @property
    def is_open(self) -> bool:
        """Whether what is sent can still arrive."""
        return not (self._is_closing or self._transport.is_closing())

    def send(self, message: Message) -> bool:
        """Hand one message over. False: nobody will read it (closing, mute, or cut off for reading too slowly)."""
        if self.is_mute or self._is_closing or self._transport.is_closing():
            return False
        data = message.frame
        if self._deflate is not None:
            data = frame(self._opcode, self._deflate.compress(message.payload), compressed=True)
        waiting = self._unsent_bytes + self._transport.get_write_buffer_size()
        if self._drip is not None:
            waiting += self._drip.waiting_bytes
        if waiting > self.max_unsent_bytes:  # a message of any length to somebody who reads is no backlog
            self.abort()
            return False
        self._unsent.append(data)
        self._unsent_bytes += len(data)
        self.sent_messages += 1
        return True

    def tell(self, payload: bytes) -> None:
        """Send one message of this connection alone, at once."""
        self.send(Message(self._opcode, payload))
        self.flush()

    def flush(self) -> None:
        """Give everything that waits to the kernel."""
        if self._unsent and not self._transport.is_closing():
            self._write(b"".join(self._unsent))
            self.last_sent_s = asyncio.get_running_loop().time()
        self._unsent.clear()
        self._unsent_bytes = 0

    def ping(self, payload: bytes) -> None:
        """Send a ping."""
        self._control(_PING, payload)

    def pong(self, payload: bytes) -> None:
        """Answer a ping."""
        self._control(_PONG, payload)

    def _control(self, opcode: int, payload: bytes) -> None:
        self.flush()
        if not self.is_mute and self.is_open:
            self._write(frame(opcode, payload))

    def drip(self, bytes_per_s: int) -> None:
        """Let only so many bytes a second leave from now on, whatever they are."""
        self.flow()
        self._drip = Drip(self._transport, bytes_per_s)

    def flow(self) -> None:
        """Let everything leave at once again."""
        if self._drip is not None:
            self._drip.end()
            self._drip = None

    def _write(self, data: bytes) -> None:
        if self._drip is None:
            self._transport.write(data)
        else:
            self._drip.write(data)

    def close(self, code: int, reason: str = "") -> None:
        """Send a close frame, and hang up a second later if the client does not.

        Hanging up at once would reset the connection under a client that is still sending: it would never see the code.
        """
        self.flush()
        if self.is_open:
            self._is_closing = True
            self._write(frame(_CLOSE, struct.pack("!H", code) + reason.encode()))
            asyncio.get_running_loop().call_later(_CLOSE_WITHIN_S, self._transport.close)

    def abort(self) -> None:
        """Hang up without a close frame; the client sees code 1006."""
        self._unsent.clear()
        self._unsent_bytes = 0
        if self._drip is not None:
            self._drip.drop()
        self._transport.abort()

    def end(self) -> None:
        """The client has hung up: a trickle ends where it is, inside a frame, so nothing more can be said in order."""
        if self._drip is not None:
            self.abort()

    def reset_inside_a_frame(self, payload: bytes) -> None:
        """Send the first half of a frame and hang up."""
        self.flush()
        data = frame(self._opcode, payload)
        self._write(data[: len(data) // 2])
        self._transport.close()
