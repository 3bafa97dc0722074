"""The Compose files as data, with every variable at its default."""

import re
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[3]
COMPOSE, REDPANDA = REPOSITORY / "docker-compose.yaml", REPOSITORY / "docker-compose.redpanda.yaml"
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+):-([^}]*)\}")

Service = dict[str, Any]


class _Loader(yaml.SafeLoader):
    """Knows Compose's own tags, which replace what a file before said."""


def _untagged(loader: yaml.SafeLoader, _tag: str, node: yaml.Node) -> Any:
    return loader.construct_sequence(node) if isinstance(node, yaml.SequenceNode) else {}


_Loader.add_multi_constructor("!", _untagged)


def read(path: Path) -> dict[str, Any]:
    """A Compose file, parsed; `${NAME:-default}` is its default."""
    text = VARIABLE.sub(lambda match: match[2], path.read_text(encoding="utf-8"))
    assert "${" not in text.replace("$${", ""), "a variable without a default needs an .env"
    return _parsed(text)


def as_written() -> dict[str, Any]:
    """The Compose file, parsed; variables are left as they are."""
    return _parsed(COMPOSE.read_text(encoding="utf-8"))


def _parsed(text: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.load(text, _Loader)  # noqa: S506  a safe loader
    return found


def services() -> dict[str, Service]:
    """Every service by its name."""
    found: dict[str, Service] = read(COMPOSE)["services"]
    return found


def lasting() -> dict[str, Service]:
    """Those that are meant to run all the time."""
    return {name: one for name, one in services().items() if one["restart"] != "no"}


def parts() -> dict[str, Service]:
    """Those that run tapewatch's own image all the time."""
    return {name: one for name, one in lasting().items() if one["image"].startswith("tapewatch:")}


def mounts(service: Service) -> dict[str, str]:
    """By volume, how it is mounted: the path, with ``:ro`` if so."""
    return dict(mount.split(":", 1) for mount in service.get("volumes", ()))


def variables() -> dict[str, str]:
    """Every variable that the files know, with its default."""
    found: dict[str, str] = {}
    for path in (COMPOSE, REDPANDA):
        for name, default in VARIABLE.findall(path.read_text(encoding="utf-8")):
            assert found.setdefault(name, default) == default, f"{name} has two defaults"
    return found
