"""The demo as a person starts it: a process of its own, judged by its exit status and its report."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

LIMIT_S = 150.0


@dataclass
class Demo:
    """A demo that runs. `output` grows while it does."""

    process: subprocess.Popen[str]
    report_file: Path
    output_file: Path

    @property
    def output(self) -> str:
        """Everything that it printed so far."""
        return self.output_file.read_text(encoding="utf-8")

    def wait(self) -> int:
        """Its exit status."""
        return self.process.wait(LIMIT_S)

    def report(self) -> dict[str, Any]:
        """The report that it wrote."""
        found: dict[str, Any] = json.loads(self.report_file.read_text(encoding="utf-8"))
        return found

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for something to be so, as long as the demo lives."""
        deadline = monotonic() + LIMIT_S
        while not condition():
            assert self.process.poll() is None, f"the demo ended before {what}:\n{self.output}"
            assert monotonic() < deadline, f"no {what}:\n{self.output}"
            sleep(0.05)

    def status(self) -> dict[str, Any]:
        """What `tapewatch status --json` says of it in another shell, as the demo says to type it."""
        look = re.search(r"TAPEWATCH_CONFIG=(\S+) tapewatch status", self.output)
        assert look, self.output
        command = [sys.executable, "-m", "services.cli", "status", "--json"]
        said = subprocess.run(command, env=os.environ | {"TAPEWATCH_CONFIG": look[1]}, capture_output=True, check=True)
        found: dict[str, Any] = json.loads(said.stdout)
        return found

    def market_is_open(self) -> bool:
        """Whether trades are being published."""
        return " market open: " in self.output

    def family(self) -> list[int]:
        """Process ids of everything that the demo started."""
        return descendants(self.process.pid)

    def services(self) -> dict[str, int]:
        """Process ids by name, such as ``consumer redis``, of those that run now."""
        found = {}
        for pid in descendants(self.process.pid):
            words = command_line(pid)
            if "services.cli" in words:
                found[" ".join(words[words.index("services.cli") + 1 :])] = pid
        return {name: pid for name, pid in found.items() if not name.startswith("simulator")}


def descendants(pid: int) -> list[int]:
    """All processes below one, whichever of its threads started them."""
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for thread in threads for child in (thread / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [found for child in children for found in (child, *descendants(child))]


def command_line(pid: int) -> list[str]:
    """The words of a process' command; none when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
    except (FileNotFoundError, ProcessLookupError):
        return []


@pytest.fixture
def start_demo(tmp_path: Path) -> Iterator[Callable[..., Demo]]:
    """``start_demo("--seconds", "20")``: runs until the test ends at the latest."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **environment: str) -> Demo:
        report, output = tmp_path / "report.json", tmp_path / "output"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TAPEWATCH_")}
        with output.open("w", encoding="utf-8") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "services.cli", "demo", "--report", str(report), *arguments],
                stdout=out,
                stderr=subprocess.STDOUT,
                text=True,
                env=kept | environment,
            )
        started.append(process)
        return Demo(process, report, output)

    yield start
    for process in started:
        with _killed_at_last(process):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.send_signal(signal.SIGTERM)
                process.wait(30)


@contextmanager
def _killed_at_last(process: subprocess.Popen[str]) -> Iterator[None]:
    try:
        yield
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.fixture
def other_exchanges() -> Iterator[dict[str, str]]:
    """Settings that point to exchanges outside of the demo, whose market is open."""
    command = [sys.executable, "-m", "services.cli", "simulator", "--scenario", "calm", "--symbols", "5"]
    with subprocess.Popen(
        [*command, "--expect", "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            url = json.loads(process.stdout.readline())
            addresses = {
                f"TAPEWATCH_{exchange}__{kind}_URL": url[f"{exchange}_{kind}_url".lower()]
                for exchange in ("UPBIT", "BINANCE")
                for kind in ("WEBSOCKET", "REST")
            }
            yield {**addresses, "TAPEWATCH_BINANCE__SYMBOLS": "quote:USDT"}
        finally:
            process.terminate()


def assert_nothing_amiss(report: dict[str, Any]) -> None:
    """Every count that a sound run has, said once more without the product's own verdict."""
    published = report["published"]
    for channel in ("trade", "ticker", "orderbook"):
        assert report["kafka"][channel]["expected"] == published[channel] > 0
    for store in ("kafka", "redis", "postgres"):
        trades = report[store]["trade"]
        assert trades["found"] == trades["expected"]
        assert trades["lost"] == trades["wrong"] == trades.get("out_of_order", 0) == 0
    assert report["redis"]["trade"]["duplicated"] == report["postgres"]["trade"]["duplicated"] == 0
    assert report["postgres"]["trade"]["expected"] == published["trade"]
    for channel in ("ticker", "orderbook"):
        assert report["redis"][channel]["expected"] > 0
        assert report["redis"][channel]["stale"] == report["redis"][channel]["wrong"] == 0
    assert report["postgres"]["candle_1m"]["expected"] > 0
    assert report["postgres"]["candle_1m"]["wrong"] == 0
    assert report["faults"] == []
