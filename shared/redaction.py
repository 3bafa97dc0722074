"""What is never shown: what looks like a secret, and every secret that this process was given, by its value.

A pattern knows no secret of a form that nobody thought of, and a library puts an address into the text of its errors
whole, in parts or decoded. So settings name each secret here as they read it, and whatever leaves a process as text
for people (logs, errors, tracebacks, health pages, reasons kept on Kafka) goes through `without_secrets`.
"""

import re
from collections.abc import Iterator
from functools import cache

_PATTERNS = (
    (re.compile(r"://[^/\s]+@"), "://***@"),
    (re.compile(r"(?i)password=\S+"), "password=***"),
    (re.compile(r"xox[a-z]-[\w-]+"), "xox*-***"),
    (re.compile(r"/services/T\w+/\S+"), "/services/***"),
)
_SHORTEST, _SHORTEST_VALUE, _SHORTEST_NAME = 4, 8, 12
"""Shorter passwords, values of a query, and last names of a path are no secrets, or are words that people must read."""
_known: set[str] = set()


def hide(secret: str) -> None:
    """Never show this secret from now on, nor what it is made of."""
    _known.update(parts(secret))
    _given.cache_clear()


def without_secrets(text: str) -> str:
    """The text as it may be shown: patterns first, which leave more of an address to read."""
    for secret, shown in _PATTERNS:
        text = secret.sub(shown, text)
    given = _given()
    return text if given is None else given.sub("***", text)


def parts(secret: str) -> set[str]:
    """What of a secret must not be shown: all of it, or the parts of an address that nobody but its owner knows."""
    found = set(_of_address(secret) if "://" in secret else (secret, *re.findall(r"(?i)password=(\S+)", secret)))
    return {part for part in found | {_unquoted(one) for one in found} if len(part) >= _SHORTEST}


def _of_address(address: str) -> Iterator[str]:
    scheme, _, rest = address.partition("://")
    # A password that was not quoted may hold any of an address' own marks, and whoever reads it wrongly shows a piece.
    login, _, place = rest.rpartition("@")
    user, _, password = login.partition(":")
    # One that is the name of the user or of the database gives itself away, and no message could name them.
    if password not in (user, place.partition("/")[2].partition("?")[0]):
        yield from (password, *re.split(r"[:/?#@\[\]]", password))
    query = rest.partition("?")[2].partition("#")[0]
    pairs = [pair.partition("=") for pair in query.split("&")]
    yield from (value for key, _, value in pairs if "pass" in key)
    if scheme.startswith("http"):
        path = "/" + rest.partition("/")[2]
        name = path.partition("?")[0].rpartition("/")[2]
        yield path
        yield from (value for _, _, value in pairs if len(value) >= _SHORTEST_VALUE)
        if len(name) >= _SHORTEST_NAME:
            yield name


def _unquoted(text: str) -> str:
    """``%2F`` as ``/`` (RFC 3986, section 2.1)."""
    return re.sub(
        r"(?:%[0-9a-fA-F]{2})+", lambda run: bytes.fromhex(run[0].replace("%", "")).decode(errors="replace"), text
    )


@cache
def _given() -> re.Pattern[str] | None:
    longest_first = sorted(_known, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first))) if longest_first else None
