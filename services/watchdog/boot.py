"""Which start of the machine this is, from inside of a container as well: what goes with it is told together."""

from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """Another one after each start of the kernel; always the same where it is not Linux."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return "unknown"
