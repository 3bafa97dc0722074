"""Spoils good frames, to show that adapters answer any bytes in bounded time. `python -m benchmarks.mutate [COUNT]`."""

import random
import sys
import time
from collections import Counter

from benchmarks.frames import FRAMES, adapter
from services.producer.exchanges.base import ExchangeError, InvalidFrame
from shared import wire

HOSTILE = (
    b"NaN", b"Infinity", b"-Infinity", b"-1", b"0", b"-0", b"0.0", b"1e99999999", b"1E-99999999", b"9" * 40,
    b"9" * 5000, b"0." + b"0" * 30 + b"1", b"null", b"true", b'""', b'"\\u0000"', b'"\\ud800"', b"\xff",
    b"\xed\xa0\x80",
    b"[]", b"{}", b"[" * 5000, b'{"a":' * 5000, b'"' + b"x" * 10_000 + b'"', b"1_000", "１２".encode(), b" ", b"\x00",
)  # fmt: skip
"""Values and bytes that have broken parsers before."""

HANDMADE = (
    b"", b" ", b"{", b"[", b"{}", b"[]", b"null", b"1", b'""', b"hello", b"PONG", b"\xff\xfe", b"\xef\xbb\xbf{}",
    "\ud800", '{"type":"\ud800"}',
    b"[" * 500_000, b'{"a":' * 200_000, b"[" + b"1," * 400_000 + b"1]", b"[" + b"{}," * 300_000 + b"{}]",
    b"[" + b"[]," * 300_000 + b"[]]", b'{"type":"trade","code":' + b"[" * 900_000,
    b"{" + b",".join(b'"k%d":%d' % (n, n) for n in range(60_000)) + b"}",
    b'{"type":"orderbook","code":"KRW-BTC","timestamp":1,"orderbook_units":[' + b"{}," * 300_000 + b"{}]}",
    b'{"stream":"btcusdt@depth5","data":{"lastUpdateId":1,"asks":[],"bids":[' + b'["1","1"],' * 90_000 + b"[]]}}",
    b'{"stream":"' + b"x" * 900_000 + b'","data":{"e":"trade"}}',
    b'{"type":"trade","code":"' + b"x" * 900_000 + b'"}',
    b'{"type":"trade","code":"KRW-BTC","trade_price":' + b"9" * 900_000 + b',"trade_volume":1,"ask_bid":"ASK",'
    b'"trade_timestamp":1,"sequential_id":1}',
    b'{"type":"trade","code":"KRW-BTC","trade_price":1,"trade_volume":1,"ask_bid":"ASK","trade_timestamp":1,'
    b'"sequential_id":' + b"9" * 900_000 + b"}",
    b'{"error":{"name":"' + b"x" * 900_000 + b'","message":"' + b"\\u0000" * 10_000 + b'"}}',
    b'{"error":{"code":1,"msg":"' + b"x" * 900_000 + b'"}}',
    b'{"status":"UP","error":null}', b'{"error":null}', b'{"result":null}', b'{"id":1}',
    b"x" * 10_000_000,
)  # fmt: skip
"""Frames that no exchange sends, made to hurt."""


def mutated(frame: bytes, rng: random.Random) -> bytes:
    """`frame` with one to three faults of any kind."""
    for _ in range(rng.randint(1, 3)):
        frame = rng.choice(_FAULTS)(frame, rng)
    return frame


def _flip(frame: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(frame) + 1)
    return frame[:at] + bytes([rng.randrange(256)]) + frame[at + 1 :]


def _cut(frame: bytes, rng: random.Random) -> bytes:
    begin, end = sorted((rng.randrange(len(frame) + 1), rng.randrange(len(frame) + 1)))
    return frame[:begin] if rng.random() < 0.5 else frame[:begin] + frame[end:]


def _repeat(frame: bytes, rng: random.Random) -> bytes:
    begin, end = sorted((rng.randrange(len(frame) + 1), rng.randrange(len(frame) + 1)))
    return frame[:end] + frame[begin:end] * rng.randint(1, 3) + frame[end:]


def _insert(frame: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(frame) + 1)
    return frame[:at] + rng.choice(HOSTILE) + frame[at:]


def _replace_value(frame: bytes, rng: random.Random) -> bytes:
    colons = [at for at, byte in enumerate(frame) if byte == ord(":")]
    if not colons:
        return _insert(frame, rng)
    begin = rng.choice(colons) + 1
    end = min((at for at in (frame.find(b",", begin), frame.find(b"}", begin)) if at >= 0), default=len(frame))
    return frame[:begin] + rng.choice(HOSTILE) + frame[end:]


def _change_digit(frame: bytes, rng: random.Random) -> bytes:
    digits = [at for at, byte in enumerate(frame) if 0x30 <= byte <= 0x39]
    if not digits:
        return _flip(frame, rng)
    at = rng.choice(digits)
    return frame[:at] + rng.choice((b"", b"0", b"9", b".", b"e", b"-", b"00")) + frame[at + 1 :]


_FAULTS = (_flip, _cut, _repeat, _insert, _replace_value, _change_digit)


def main(count: int) -> int:
    """Try `count` frames on each adapter; 1 when one takes too long. An error that is not foreseen ends it."""
    failed = False
    for exchange, kinds in FRAMES.items():
        reader, seeds = adapter(exchange), list(kinds.values())
        rng, outcomes, slowest_s = random.Random(count), Counter[str](), 0.0
        for number in range(count):
            frame = mutated(rng.choice(seeds), rng)
            began_s = time.thread_time()
            try:
                parsed = reader.parse(frame, number)
                outcomes["events" if isinstance(parsed, list) else "notices"] += 1
                for event in parsed if isinstance(parsed, list) else ():
                    wire.decode(type(event), wire.encode(event))
            except (InvalidFrame, ExchangeError) as refused:
                outcomes[type(refused).__name__] += 1
            slowest_s = max(slowest_s, time.thread_time() - began_s)
        failed = failed or slowest_s > 0.05
        print(f"{exchange:8} {count:,} frames: {dict(outcomes)}, slowest {slowest_s * 1000:.2f} ms of cpu")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000))
