"""Logging set up once a process: readable on a terminal, one JSON object a line otherwise, always on stderr."""

import logging
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from shared.redaction import without_secrets
from shared.settings import LogSettings


def configure(settings: LogSettings, service: str) -> None:
    """Send structlog, the libraries' standard logging and warnings to stderr. `service` is added to every line."""
    on_terminal = sys.stderr.isatty() if settings.format == "auto" else settings.format == "console"
    steps: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _naming(service),
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=steps,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _hide_secrets,
                _console() if on_terminal else structlog.processors.JSONRenderer(),
                _hide_what_was_nested,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.level.upper())
    for chatty in ("aiokafka", "websockets", "asyncio", "slack_sdk", "aiohttp.access", "alembic"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(True)
    structlog.configure(
        processors=[*steps, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(root.level),
    )


def _console() -> Processor:
    # Plain tracebacks: the pretty ones print local variables, and with them passwords.
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)


def _naming(service: str) -> Processor:
    def add_service(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
        return {"service": service, **line}

    return add_service


def _hide_what_was_nested(_: WrappedLogger, __: str, line: Any) -> str:
    """Lists, errors and the like are text only now; before, a secret with a quote in it was not yet escaped."""
    return without_secrets(line)


def _hide_secrets(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    return {key: without_secrets(value) if isinstance(value, str) else value for key, value in line.items()}
