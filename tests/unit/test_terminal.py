import os

from tests.terminal import Terminal


async def test_a_character_and_a_sequence_that_a_read_cuts_in_two_are_seen_whole() -> None:
    async with Terminal() as terminal:
        bar, blue = "─".encode(), b"\x1b[34m"
        os.write(terminal._theirs, b"up " + bar[:1])
        assert terminal.look()[0].rstrip() == "up"

        os.write(terminal._theirs, bar[1:] + b" down" + blue[:2])
        terminal.look()
        os.write(terminal._theirs, blue[2:] + b"!")
        assert terminal.look()[0].rstrip() == "up ─ down!"
