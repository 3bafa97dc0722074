"""The demo on a terminal, as a person sees it."""

import os
import re
import sys

import pytest

from tests.e2e.conftest import LIMIT_S
from tests.terminal import Terminal

pytestmark = [pytest.mark.long, pytest.mark.servers, pytest.mark.timeout(300)]
COMMAND = [sys.executable, "-m", "services.cli", "demo", "--scenario", "flash-crash"]


async def test_a_person_sees_rates_prices_latency_and_the_alert_come_and_go() -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TAPEWATCH_")}
    async with Terminal(LIMIT_S) as terminal:
        demo = await terminal.run(COMMAND, kept)
        try:
            screen = "\n".join(await terminal.until(lambda lines: any(" in Slack " in f"{line} " for line in lines)))
            assert re.search(r"Slack channel in your browser: http://127\.0\.0\.1:\d+/slack", screen)
            assert re.search(r"trades +[\d,]+ +[\d,]+ +[\d,]+ +(live|[\d,]+ behind)", screen)
            assert re.search(r"Upbit +KRW-BTC +[\d,]+ +[-+]\d\.\d\d %", screen)
            assert re.search(r"KRW-BTC on Upbit.* -\d\.\d\d %", screen), screen
            measured = re.compile(r"visible in Redis +[\d.]+ ms +[\d.]+ ms")
            await terminal.until(lambda lines: any(map(measured.search, lines)))
            await terminal.until(lambda lines: any("resolved" in line and "over after" in line for line in lines))
            terminal.type("\x03")
            await terminal.until(lambda lines: any(line.startswith("ok: nothing lost") for line in lines))
            assert await demo.wait() == 0
            assert terminal.screen.has_cursor
        finally:
            if demo.returncode is None:
                demo.kill()
                await demo.wait()
