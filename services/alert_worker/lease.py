"""Which of several alert workers watches and tells: what their claims, in the order of Kafka's log, come to. Pure.

A claim says up to where in the log its writer knew the claims before it. One that was written in ignorance of another
is void, so that everybody who reads the same log finds the same worker in charge.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta, Struct

RENEW_EVERY_S = 3.0
"""So often the one in charge says that it still is."""
SURE_S = 8.0
"""So long after it last knew that it was in charge it may tell something,"""
SILENT_S = 10.0
"""and so long whoever stands by must hear nothing of it to take over: longer, or both would tell."""


class Owner(Struct, frozen=True):
    """One process among all that ever were; `boot_id` and `pid_namespace` are empty where the system has none."""

    host: str
    boot_id: str
    pid_namespace: str
    pid: Annotated[int, Meta(ge=1, le=(1 << 31) - 1)]
    nonce: str


class Claim(Struct, frozen=True):
    """`owner` is in charge, or with `is_released` was; `seen` is the offset of the newest claim it knew, -1: none."""

    owner: Owner
    seen: int
    is_released: bool = False


@dataclass
class Lease:
    """What the claims read so far come to, for the worker `me`."""

    me: Owner
    holder: Owner | None = None
    is_released: bool = False
    newest: int = -1
    """Offset of the newest claim, void or not."""

    def hear(self, offset: int, claim: Claim) -> None:
        """Take in the next claim of the log."""
        if self.holder in {None, claim.owner} or claim.seen >= self.newest:
            self.holder, self.is_released = claim.owner, claim.is_released
        self.newest = offset

    def claim(self, *, is_released: bool = False) -> Claim:
        """What to write to be in charge, to stay so, or to give it up."""
        return Claim(self.me, self.newest, is_released)

    @property
    def is_mine(self) -> bool:
        """Whether we are in charge."""
        return self.holder == self.me and not self.is_released

    def is_free(self, is_running: Callable[[int], bool]) -> bool:
        """Whether nobody is in charge for certain; `is_running` answers for a process id here."""
        return self.holder is None or self.is_released or self._is_gone(self.holder, is_running)

    def _is_gone(self, other: Owner, is_running: Callable[[int], bool]) -> bool:
        """Only of one that ran here. A container that starts again has a new namespace, and the old numbers in it."""
        if (other.host, other.boot_id) != (self.me.host, self.me.boot_id):
            return False
        if other.pid == self.me.pid:
            return other != self.me
        return other.pid_namespace == self.me.pid_namespace and not is_running(other.pid)


@dataclass
class Silence:
    """How long nothing was heard of the one in charge while Kafka answered, by a clock that never goes back."""

    since_s: float

    def broken(self, now_s: float) -> None:
        """It was heard; or Kafka did not answer, and it may have tried to speak."""
        self.since_s = now_s

    def is_long(self, asked_at_s: float) -> bool:
        """Whether it is long enough to take over. Asked when we asked Kafka: its answer may be old by now."""
        return asked_at_s - self.since_s >= SILENT_S
