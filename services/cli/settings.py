"""`tapewatch settings`: what is in force and where each value came from."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from shared.settings import Loaded

Row = tuple[str, str | int | None, str]
"""(key as in the environment, value with secrets hidden, origin)"""


def settings(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for programs.")] = False,
) -> None:
    """Show every setting that is in force and where it came from; secrets as ***.

    Example: TAPEWATCH_UPBIT__SYMBOLS=KRW-BTC,KRW-ETH tapewatch settings
    """
    from shared.settings import load_with_origins

    rows = setting_rows(load_with_origins())
    if as_json:
        typer.echo(json.dumps({key: {"value": value, "origin": origin} for key, value, origin in rows}, indent=1))
        return
    _show(rows)


def setting_rows(loaded: "Loaded") -> list[Row]:
    """Every setting in the order of its sections."""
    from shared.settings_sources import env_name

    return [
        (env_name(section, key), _text(value), loaded.origins.get(f"{section}.{key}", "default"))
        for section, values in loaded.settings
        for key, value in values
    ]


def _text(value: object) -> str | int | None:
    from pydantic import SecretStr

    if isinstance(value, SecretStr):
        return "***"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return value if isinstance(value, int) or value is None else str(value)


def _show(rows: list[Row]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        for key, value, origin in rows:
            typer.echo(f"{key}\t{'' if value is None else value}\t{origin}")
        return
    table = Table("key", "value", "from")
    for key, value, origin in rows:
        table.add_row(key, "" if value is None else str(value), origin, style=None if origin == "default" else "bold")
    console.print(table)
