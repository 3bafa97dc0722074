"""A part that waits, as it is remembered between looks. Pure; times are microseconds UTC."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Waiting:
    """One part that waits for `what`: why, since when, and since when that is seen.

    `in_part`: it works meanwhile. `on_since_us`: since when it gets on again, which is not long ago yet.
    """

    part: str
    what: str
    why: str
    since_us: int
    seen_us: int
    in_part: bool = False
    is_told: bool = False
    on_since_us: int | None = None
