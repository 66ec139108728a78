"""structlog set up once: JSON in a cluster, colours on a terminal, always on standard error."""

from __future__ import annotations

import sys
from typing import Literal

import structlog


def set_up(log_format: Literal["json", "text"]) -> None:
    """Every event from here on goes to standard error in `log_format`."""
    renderer: structlog.typing.Processor
    if log_format == "json":
        renderer = structlog.processors.JSONRenderer(ensure_ascii=False)
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )
