"""Why a connection ended, in words that people and metrics can use, and whether trying again soon makes sense."""

import re
from typing import Literal, NamedTuple

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.frames import CloseCode

from services.producer.exchanges.base import TOO_LARGE, ExchangeError, readable

_NOT_THERE_OR_NOT_FOR_US = frozenset({400, 401, 403, 404})
BANNED = 418
_SLOW_DOWN = frozenset({BANNED, 429})
_SECONDS = re.compile(r"([0-9]{1,9})\s*(?:s\b|secs?\b|seconds?\b|초)")
LONGEST_WAIT_S = 600.0
"""A maintenance page may ask for any time; whoever asks for more than this is not believed."""
LONGEST_BAN_S = 7 * 86_400.0
"""The same of a ban: more than twice the longest there is."""


class Stale(Exception):
    """A connection that went silent."""


EndingKind = Literal["closed", "handshake", "limited", "lost", "network", "refused", "stalled", "timeout", "too large"]


class Ending(NamedTuple):
    """`kind` is for metrics. `permanent`: the same attempt would fail the same way."""

    kind: EndingKind
    reason: str
    permanent: bool = False
    wait_at_least_s: float = 0.0


def classify(error: BaseException) -> Ending | None:
    """What an ended connection means; None for what nobody foresaw, which must end the process."""
    if isinstance(error, ExchangeError):
        return Ending("refused", f"the exchange says {error}", error.permanent)
    if isinstance(error, Stale):
        return Ending("stalled", str(error))
    if isinstance(error, ConnectionClosed):
        return _closed(error)
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        wait_s = wished_s(status, error.response.headers.get("Retry-After", ""), bytes(error.response.body or b""))
        if status in _SLOW_DOWN:
            return Ending("limited", f"HTTP {status} to the handshake", wait_at_least_s=max(wait_s, 1.0))
        return Ending("handshake", f"HTTP {status} to the handshake", status in _NOT_THERE_OR_NOT_FOR_US, wait_s)
    if isinstance(error, InvalidHandshake | InvalidURI):
        return Ending("handshake", readable(error))
    if isinstance(error, TimeoutError):
        return Ending("timeout", readable(error) or "no answer in time")
    if isinstance(error, OSError | EOFError):
        return Ending("network", readable(error))
    return None


def is_too_large(error: ConnectionClosed) -> bool:
    """Whether we hung up ourselves, on a frame longer than we read: our close code is 1009, and not an answer."""
    return error.sent is not None and error.sent.code == CloseCode.MESSAGE_TOO_BIG and not error.rcvd_then_sent


def is_answered(error: BaseException) -> bool:
    """Whether the exchange said that it closes, or answered that we do: what it had sent before has come."""
    return isinstance(error, ConnectionClosed) and error.rcvd is not None and not is_too_large(error)


def _closed(error: ConnectionClosed) -> Ending:
    if is_too_large(error):
        return Ending("too large", f"a frame {TOO_LARGE}")
    if error.rcvd is None:
        return Ending("lost", readable(error))
    limited = error.rcvd.code == 1008
    words = f"closed with {error.rcvd.code} {readable(error.rcvd.reason)}".rstrip()
    return Ending("limited" if limited else "closed", words, wait_at_least_s=1.0 if limited else 0.0)


def wished_s(status: int, header: str, said: bytes) -> float:
    """For how many seconds we shall wait: by a Retry-After header, or by the text of a ban, where Upbit says it.

    0 when neither says so in seconds.
    """
    longest_s = LONGEST_BAN_S if status in _SLOW_DOWN else LONGEST_WAIT_S
    if header.isascii() and header.isdigit():
        return min(float(header), longest_s)
    if status != BANNED:
        return 0.0
    # The text may name the limit that was exceeded, too; who waits for the longer of the two is not too early.
    return min(max(map(float, _SECONDS.findall(said.decode(errors="replace"))), default=0.0), longest_s)
