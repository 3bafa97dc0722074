"""Runs a command that dies with the process that started it, even when that one is killed with -9.

``python -m devstack.die_with_parent [--signal KILL] [--user NAME] [--parent PID] -- command argument…``

Linux sends the signal when the parent's *thread* that started us ends, so start it from one that lives as long as
the parent (`launch.spawn` does). Uses the standard library alone and runs as a plain file, so that it starts in
milliseconds and needs no environment.
"""

import argparse
import ctypes
import os
import pwd
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> int:
    """Become the command. Returns only when that cannot be: 2 wrong use, 127 not found, 126 not runnable."""
    options = _parse(arguments)
    if not sys.platform.startswith("linux"):
        return _complain("servers that die with their parent need Linux", 2)
    parent = options.parent or os.getppid()
    if options.user:
        _become(options.user)
    # After the change of user: the kernel forgets the death signal when credentials change.
    if ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(options.signal)) != 0:
        return _complain("prctl refused the death signal", 126)
    if os.getppid() != parent:  # it died before the kernel knew
        return _complain("the parent is gone", 0)
    try:
        os.execvp(options.command[0], options.command)  # noqa: S606  the whole purpose
    except FileNotFoundError:
        return _complain(f"{options.command[0]}: not found", 127)
    except OSError as error:
        return _complain(f"{options.command[0]}: {error.strerror}", 126)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m devstack.die_with_parent")
    parser.add_argument("--signal", type=lambda name: signal.Signals[f"SIG{name}"], default=signal.SIGKILL)
    parser.add_argument("--user")
    parser.add_argument("--parent", type=int)
    parser.add_argument("command", nargs="+")
    return parser.parse_args(arguments)


def _become(user: str) -> None:
    entry = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def _complain(text: str, status: int) -> int:
    sys.stderr.write(f"die_with_parent: {text}\n")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
