"""A person's settings for processes that run in another directory."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from shared.settings import load_with_origins
from shared.settings_sources import CONFIG_KEY, CREDENTIALS_KEY, PREFIX, env_name


def handed_on(environ: Mapping[str, str]) -> dict[str, str]:
    """The same settings, all in the environment and with absolute paths. Raises WrongUse.

    The settings file is read here and named no more: what it says, too, can be kept from a process by its name.
    """
    loaded = load_with_origins(environ)
    told = {name: value for name, value in environ.items() if name != CONFIG_KEY}
    for name, value in environ.items():
        if value and (name == CREDENTIALS_KEY or (name.startswith(PREFIX) and name.endswith("_FILE"))):
            told[name] = str(Path(value).absolute())
    for origin_of, origin in loaded.origins.items():
        section, key = origin_of.split(".")
        value = getattr(getattr(loaded.settings, section), key)
        if origin.startswith("file ") or isinstance(value, Path):
            told[env_name(section, key)] = _text(value)
    return told


def _text(value: Any) -> str:
    """A setting as the environment has it. A comma is a list of nothing: what is empty there counts as not set."""
    if isinstance(value, Path):
        return str(value.absolute())
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple):
        return ",".join(one if isinstance(one, str) else "=".join(one) for one in value) or ","
    return str(value)
