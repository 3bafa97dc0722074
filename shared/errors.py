"""Errors that people are told in one line. The process ends with `exit_code` and no traceback."""


class TapewatchError(Exception):
    """Base of what a person can mend; str() is the one line that says what is wrong and what to do about it."""

    exit_code = 1


class WrongUse(TapewatchError):
    """Wrong settings or arguments; the line names the setting and the value's fault."""

    exit_code = 2


class Unreachable(TapewatchError):
    """Something that the program needs did not answer within its limit; the line says what and where."""

    exit_code = 3


class Stopped(TapewatchError):
    """Told to stop while still waiting for what the program needs; nothing is wrong."""

    exit_code = 0
