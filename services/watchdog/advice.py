"""What to type next, by what happened, as docs/OPERATING.md has it. Pure."""

from services.watchdog.changes import Change


def for_units(change: Change, target: str) -> str:
    """Under systemd, where `target` starts them all. Empty where nothing is to be done."""
    part = change.part
    match change.kind:
        case "all_stopped":
            return f"systemctl start {target}"
        case "stopped":
            return f"systemctl start {part}"
        case "not_started":
            return f"systemctl status {part}"
        case "waits":
            return "tapewatch doctor"
        case "canary_overdue":
            return "tapewatch alerts test"
        case "rebooted" | "all_started":
            return f"systemctl status {' '.join(change.not_up)}" if change.not_up else ""
        case _:
            return f"journalctl -u {part} -n 100 --no-pager"


def for_containers(change: Change) -> str:
    """In containers, where each part's log says most."""
    parts = change.not_up if change.kind == "rebooted" else [change.part]
    return f"docker compose logs --tail 100 {' '.join(parts)}" if parts else ""
