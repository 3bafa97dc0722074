"""Telling systemd how a service is, as sd_notify(3) says: a datagram to the socket that NOTIFY_SOCKET names."""

import os
import socket
from collections.abc import Mapping


class Systemd:
    """The supervisor that started us with `Type=notify`; without one nothing is sent.

    `watchdog_s` is the time within which it wants to hear of us (`WatchdogSec=`), None when it does not.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        given = os.environ if environ is None else environ
        name = given.get("NOTIFY_SOCKET", "")
        self._address = f"\0{name[1:]}" if name.startswith("@") else name
        self.watchdog_s: float | None = None
        # The variable is inherited by children that are not the service itself (sd_watchdog_enabled(3)).
        if given.get("WATCHDOG_USEC") and given.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid()):
            self.watchdog_s = int(given["WATCHDOG_USEC"]) / 1_000_000

    @property
    def listens(self) -> bool:
        """Whether systemd waits for word of us."""
        return bool(self._address)

    def tell(self, **state: str | int) -> None:
        """Send assignments such as ``READY=1``. Raises OSError when systemd's socket is gone."""
        if not self._address:
            return
        text = "\n".join(f"{name}={value}" for name, value in state.items())
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            out.sendto(text.encode(), self._address)
