"""`tapewatch watchdog` and `tapewatch deadman`: tell people when a part, or a whole host, is down, and is back."""

from typing import Annotated

import typer


def watchdog() -> None:
    """Tell Slack when a service goes down, hangs, loops, or is back. Needs systemd, or WATCHDOG__PROBES, and Slack.

    Example: TAPEWATCH_SLACK__OPS_CHANNEL=#tapewatch-ops tapewatch watchdog
    """
    from services.watchdog.app import run

    raise typer.Exit(run())


def deadman(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where heartbeats are posted: /heartbeat")] = 9470,
    listen: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    within: Annotated[
        float, typer.Option(min=5, help="Seconds without a heartbeat that are an alarm: those of three, at least.")
    ] = 60.0,
) -> None:
    """The other side of WATCHDOG__HEARTBEAT_URL, on a host that does not go down with the first: tells who fell silent.

    Slack and the second way are set as the watchdog's; STATE__DIRECTORY keeps who was heard and what is to be told.

    Example: tapewatch deadman --listen 0.0.0.0 --within 60
    """
    from services.watchdog.receiver import run

    raise typer.Exit(run(listen, port, within))
