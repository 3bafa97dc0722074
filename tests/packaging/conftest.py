"""The wheel, and fresh environments elsewhere that hold it with one extra each."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

Start = Callable[..., "subprocess.Popen[str]"]
Run = Callable[..., tuple[int, str, str]]

REPOSITORY = Path(__file__).parents[2]
EXTRAS = ("", "producer", "consumer", "migrate", "alert-worker", "watchdog", "simulator", "reconcile", "devstack")
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "--no-input")
NOWHERE = {
    "TAPEWATCH_START__WAIT_S": "0",
    "TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "TAPEWATCH_POSTGRES__DSN": "postgresql://tapewatch:hidden@127.0.0.1:1/tapewatch",
    "TAPEWATCH_REDIS__URL": "redis://127.0.0.1:1/0",
    "TAPEWATCH_BINANCE__REST_URL": "http://127.0.0.1:1",
    "TAPEWATCH_BINANCE__WEBSOCKET_URL": "ws://127.0.0.1:1",
}


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as hatchling builds it from this checkout."""
    directory = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)]
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True)
    (built,) = directory.iterdir()
    return built


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every locked package, once: choosing among local files is several times quicker than asking an index."""
    directory = tmp_path_factory.mktemp("packages")
    locked = REPOSITORY / "requirements" / "demo.txt"
    subprocess.run([*PIP, "download", "--no-deps", "--require-hashes", "-r", locked, "-d", directory], check=True)
    return directory


@pytest.fixture(scope="session")
def environments(
    wheel: Path, packages: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, "Future[Path]"]]:
    """An environment for each extra, made two at a time; "" is the wheel without any."""
    root = tmp_path_factory.mktemp("environments")
    with ThreadPoolExecutor(max_workers=2) as pool:
        yield {extra: pool.submit(_install, root / (extra or "none"), wheel, extra, packages) for extra in EXTRAS}
        pool.shutdown(cancel_futures=True)


@pytest.fixture
def start(environments: dict[str, "Future[Path]"], tmp_path: Path) -> Iterator[Start]:
    """Start ``tapewatch`` of the environment with one extra, far from the checkout, nothing within reach."""
    started = []

    def start_one(extra: str, *arguments: str, **environ: str) -> "subprocess.Popen[str]":
        command = [str(environments[extra].result() / "bin" / "tapewatch"), *arguments]
        nowhere = NOWHERE | {"HOME": str(tmp_path), "PATH": os.defpath} | environ
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, cwd=tmp_path, env=nowhere, stdout=pipe, stderr=pipe, text=True)
        started.append(process)
        return process

    yield start_one
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def tapewatch(start: Start) -> Run:
    """Like `start`, until the command ends: exit code, what it said, what it complained of."""

    def run(extra: str, *arguments: str, **environ: str) -> tuple[int, str, str]:
        process = start(extra, *arguments, **environ)
        stdout, stderr = process.communicate(timeout=50)
        return process.returncode, stdout, stderr

    return run


def _install(environment: Path, wheel: Path, extra: str, packages: Path) -> Path:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    wanted = f"tapewatch[{extra}] @ {wheel.as_uri()}"
    into = [*PIP, "--python", str(environment / "bin" / "python"), "install", "--no-compile"]
    subprocess.run([*into, "--no-index", "--find-links", packages, wanted], check=True)
    return environment
