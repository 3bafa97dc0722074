"""Where the values of settings come from: a TOML file, the environment, files that hold one secret each.

Every source gives plain values by section and key, and refuses what is not a setting; `shared.settings` checks them.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, SecretStr

from shared.errors import WrongUse

PREFIX = "TAPEWATCH_"
CONFIG_KEY = "TAPEWATCH_CONFIG"
CREDENTIALS_KEY = "CREDENTIALS_DIRECTORY"
TEST_KEYS = frozenset({"TAPEWATCH_RECORDINGS"})
"""What the test suite reads; no setting of the product, and no misspelt one either."""

Environ = Mapping[str, str]
Sections = Mapping[str, type[BaseModel]]
Values = dict[str, dict[str, Any]]


def weakest_first(environ: Environ, sections: Sections) -> list[tuple[str, Values]]:
    """Every source by the name that people are shown, each beaten by those after it. Raises WrongUse."""
    return [
        (f"file {environ.get(CONFIG_KEY)}", _config_file(environ, sections)),
        ("environment", _environment(environ, sections)),
        ("secret file", _secret_files(environ, sections)),
        ("credentials", _credentials(environ, sections)),
    ]


def env_name(section: str, key: str) -> str:
    """The name of a setting in the environment: ``TAPEWATCH_KAFKA__FLUSH_MS``."""
    return f"{PREFIX}{section}__{key}".upper()


def _config_file(environ: Environ, sections: Sections) -> Values:
    if CONFIG_KEY not in environ:
        return {}
    path = environ[CONFIG_KEY]
    try:
        values = tomllib.loads(_read(Path(path), CONFIG_KEY))
    except tomllib.TOMLDecodeError as error:
        raise WrongUse(f"{CONFIG_KEY}: {path} is not TOML: {error}") from None
    for section, keys in values.items():
        unknown = _unknown_in(sections.get(section), keys)
        if unknown is not None:
            raise WrongUse(f"{CONFIG_KEY}: [{section}] {unknown}".rstrip() + f" in {path} is not a setting")
    return values


def _unknown_in(model: type[BaseModel] | None, keys: object) -> str | None:
    """The first key that the section does not have, "" when there is no such section, None when all is well."""
    if model is None or not isinstance(keys, dict):
        return ""
    return next((key for key in keys if key not in model.model_fields), None)


def _environment(environ: Environ, sections: Sections) -> Values:
    taken = {CONFIG_KEY, *TEST_KEYS, *(f"{env_name(section, key)}_FILE" for section, key in secrets(sections))}
    found: Values = {}
    for name, value in environ.items():
        if not name.startswith(PREFIX) or name in taken:
            continue
        section, _, key = name.removeprefix(PREFIX).lower().partition("__")
        if section not in sections or key not in sections[section].model_fields:
            raise WrongUse(f"{name} is not a setting: `tapewatch settings` lists those that are")
        found.setdefault(section, {})[key] = value
    return found


def _secret_files(environ: Environ, sections: Sections) -> Values:
    found: Values = {}
    for section, key in secrets(sections):
        name = f"{env_name(section, key)}_FILE"
        if name in environ and (secret := _read(Path(environ[name]), name)):
            found.setdefault(section, {})[key] = secret
    return found


def _credentials(environ: Environ, sections: Sections) -> Values:
    if CREDENTIALS_KEY not in environ:
        return {}
    found: Values = {}
    for section, key in secrets(sections):
        path = Path(environ[CREDENTIALS_KEY], f"{section}_{key}")
        if path.exists() and (secret := _read(path, CREDENTIALS_KEY)):
            found.setdefault(section, {})[key] = secret
    return found


def secrets(sections: Sections) -> list[tuple[str, str]]:
    """Section and key of what is a secret: by its type, so that a new one cannot be forgotten."""
    return [
        (section, key)
        for section, model in sections.items()
        for key, field in model.model_fields.items()
        if SecretStr in (field.annotation, *get_args(field.annotation))
    ]


def _read(path: Path, key: str) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise WrongUse(f"{key}: cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise WrongUse(f"{key}: {path} is not UTF-8 text") from None
