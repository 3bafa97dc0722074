"""The command: asks every source, lets every check judge, prints a line a finding."""

import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from services.cli.doctor.finding import Finding

_STYLES = {"well": "green", "warning": "yellow", "wrong": "bold red", "away": "bold magenta"}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for programs.")] = False,
) -> None:
    """Check a deployment: settings, secrets, servers, topics, tables, days ahead, lag, freshness, clocks, disk, Slack.

    Each finding is one line with the next command. Nothing is changed, and no message is sent. Exit status: 0 well
    (warnings included), 1 something is wrong, 2 wrong use or settings, 3 something could not be looked at.

    Example: tapewatch doctor --json
    """
    import asyncio

    from services.cli.doctor.asking import ask_all
    from services.cli.doctor.checks import judge
    from services.cli.doctor.containers import in_containers, is_in_containers
    from services.cli.doctor.enabled import enabled_units
    from services.cli.doctor.finding import exit_code
    from services.cli.doctor.units import in_units
    from shared import logs
    from shared.settings import load_with_origins

    loaded = load_with_origins()
    logs.configure(loaded.settings.log.model_copy(update={"level": "error"}), "doctor")
    answers = asyncio.run(ask_all(loaded, os.environ))
    findings = [finding for source, answer in answers.items() for finding in judge(source, answer)]
    if is_in_containers(os.environ):
        findings = [in_containers(finding) for finding in findings]
    elif (enabled := enabled_units()) is not None:
        findings = [in_units(finding, enabled) for finding in findings]
    code = exit_code(findings)
    if as_json:
        typer.echo(json.dumps({"exit_code": code, "findings": [_shown(one) for one in findings]}, indent=1))
    else:
        _show(findings)
    raise typer.Exit(code)


def _shown(finding: "Finding") -> dict[str, str]:
    from shared.redaction import without_secrets

    return {key: without_secrets(text) for key, text in asdict(finding).items()}


def _show(findings: "list[Finding]") -> None:
    from rich.console import Console
    from rich.text import Text

    from services.cli.doctor.finding import line
    from shared.redaction import without_secrets

    console = Console()
    for finding in findings:
        text = Text(without_secrets(line(finding)))
        text.stylize(_STYLES[finding.verdict], 0, len(finding.verdict))
        console.print(text, soft_wrap=True)
