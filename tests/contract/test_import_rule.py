"""What the import rule in pyproject.toml cannot see: modules that nobody listed, and imports inside a subcommand."""

import subprocess
import sys
import tomllib
from pathlib import Path

import grimp
import pytest

PYPROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
(PURE,) = (one for one in PYPROJECT["tool"]["importlinter"]["contracts"] if one["name"].startswith("Pure modules"))
# Read or write files, or ask the system who they are, with nothing but the standard library.
FILES = {
    "services.alert_worker.backtest.history_files",
    "services.alert_worker.this_worker",
    "services.cli.demo.handing_on",
    "services.consumer.journal",
    "services.consumer.sinks.owner",
    "services.simulator.recordings.files",
    "services.simulator.truth_log",
    "services.watchdog.boot",
    "shared.settings",
    "shared.settings_sources",
}


def test_modules_that_import_no_io_are_listed_as_pure() -> None:
    graph = grimp.build_graph("services", "shared", include_external_packages=True, cache_dir=None)
    for line in PURE["ignore_imports"]:
        importer, imported = line.split(" -> ")
        graph.remove_import(importer=importer, imported=imported)
    impure = set(PURE["forbidden_modules"])
    modules = [
        name for name in graph.modules if name.startswith(("services.", "shared.")) and not _is_room(graph, name)
    ]
    unlisted = {
        name
        for name in modules
        if not name.startswith("services.cli.") or name.startswith("services.cli.demo.")
        if not graph.find_upstream_modules(name) & impure
        if not any(name == listed or name.startswith(f"{listed}.") for listed in PURE["source_modules"])
    }
    assert unlisted == FILES


def _is_room(graph: grimp.ImportGraph, name: str) -> bool:
    return bool(graph.find_children(name)) or not graph.find_modules_directly_imported_by(name)


@pytest.mark.parametrize(
    "library", ["aiokafka", "websockets", "aiohttp", "redis", "asyncpg", "slack_sdk", "jgo", "alembic"]
)
def test_command_line_loads_no_client_before_a_command_runs(library: str) -> None:
    program = f"import sys, services.cli.main; sys.exit({library!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
