"""The `tapewatch` command. Says every error that people can mend in one line, and ends with the code that it carries.

Modules of commands import a service only when their command runs, so that each host needs one extra and `--help` is
quick.
"""

import sys
from importlib.metadata import version
from types import TracebackType

import typer

from services.cli import (
    alert_worker,
    alerts,
    backtest,
    consumer,
    db,
    producer,
    reconcile,
    redis,
    settings,
    simulator,
    stack,
    tail,
    topics,
    watchdog,
)
from services.cli.dead_letters import command as dead_letters
from services.cli.demo import command as demo
from services.cli.doctor import command as doctor
from services.cli.explain import command as explain
from services.cli.extras import missing_extra, to_install
from services.cli.status import command as status
from shared.errors import TapewatchError

app = typer.Typer(
    name="tapewatch",
    help="A complete, live copy of what trades on Upbit and Binance, and a Slack channel that hears of abnormal moves.",
    epilog="Exit status: 0 well, 1 what was checked does not hold, 2 wrong use or settings, 3 something unreachable.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


app.command("demo")(demo.demo)
app.add_typer(stack.app, name="stack")
app.command("simulator")(simulator.simulator)
app.add_typer(topics.app, name="topics")
app.add_typer(db.app, name="db")
app.add_typer(redis.app, name="redis")
app.command("producer")(producer.producer)
app.command("consumer")(consumer.consumer)
app.command("alert-worker")(alert_worker.alert_worker)
app.command("watchdog")(watchdog.watchdog)
app.command("deadman")(watchdog.deadman)
app.command("backtest")(backtest.backtest)
app.command("explain")(explain.explain)
app.add_typer(alerts.app, name="alerts")
app.command("status")(status.status)
app.command("doctor")(doctor.doctor)
app.command("tail")(tail.tail)
app.add_typer(dead_letters.app, name="dead-letters")
app.command("reconcile")(reconcile.reconcile)
app.command("settings")(settings.settings)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("tapewatch"))
        raise typer.Exit


@app.callback()
def tapewatch(
    _version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Show the version."),
) -> None:
    """A complete, live copy of what trades on Upbit and Binance, and a Slack channel that hears of abnormal moves."""


def main() -> None:
    """The console script."""
    sys.excepthook = _tell_unforeseen
    command = typer.main.get_command(app)  # called itself, typer puts its own hook before ours
    try:
        command()
    except TapewatchError as error:
        from shared.redaction import without_secrets

        _end(without_secrets(str(error)), error.exit_code)
    except ModuleNotFoundError as error:
        extra = missing_extra(error.name or "", sys.argv[1] if len(sys.argv) > 1 else "")
        if extra is None:
            raise
        _end(f"this needs the package {error.name}: {to_install(extra)}", 2)


def _tell_unforeseen(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """The last word of a process that ends by what nobody foresaw: a traceback, but for secrets that it may hold."""
    from traceback import format_exception

    from shared.redaction import without_secrets

    sys.stderr.write(without_secrets("".join(format_exception(kind, error, trace))))


def _end(line: str, exit_code: int) -> None:
    typer.echo(f"tapewatch: {line}", err=True)
    sys.exit(exit_code)
