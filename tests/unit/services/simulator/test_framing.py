import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.simulator.framing import BINARY, TEXT, Deflate, frame


@pytest.mark.parametrize(
    ("length", "head"), [(0, b"\x81\x00"), (125, b"\x81\x7d"), (126, b"\x81\x7e\x00\x7e"),
                         (65_535, b"\x81\x7e\xff\xff"), (65_536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00")],
)  # fmt: skip
def test_the_header_tells_the_length(length: int, head: bytes) -> None:
    assert frame(TEXT, b"x" * length) == head + b"x" * length


def test_a_compressed_frame_says_so() -> None:
    assert frame(BINARY, b"", compressed=True)[0] == 0x80 | 0x40 | BINARY


@pytest.mark.parametrize("keeps_context", [True, False])
@given(messages=st.lists(st.binary(max_size=300), min_size=1, max_size=5))
def test_what_was_compressed_comes_back(keeps_context: bool, messages: list[bytes]) -> None:
    deflate = Deflate(12, keeps_context=keeps_context)
    inflate = zlib.decompressobj(-12)
    for message in messages:
        if not keeps_context:
            inflate = zlib.decompressobj(-12)
        assert inflate.decompress(deflate.compress(message) + b"\x00\x00\xff\xff") == message
