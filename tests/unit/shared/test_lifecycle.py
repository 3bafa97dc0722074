"""Runs small services as processes of their own: exit codes, signals and log lines are what supervisors see."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest

Start = Callable[..., "subprocess.Popen[str]"]

PROGRAM = """
import asyncio, logging, sys, warnings
import structlog
from shared import lifecycle
from shared.errors import Stopped, TapewatchError, Unreachable, WrongUse
from shared.kafka import wait_until_reachable
log = structlog.get_logger("service")
lifecycle._COLLECT_EVERY_S = 0.1

async def fail(error):
    raise error

async def main(settings, stop, liveness):
{body}

sys.exit(lifecycle.run("sample", main))
"""


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Start a service whose main consists of the given lines."""

    def start_service(body: str, **environ: str) -> "subprocess.Popen[str]":
        program = tmp_path / "service.py"
        program.write_text(PROGRAM.format(body=indent(dedent(body), "    ")))
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("TAPEWATCH_")}
        command = [sys.executable, "-X", "dev", "-W", "error", str(program)]
        return subprocess.Popen(command, env=inherited | environ, stderr=subprocess.PIPE, text=True)

    return start_service


def ended(service: "subprocess.Popen[str]") -> tuple[int, list[str]]:
    _, stderr = service.communicate(timeout=30)
    return service.returncode, stderr.splitlines()


def events(lines: list[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines]


def test_a_service_that_is_done_ends_well(start: Start) -> None:
    code, lines = ended(start("log.info('work', price='1.50')"))
    assert code == 0
    assert [line["event"] for line in events(lines)] == ["starting", "work", "stopped"]
    assert {line["service"] for line in events(lines)} == {"sample"}
    assert events(lines)[1]["price"] == "1.50"


def test_what_a_cycle_holds_is_given_back_however_few_objects_it_is(start: Start) -> None:
    body = """
        import weakref
        class Cycle: ...
        cycle, gone = Cycle(), asyncio.Event()
        cycle.itself = cycle
        weakref.finalize(cycle, gone.set)
        del cycle
        await asyncio.wait_for(gone.wait(), 10)
    """
    assert ended(start(body))[0] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_let_the_service_finish(start: Start, number: signal.Signals) -> None:
    service = start("log.info('ready'); await stop.wait(); log.info('last batch')")
    assert service.stderr is not None
    while "ready" not in service.stderr.readline():
        pass
    service.send_signal(number)
    code, lines = ended(service)
    assert code == 0
    assert [line["event"] for line in events(lines)] == ["last batch", "stopped"]


def test_a_service_that_does_not_stop_is_ended(start: Start) -> None:
    service = start("""
        lifecycle.STOP_WITHIN_S = 0.05
        stop.set()
        try:
            await asyncio.sleep(3600)
        finally:
            log.info("cleaned up")
    """)
    code, lines = ended(service)
    assert code == 1
    assert events(lines[:-1])[-1]["event"] == "cleaned up"
    assert lines[-1] == "tapewatch sample: did not stop within 0.05 s of being told to"


@pytest.mark.parametrize(
    ("error", "expected"),
    [("WrongUse('A is wrong')", 2), ("Unreachable('A is wrong')", 3), ("TapewatchError('A is wrong')", 1)],
)
@pytest.mark.parametrize("raised", ["raise {}", "async with asyncio.TaskGroup() as g: g.create_task(fail({}))"])
def test_what_people_can_mend_is_one_line_and_a_code(start: Start, error: str, expected: int, raised: str) -> None:
    code, lines = ended(start(raised.format(error)))
    assert code == expected
    assert lines[1:] == ["tapewatch sample: A is wrong"]


def test_a_wrong_setting_ends_the_service_before_it_starts(start: Start) -> None:
    code, lines = ended(start("pass", TAPEWATCH_KAFKA__FLUSH_MS="x"))
    assert code == 2
    assert len(lines) == 1
    assert lines[0].startswith("tapewatch sample: TAPEWATCH_KAFKA__FLUSH_MS: ")


@pytest.mark.parametrize(
    "body",
    [
        "raise ValueError('redis://u:hidden@h')",
        "async with asyncio.TaskGroup() as g: [g.create_task(fail(e)) for e in (WrongUse('x'), OSError('s://u:hidden@h'))]",
    ],
)
@pytest.mark.parametrize("form", ["json", "console"])
def test_anything_unforeseen_ends_with_a_traceback_in_the_log(start: Start, body: str, form: str) -> None:
    code, lines = ended(start(f"password = 'hidden'\n{body}", TAPEWATCH_LOG__FORMAT=form))
    text = "\n".join(lines)
    assert code == 1
    assert "ended by something unforeseen" in text
    assert "Traceback" in text
    assert "://***@h" in text
    assert "s://u:hidden" not in text
    if form == "json":
        assert "Traceback" in events(lines)[-1]["exception"]


def test_libraries_lines_and_warnings_become_json_without_secrets(start: Start) -> None:
    code, lines = ended(
        start("""
        warnings.simplefilter("always")
        logging.getLogger("library").warning("cannot reach %s", "redis://:hidden@h")
        logging.getLogger("aiokafka").info("chatter")
        log.info("sample", dsn="postgresql://u:hidden@h/d")
        log.debug("left out")
        warnings.warn("beware")
    """)
    )
    assert code == 0
    _, library, sample, warning, _ = events(lines)
    assert library["event"] == "cannot reach redis://***@h"
    assert library["level"] == "warning"
    assert sample["dsn"] == "postgresql://***@h/d"
    assert "beware" in warning["event"]


def test_waiting_for_kafka_ends_with_the_reason(start: Start) -> None:
    waiting = "await wait_until_reachable(settings.kafka, 0)"
    code, lines = ended(start(waiting, TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS="127.0.0.1:1"))
    assert code == 3
    assert len(lines) == 2
    assert "Kafka did not answer within 0 s" in lines[1]
    assert "127.0.0.1:1" in lines[1]
    assert "TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS" in lines[1]


def test_waiting_for_kafka_says_so_and_can_be_stopped(start: Start) -> None:
    waiting = "await wait_until_reachable(settings.kafka, 3600, stop)"
    service = start(waiting, TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS="127.0.0.1:1")
    assert service.stderr is not None
    said = [json.loads(service.stderr.readline()) for _ in range(3)]
    service.terminate()
    code, lines = ended(service)
    assert code == 0
    assert said[-1]["event"] == "waiting for Kafka"
    assert "Connect call failed" in said[-1]["reason"]
    assert lines[-1] == "tapewatch sample: stopped while waiting for Kafka"
