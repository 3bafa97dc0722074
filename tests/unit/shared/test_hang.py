"""A loop that hangs, and one that does not."""

import subprocess
import sys

from shared.hang import LoopWatch

HANGS = """
import asyncio, time
from shared.hang import ended_when_hung

async def works():
    with ended_when_hung(1.0) as loop_runs:
        loop_runs()
        stands_still()

def stands_still():
    time.sleep(600)

asyncio.run(works())
"""


def test_silence_is_counted_from_the_last_beat() -> None:
    watch = LoopWatch(every_s=1.0)
    assert [watch.look() for _ in range(3)] == [1.0, 2.0, 3.0]
    watch.beat()
    assert [watch.look() for _ in range(2)] == [0.0, 1.0]


def test_a_process_whose_loop_hangs_ends_and_says_where() -> None:
    done = subprocess.run([sys.executable, "-c", HANGS], check=False, capture_output=True, text=True, timeout=50)
    assert done.returncode == 1
    assert "the event loop has hung for 1 s: starting over" in done.stderr
    assert "in stands_still" in done.stderr


def test_a_loop_that_left_is_not_missed() -> None:
    left = HANGS.replace("stands_still()\n\ndef", "pass\n    time.sleep(2.5)\n\ndef")
    done = subprocess.run([sys.executable, "-c", left], check=False, capture_output=True, text=True, timeout=50)
    assert (done.returncode, done.stderr) == (0, "")
