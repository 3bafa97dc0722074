"""`tapewatch alert-worker`: watch the tape and tell people about abnormal moves."""

import typer


def alert_worker() -> None:
    """Watch every market and tell Slack about abnormal moves. Settings: SLACK__…, ALERTS__…, KAFKA__…

    Example: TAPEWATCH_SLACK__CHANNEL=#alerts tapewatch alert-worker
    """
    from services.alert_worker.app import run

    raise typer.Exit(run())
