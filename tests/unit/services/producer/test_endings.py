import ssl

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK, InvalidMessage, InvalidStatus
from websockets.frames import Close
from websockets.http11 import Response

from services.producer.endings import LONGEST_BAN_S, LONGEST_WAIT_S, Ending, Stale, classify, is_answered, wished_s
from services.producer.exchanges.base import TOO_LARGE, ExchangeError


def _status(code, **headers):
    return InvalidStatus(Response(code, "x", Headers(headers)))


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (ConnectionClosedOK(Close(1000, ""), None), Ending("closed", "closed with 1000")),
        (ConnectionClosedError(Close(1001, "bye"), None), Ending("closed", "closed with 1001 bye")),
        (ConnectionClosedError(Close(1008, "Too many requests"), None),
         Ending("limited", "closed with 1008 Too many requests", wait_at_least_s=1.0)),
        (ConnectionClosedError(None, Close(1009, "frame with 2000000 bytes")),
         Ending("too large", f"a frame {TOO_LARGE}")),
        (ConnectionClosedError(Close(1009, ""), Close(1009, ""), rcvd_then_sent=True),
         Ending("closed", "closed with 1009")),
        (ConnectionClosedError(None, None), Ending("lost", "no close frame received or sent")),
        (_status(429, **{"Retry-After": "7"}), Ending("limited", "HTTP 429 to the handshake", wait_at_least_s=7.0)),
        (_status(418, **{"Retry-After": "259200"}),
         Ending("limited", "HTTP 418 to the handshake", wait_at_least_s=259_200.0)),
        (_status(429, **{"Retry-After": "9" * 400}),
         Ending("limited", "HTTP 429 to the handshake", wait_at_least_s=LONGEST_BAN_S)),
        (_status(503, **{"Retry-After": "86400"}),
         Ending("handshake", "HTTP 503 to the handshake", wait_at_least_s=LONGEST_WAIT_S)),
        (_status(418), Ending("limited", "HTTP 418 to the handshake", wait_at_least_s=1.0)),
        (InvalidStatus(Response(418, "x", Headers(), b"Blocked for 30 seconds")),
         Ending("limited", "HTTP 418 to the handshake", wait_at_least_s=30.0)),
        (_status(404), Ending("handshake", "HTTP 404 to the handshake", permanent=True)),
        (_status(503), Ending("handshake", "HTTP 503 to the handshake")),
        (InvalidMessage("no HTTP"), Ending("handshake", "no HTTP")),
        (ExchangeError("2: bad", permanent=True), Ending("refused", "the exchange says 2: bad", permanent=True)),
        (Stale("no data"), Ending("stalled", "no data")),
        (TimeoutError(), Ending("timeout", "no answer in time")),
        (ConnectionRefusedError(111, "refused"), Ending("network", "[Errno 111] refused")),
        (ssl.SSLError("bad"), Ending("network", "('bad',)")),
        (KeyError("a bug"), None),
    ],
)  # fmt: skip
def test_every_foreseen_ending_has_its_meaning(error, ending):
    assert classify(error) == ending


@pytest.mark.parametrize(
    ("status", "header", "said", "seconds"),
    [
        (418, "", '{"error":{"name":"too_many_requests","message":"Blocked for 45 seconds"}}', 45.0),
        (418, "", "10 requests per 1 second exceeded: blocked for 120s", 120.0),
        (418, "", "300초 동안 차단되었습니다", 300.0),
        (418, "", "Blocked for 999999999 seconds", LONGEST_BAN_S),
        (418, "", "IP banned until 1893456000000.", 0.0),
        (418, "", "\ufffd", 0.0),
        (418, "7", "Blocked for 45 seconds", 7.0),
        (429, "", "Try again in 45 seconds", 0.0),
    ],
)
def test_how_long_a_ban_is_stands_in_its_header_or_in_its_text(status, header, said, seconds):
    assert wished_s(status, header, said.encode()) == seconds


@pytest.mark.parametrize(
    ("error", "is_whole"),
    [
        (ConnectionClosedOK(Close(1000, ""), Close(1000, ""), rcvd_then_sent=False), True),
        (ConnectionClosedError(Close(1001, "bye"), None), True),
        (ConnectionClosedError(None, Close(1000, "")), False),
        (ConnectionClosedError(None, None), False),
        (ConnectionClosedError(Close(1009, ""), Close(1009, ""), rcvd_then_sent=False), False),
        (Stale("no frame at all"), False),
    ],
)
def test_a_line_was_read_to_its_end_if_the_exchange_closed_it_too_and_we_left_out_no_frame(error, is_whole):
    assert is_answered(error) is is_whole
