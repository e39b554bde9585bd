"""Keeps a probe between two pages: in memory alone, bound to its session, few at a time, and for minutes.

A person picks one of several faces, or corrects a field, without sending the picture again; no file and no address of its own
ever holds it.
"""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass, field

SECONDS_MAX = 600.0
PER_SESSION_MAX = 2
BYTES_MAX = 128 * 1024 * 1024  # over all sessions: eight of the largest probes


@dataclass(frozen=True, slots=True)
class _Kept:
    session: str = field(repr=False)
    content: bytes = field(repr=False)
    until: float


class Shelf:
    """A small shelf with tickets. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, _Kept] = {}  # oldest first

    def put(self, session: str, content: bytes) -> str:
        """Keep something for this session and return its ticket; older things make room."""
        ticket = secrets.token_urlsafe(16)
        with self._lock:
            self._sweep()
            own = [t for t, kept in self._kept.items() if kept.session == session]
            for old in own[: len(own) - PER_SESSION_MAX + 1]:
                del self._kept[old]
            self._kept[ticket] = _Kept(session, content, time.monotonic() + SECONDS_MAX)
            while sum(len(kept.content) for kept in self._kept.values()) > BYTES_MAX:
                del self._kept[next(iter(self._kept))]
        return ticket

    def get(self, session: str, ticket: str) -> bytes | None:
        """Return what this session keeps under a ticket, or None."""
        with self._lock:
            self._sweep()
            kept = self._kept.get(ticket)
        return kept.content if kept is not None and kept.session == session else None

    def drop(self, ticket: str) -> None:
        """Forget what is under a ticket; idempotent."""
        with self._lock:
            self._kept.pop(ticket, None)

    def _sweep(self) -> None:
        now = time.monotonic()
        for ticket in [t for t, kept in self._kept.items() if kept.until <= now]:
            del self._kept[ticket]
