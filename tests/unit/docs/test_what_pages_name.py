"""What the pages for people name is there: commands and their options, targets, benchmarks, settings, files."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from benchmarks.__main__ import names as benchmarks
from services.cli.main import app
from shared.settings import Settings

ROOT = Path(__file__).parents[3]
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"))
}
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
SETTINGS = {
    f"{section}__{key}".upper()
    for section, field in Settings.model_fields.items()
    for key in type(field.default).model_fields
}


def _named(pattern: str) -> list[tuple[str, str]]:
    """(page, what it names) for each thing that some page names so."""
    found = {(page, one) for page, text in PAGES.items() for one in re.findall(pattern, text, re.MULTILINE)}
    assert found, f"no page names anything like {pattern}"
    return sorted(found)


def _commands() -> Iterator[tuple[str, str]]:
    """Up to what stands for something else, such as `…` or a word in capitals."""
    for page, command in _named(r"(?:`|^ {4,}(?:[^`\n]*[ ;|(])?)tapewatch ([a-z][^`#\n|;&]*)"):
        words = command.split()
        ends = [at for at, word in enumerate(words) if re.match(r"…|[A-Z]+$|\[|\\\\|\(", word)]
        yield page, " ".join(words[: min(ends, default=len(words))])


@pytest.mark.parametrize(("page", "command"), sorted(set(_commands())))
def test_commands_and_their_options(page: str, command: str) -> None:
    node: object = typer.main.get_command(app)
    for word in command.split():
        below = getattr(node, "commands", None)
        if below is None:
            options = {option for parameter in node.params for option in parameter.opts}  # type: ignore[attr-defined]
            name = word.partition("=")[0]
            assert not name.startswith("--") or name in {*options, "--help"}, f"{page}: tapewatch {command}: {word}"
        elif not word.startswith("-"):
            assert word in below, f"{page}: tapewatch {command}: there is no {word}"
            node = below[word]


@pytest.mark.parametrize(("page", "target"), _named(r"`make ([a-z-]+)"))
def test_targets_of_the_makefile(page: str, target: str) -> None:
    assert target in TARGETS, page


@pytest.mark.parametrize(("page", "name"), _named(r"(?:make bench ARGS=\"?|python -m benchmarks[ .])([a-z_]+)"))
def test_benchmarks(page: str, name: str) -> None:
    assert name in benchmarks(), page


@pytest.mark.parametrize(("page", "name"), _named(r"(?:\bTAPEWATCH_|\b)([A-Z]+__[A-Z0-9_]+)\b"))
def test_settings(page: str, name: str) -> None:
    assert {name, name.removesuffix("_FILE")} & SETTINGS, page


@pytest.mark.parametrize(
    ("page", "path"),
    _named(r"`((?:services|shared|devstack|deploy|tests|benchmarks|docs|requirements)/[\w./-]*\w)`"),
)
def test_files(page: str, path: str) -> None:
    assert (ROOT / path).exists(), page
