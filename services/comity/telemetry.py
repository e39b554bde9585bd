"""Logs and metrics that hold no photograph, template, key, name or number: what is not named here is not written."""

from __future__ import annotations

import logging
import sys

import structlog
from structlog.typing import EventDict, WrappedLogger

# structlog's own tracebacks print local variables, and ours are photographs and keys: frames and messages only.
_TRACEBACKS = structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=20)
FIELDS = frozenset(
    (
        "event",
        "level",
        "timestamp",
        "exception",
        "exc_info",
        "follower",
        "trace_id",
        "why",
        "error",
        "where",
        "kind",
        "topic",
        "position",
        "kinds",
        "files",
        "path",
        "status",
        "method",
        "seconds",
    )
)


def configure(*, level: str = "INFO") -> None:
    """Write one JSON object a line to stderr; unknown fields are dropped."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,  # a request's trace id, in whatever thread its work is done
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _drop_unknown,
            structlog.processors.ExceptionRenderer(_TRACEBACKS),
            structlog.processors.JSONRenderer(default=repr),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )


def _drop_unknown(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    return {key: value for key, value in event.items() if key in FIELDS}
