"""Names this process so that its successor can tell at once whether it is gone, instead of waiting for a lease to end.

A token is ``<machine>.<pid>.<start>.<nonce>``. `machine` stands for one boot of one machine and one space of process
ids (two containers differ in the latter); `start` is the process's start in clock ticks, for ids are used again.
"""

import os
import re
import secrets
from hashlib import blake2s
from pathlib import Path

_PROC = Path("/proc")
_TOKEN = re.compile(r"([0-9a-f]{12})\.(\d+)\.(\d+)\.([0-9a-f]{8})")


def new_token() -> str:
    """A token of this process that no other process ever has, nor this one twice."""
    pid = os.getpid()
    return f"{_machine()}.{pid}.{_start_of(pid) or 0}.{secrets.token_hex(4)}"


def is_surely_gone(token: str) -> bool:
    """Say whether the token's process was one of this machine and runs no more. False when that cannot be known."""
    match = _TOKEN.fullmatch(token)
    if match is None or match[1] != _machine():
        return False
    return _start_of(int(match[2])) != int(match[3])


def _machine() -> str:
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_bytes()
        space = os.readlink(_PROC / "self/ns/pid").encode()
    except OSError:  # no Linux: a random name is never taken for this machine's
        return secrets.token_hex(6)
    return blake2s(boot + space, digest_size=6).hexdigest()


def _start_of(pid: int) -> int | None:
    """The process's start in clock ticks since boot; None when it does not run (a zombie does not)."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in ("Z", "X") else int(fields[18])
