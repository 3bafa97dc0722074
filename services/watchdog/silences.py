"""Which hosts are heard of at the other side of the dead man's switch, and which fell silent. Pure; times are
microseconds UTC.

A host's silence counts only while somebody listened: who was away hears anew before it tells.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from services.watchdog.absences import Absences
from services.watchdog.changes import Change

AWAY_US = 15_000_000
"""A receiver that did not look for longer did not listen, either."""
MOST_HOSTS = 200
"""Beyond it a new one takes the place of the one that has been silent for longest, if people know of that."""
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


class TooManyHosts(Exception):
    """There is no place for another host."""


def is_name(text: str) -> bool:
    """Whether a host may be called so. Anybody may send one, and people are shown it in a command to type."""
    return _NAME.fullmatch(text) is not None


@dataclass(frozen=True)
class Host:
    """Heard last at `heard_at_us`; `silent_since_us` is its last sign before the silence that people know of.

    `silences`: those of the same night, which people read in one thread.
    """

    heard_at_us: int
    silent_since_us: int | None = None
    silences: Absences = field(default_factory=Absences)


@dataclass(frozen=True)
class Hosts:
    """What is remembered between looks, and across restarts of the receiver. `known` by name."""

    known: Mapping[str, Host] = field(default_factory=dict)
    looked_at_us: int = 0
    listening_since_us: int = 0


def hear(hosts: Hosts, name: str, now_us: int) -> Hosts:
    """A host gave a sign of life. Raises TooManyHosts."""
    known = dict(hosts.known)
    if name not in known and len(known) >= MOST_HOSTS:
        silent = {one: host.silent_since_us for one, host in known.items() if host.silent_since_us is not None}
        if not silent:
            raise TooManyHosts(f"{len(known)} hosts are heard of already")
        del known[min(silent, key=lambda one: silent[one])]
    known[name] = replace(known.get(name, Host(now_us)), heard_at_us=now_us)
    return replace(hosts, known=known)


def look(hosts: Hosts, within_us: int, now_us: int) -> tuple[Hosts, list[Change]]:
    """Take in the time that has passed. Returns the memory after it, and who fell silent or is heard again."""
    if not 0 <= now_us - hosts.looked_at_us <= AWAY_US:  # also after a clock that was set back
        hosts = replace(hosts, listening_since_us=now_us)
    known, changes = dict(hosts.known), []
    for name, host in hosts.known.items():
        is_silent = now_us - max(host.heard_at_us, hosts.listening_since_us) > within_us
        if host.silent_since_us is None and is_silent:
            silences = host.silences.and_one(now_us)
            known[name] = replace(host, silent_since_us=host.heard_at_us, silences=silences)
            silent_us = now_us - host.heard_at_us
            changes.append(Change(name, "silent", now_us, host.heard_at_us, down_us=silent_us, absences=silences))
        elif host.silent_since_us is not None and host.heard_at_us > host.silent_since_us:
            known[name] = replace(host, silent_since_us=None)
            down_us = host.heard_at_us - host.silent_since_us
            counted = host.silences if host.silences.count else None  # an older program counted none
            changes.append(Change(name, "heard", now_us, host.heard_at_us, down_us=down_us, absences=counted))
    return replace(hosts, known=known, looked_at_us=now_us), changes
