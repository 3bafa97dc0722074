"""Who this process is, in words that another process can check."""

import os
import platform
import secrets
from contextlib import suppress
from pathlib import Path

from services.alert_worker.lease import Owner


def this_worker() -> Owner:
    """This process, told from every other one that ever was."""
    return Owner(platform.node(), _boot_id(), _pid_namespace(), os.getpid(), secrets.token_hex(8))


def is_running(pid: int) -> bool:
    """Whether a process here has this id; one that has ended and that nobody has taken note of counts."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _boot_id() -> str:
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return ""


def _pid_namespace() -> str:
    with suppress(OSError):
        return str(Path("/proc/self/ns/pid").readlink())
    return ""
