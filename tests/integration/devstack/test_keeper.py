"""`tapewatch stack`: up, env, status and down from a shell, without a network, and after a kill -9."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from devstack.places import cache_directory

pytestmark = pytest.mark.servers
Command = Callable[..., subprocess.CompletedProcess[str]]
Wait = Callable[[list[int]], list[int]]
NOWHERE = "http://127.0.0.1:9"  # the discard port: a proxy that nobody runs


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """No stack of somebody's own is touched, and there is no network: every request goes to a proxy that is not."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("TAPEWATCH_")}
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), NOWHERE)
    return kept | proxies | {"XDG_STATE_HOME": str(tmp_path / "state")}


@pytest.fixture
def command(environment: dict[str, str]) -> Iterator[Command]:
    """Runs ``tapewatch stack …``."""

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        program = "from services.cli.stack import app; app(prog_name='tapewatch stack')"
        return subprocess.run(
            [sys.executable, "-c", program, *arguments],
            env=environment | more,
            capture_output=True,
            text=True,
            check=False,
            timeout=50,
        )

    yield run
    run("down")


@pytest.fixture
def downloaded(stack: object) -> Path:
    """The cache with Kafka in it: the servers of this run have been started from there."""
    return cache_directory()


def pids(state: dict[str, Any]) -> list[int]:
    """Process ids of the servers of a stack."""
    return [server["pid"] for server in state["servers"]]


def test_a_second_start_needs_no_network(command: Command, downloaded: Path, wait_until_gone: Wait) -> None:
    up = command("up", "--json")
    assert (up.returncode, up.stderr) == (0, "")
    state = json.loads(up.stdout)
    assert [server["name"] for server in state["servers"]] == ["Kafka", "PostgreSQL", "Valkey"]
    assert state["environment"] is None
    env = command("env")
    settings = dict(re.findall(r"^export (\w+)=(.+)$", env.stdout, re.MULTILINE))
    assert list(settings) == [
        "TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS",
        "TAPEWATCH_POSTGRES__DSN",
        "TAPEWATCH_REDIS__URL",
    ]
    for address in settings.values():
        parts = urlsplit(address if "://" in address else f"//{address}")
        socket.create_connection((str(parts.hostname), int(parts.port or 0)), 1).close()
    password = str(urlsplit(settings["TAPEWATCH_POSTGRES__DSN"]).password)
    status = command("status")
    assert status.returncode == 0
    assert password not in status.stdout + up.stdout
    again = command("up")
    assert (again.returncode, again.stderr) == (0, "The stack is up already.\n")
    down = command("down")
    assert (down.returncode, down.stderr) == (0, "stopped\n")
    assert wait_until_gone(pids(state)) == []
    assert not Path(state["root"]).exists()


def test_a_first_start_without_a_network_says_what_to_do(command: Command, tmp_path: Path) -> None:
    refused = command("up", XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert refused.returncode == 3
    assert re.fullmatch(
        r"cannot download \S+\.jar for Kafka \(\w+\): "
        r"set TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS to a running Kafka instead\n",
        refused.stderr,
    )


def test_a_changed_jar_is_refused(command: Command, downloaded: Path, tmp_path: Path) -> None:
    copy = tmp_path / "cache" / "tapewatch" / "kafka"
    copy.mkdir(parents=True)
    for jar in (downloaded / "kafka").glob("*.jar"):
        (copy / jar.name).symlink_to(jar)
    changed = next(copy.glob("kafka-clients-*.jar"))
    content = bytearray(changed.read_bytes())
    content[1000] ^= 1
    changed.unlink()
    changed.write_bytes(content)
    refused = command("up", XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert refused.returncode == 1
    assert f"{changed} is not the published org.apache.kafka:kafka-clients" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_servers_are_gone_when_their_keeper_was_killed(
    command: Command, environment: dict[str, str], downloaded: Path, wait_until_gone: Wait
) -> None:
    servers = pids(json.loads(command("up", "--json").stdout))
    for pid in servers:
        os.kill(pid, 0)
    keeper = int(Path(environment["XDG_STATE_HOME"], "tapewatch", "stack.lock").read_text())
    os.kill(keeper, signal.SIGKILL)
    assert wait_until_gone(servers) == []
    status = command("status")
    assert (status.returncode, status.stderr) == (3, "no stack is up: start one with `tapewatch stack up`\n")


@pytest.mark.parametrize("sig", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.long)])
def test_the_foreground_form_stops_everything_on_a_signal(
    environment: dict[str, str], downloaded: Path, sig: signal.Signals, wait_until_gone: Wait
) -> None:
    program = "from services.cli.stack import app; app(prog_name='tapewatch stack')"
    arguments = [sys.executable, "-c", program, "up", "--foreground", "--json"]
    with subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE) as foreground:
        try:
            assert foreground.stdout
            state = json.loads(foreground.stdout.readline())
            for pid in pids(state):
                os.kill(pid, 0)
            foreground.send_signal(sig)
            assert foreground.wait(20) == 0
        finally:
            foreground.kill()
    assert wait_until_gone(pids(state)) == []
    assert not Path(state["root"]).exists()


@pytest.mark.long
def test_kept_data_are_there_again_on_other_ports(command: Command, data_directory: Path, downloaded: Path) -> None:
    first = json.loads(command("up", "--json", "--data", str(data_directory / "kept")).stdout)
    command("down")
    second = json.loads(command("up", "--json", "--data", str(data_directory / "kept")).stdout)
    assert [server["prepared_s"] < 0.3 for server in second["servers"]] == [True] * 3
    assert first["root"] == second["root"]
    assert [server["address"] for server in first["servers"]] != [server["address"] for server in second["servers"]]


def test_a_port_in_use_is_named(command: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        refused = command("up", "--postgres-port", str(port))
    assert refused.returncode == 2
    assert refused.stderr == (
        f"port {port} for PostgreSQL is already in use: stop what listens there or choose another port\n"
    )


@pytest.mark.long
def test_a_server_that_does_not_answer_is_named(command: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        kafka = f"127.0.0.1:{other.getsockname()[1]}"
    up = command("up", TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS=kafka)
    assert re.fullmatch(r"up after \d+\.\d s; data and logs are below \S+\n", up.stderr)
    status = command("status")
    assert status.returncode == 3
    assert status.stderr.startswith("Kafka did not answer")
