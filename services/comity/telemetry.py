"""Logs and metrics that hold no photograph, template, key, name or number: what is not named here is not written."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable

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
        "times",
    )
)
AGAIN_SECONDS = 3600.0  # how long the same trouble is only counted: a disk that is full all night is not filled by its log
KINDS_MAX = 1_000  # of trouble held; the one that came longest ago is forgotten, and told whole should it come again
_SAME = ("event", "follower", "kind", "topic", "position", "path", "where", "why", "error")  # what makes it the same trouble


class Repeats:
    """Lets trouble through once, and then once an hour, with how often it came. Thread-safe.

    What belongs to a request is passed on each time: somebody holds its trace id.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._held: dict[tuple[str, ...], tuple[float, float, int]] = {}  # when it was told, when it came last, how often since

    def __call__(self, _logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
        """Return the event, or raise DropEvent where it was told within the hour."""
        if event.get("level") in ("debug", "info") or "trace_id" in event:
            return event
        failure = sys.exc_info()[0] if event.get("exc_info") is True else type(event.get("exc_info"))
        same = (str(failure), *(str(event.get(name)) for name in _SAME))
        with self._lock:
            now = self._clock()
            told, last, times = self._held.pop(same, (-AGAIN_SECONDS, -AGAIN_SECONDS, 0))
            quiet = now - last >= AGAIN_SECONDS
            tell = quiet or now - told >= AGAIN_SECONDS
            times = 1 if quiet else times + 1
            self._held[same] = (now if tell else told, now, 0 if tell else times)
            if len(self._held) > KINDS_MAX:
                del self._held[next(iter(self._held))]
        if not tell:
            raise structlog.DropEvent
        return event if quiet else {**event, "times": times, "exc_info": None}


class Libraries(logging.Handler):
    """Says that a library warned, and which: what it would say may hold what it was given."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line of ours in place of its own."""
        failure = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        structlog.get_logger("libraries").warning("a library warned", where=record.name, error=failure)


def configure(*, level: str = "INFO") -> None:
    """Write one JSON object a line to stderr; unknown fields are dropped, and trouble that repeats is counted."""
    logging.basicConfig(level=logging.WARNING, handlers=[Libraries()])
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,  # a request's trace id, in whatever thread its work is done
            structlog.processors.add_log_level,
            Repeats(),
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
