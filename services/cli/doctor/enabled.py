"""Which units this host is to run, and what they are given there. Reads directories and files alone, not systemd."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

_SETTINGS = Path("/etc/tapewatch")
_CREDENTIALS = _SETTINGS / "credentials"
_UNITS = Path("/etc/systemd/system")
_WANTED_BY = ("tapewatch.target", "multi-user.target")
_PRODUCER = "tapewatch-producer@"
_OWN_SECRETS = {
    "tapewatch-setup": "owner/dsn",
    "tapewatch-consumer@postgres": "postgres/dsn",
    "tapewatch-consumer@redis": "redis/url",
}


def enabled_units() -> frozenset[str] | None:
    """Names of our units that are enabled, `.target` with its ending; None where ours are not installed."""
    if not _CREDENTIALS.is_dir():
        return None
    wanted = [path for target in _WANTED_BY for path in (_UNITS / f"{target}.wants").glob("tapewatch*")]
    return frozenset(path.name.removesuffix(".service") for path in wanted)


def is_read_here(exchange: str) -> bool:
    """Whether a producer of it is to run on this host, which is also believed where ours are no units."""
    units = enabled_units()
    return units is None or exchange in {_exchange_of(unit) for unit in units if unit.startswith(_PRODUCER)}


def _exchange_of(unit: str) -> str:
    """Its instance's name, or what the file of a shard, whose name is its own, has as EXCHANGE."""
    with suppress(OSError):
        for line in (_SETTINGS / f"{unit}.env").read_text(encoding="utf-8").splitlines():
            if line.startswith("EXCHANGE="):
                return line.partition("=")[2].strip("\"' ")
    return unit.removeprefix(_PRODUCER)


def units_without_secret() -> Mapping[str, str]:
    """By unit that is enabled here, the secret that it alone is given and that is not there. Only root can look."""
    if not os.access(_CREDENTIALS, os.X_OK):
        return {}
    units = enabled_units() or ()
    return {
        unit: str(_CREDENTIALS / name)
        for unit, name in _OWN_SECRETS.items()
        if unit in units and not _is_filled(_CREDENTIALS / name)
    }


def _is_filled(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0
