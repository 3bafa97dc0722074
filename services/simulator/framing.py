"""WebSocket frames from server to client (RFC 6455, RFC 7692): made once a message, sent to many. Pure."""

import struct
import zlib

TEXT, BINARY = 0x1, 0x2
_FINAL, _COMPRESSED = 0x80, 0x40
_SYNC_TAIL = b"\x00\x00\xff\xff"
_head2 = struct.Struct("!BBH").pack
_head8 = struct.Struct("!BBQ").pack


def frame(opcode: int, payload: bytes, *, compressed: bool = False) -> bytes:
    """Put an unmasked header before `payload`."""
    first = _FINAL | (_COMPRESSED if compressed else 0) | opcode
    length = len(payload)
    if length < 126:
        return bytes((first, length)) + payload
    if length < 65_536:
        return _head2(first, 126, length) + payload
    return _head8(first, 127, length) + payload


class Deflate:
    """One connection's permessage-deflate state: each message continues the window unless that was negotiated away."""

    def __init__(self, window_bits: int, *, keeps_context: bool) -> None:
        self._window_bits = window_bits
        self._keeps_context = keeps_context
        self._compressor = self._new()

    def compress(self, payload: bytes) -> bytes:
        """Compress one message as RFC 7692, section 7.2.1 says."""
        if not self._keeps_context:
            self._compressor = self._new()
        data = self._compressor.compress(payload) + self._compressor.flush(zlib.Z_SYNC_FLUSH)
        return data.removesuffix(_SYNC_TAIL)

    def _new(self) -> "zlib._Compress":
        return zlib.compressobj(zlib.Z_BEST_SPEED, zlib.DEFLATED, -self._window_bits)
