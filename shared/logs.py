"""Logging set up once a process: readable on a terminal, one JSON object a line otherwise, always on stderr."""

import logging
import sys

import structlog

from shared.settings import LogSettings


def configure(settings: LogSettings, service: str) -> None:
    """Send structlog and the libraries' standard logging to stderr. `service` is added to every line."""
    on_terminal = sys.stderr.isatty() if settings.format == "auto" else settings.format == "console"
    shared_steps: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]
    last: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if on_terminal else structlog.processors.JSONRenderer()
    )
    renderer = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared_steps,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *([] if on_terminal else [structlog.processors.format_exc_info]),
            last,
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(renderer)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.level.upper())
    for chatty in ("aiokafka", "websockets", "asyncio", "slack_sdk", "aiohttp.access", "alembic"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[*shared_steps, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(root.level),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
