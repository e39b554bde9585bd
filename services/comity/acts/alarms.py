"""What an operator must look at: kept in memory, shown by `comity status`, gone when mended or started again.

An alarm is no error: the act that met it went on, or failed with an error of its own. It is for what nobody would see otherwise.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import structlog

logger = structlog.get_logger(__name__)

KINDS_MAX = 100  # of different alarms at once; a hundred-and-first tells an operator nothing new


@dataclass(frozen=True, slots=True)
class Alarm:
    """One kind of trouble: the newest words for it, what to do, how often it was met, and since when."""

    kind: str
    what: str
    advice: str
    count: int
    since: datetime


class Alarms:
    """The alarms of one running exchange. Thread-safe."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._held: dict[str, Alarm] = {}

    def sound(self, kind: str, what: str, advice: str) -> None:
        """Keep an alarm. The same kind again replaces its words and is counted; nothing secret may stand in them."""
        with self._lock:
            before = self._held.get(kind)
            if before is not None:
                self._held[kind] = replace(before, what=what, advice=advice, count=before.count + 1)
                return
            if len(self._held) >= KINDS_MAX:
                return
            self._held[kind] = Alarm(kind, what, advice, 1, self._now())
        logger.error("alarm", kind=kind)

    def clear(self, kind: str) -> None:
        """Forget an alarm that was mended."""
        with self._lock:
            self._held.pop(kind, None)

    def all(self) -> tuple[Alarm, ...]:
        """Return the alarms, oldest first."""
        with self._lock:
            return tuple(self._held.values())
