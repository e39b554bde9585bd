"""Keeps a probe between two pages: in memory alone, bound to its session, few at a time, and for minutes.

A person picks one of several faces, or corrects a field, without sending the picture again; no file and no address of its own
ever holds it. A clock of its own clears the shelf: what is over its time, or whose session has ended by whatever door, goes
within seconds, whether or not anybody asks again.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

SECONDS_MAX = 600.0
SWEEP_SECONDS = 5.0  # how long a probe may outlive its time or its session
PER_SESSION_MAX = 2
BYTES_MAX = 128 * 1024 * 1024  # over all sessions: eight of the largest probes


@dataclass(frozen=True, slots=True)
class _Kept:
    session: str = field(repr=False)
    content: bytes = field(repr=False)
    until: float


class Shelf:
    """A small shelf with tickets. Thread-safe.

    ``is_open`` says whether a session still is; ``sweep_seconds`` is how often the shelf asks while it holds something.
    """

    def __init__(self, is_open: Callable[[str], bool] = lambda _: True, *, sweep_seconds: float = SWEEP_SECONDS) -> None:
        self._is_open, self._sweep_seconds = is_open, sweep_seconds
        self._lock = threading.Lock()
        self._kept: dict[str, _Kept] = {}  # oldest first
        self._clock: threading.Timer | None = None

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
            self._wind()
        return ticket

    def forget(self, session: str) -> None:
        """Forget all that this session keeps: it signed out."""
        with self._lock:
            for ticket in [t for t, kept in self._kept.items() if kept.session == session]:
                del self._kept[ticket]

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

    def __len__(self) -> int:
        """Return how many things are kept."""
        with self._lock:
            return len(self._kept)

    def _wind(self) -> None:
        """Start the clock where something is kept and none runs. Called under the lock."""
        if self._kept and self._clock is None:
            self._clock = threading.Timer(self._sweep_seconds, self._tick)
            self._clock.daemon = True
            self._clock.start()

    def _tick(self) -> None:
        with self._lock:
            sessions = {kept.session for kept in self._kept.values()}
        ended = [session for session in sessions if not self._still_open(session)]  # outside the lock: it reads a file
        for session in ended:
            self.forget(session)
        with self._lock:
            self._clock = None
            self._sweep()
            self._wind()

    def _still_open(self, session: str) -> bool:
        try:
            return self._is_open(session)
        except Exception:  # noqa: BLE001 - whoever cannot be asked about is signed out, and the clock goes on
            return False

    def _sweep(self) -> None:
        now = time.monotonic()
        for ticket in [t for t, kept in self._kept.items() if kept.until <= now]:
            del self._kept[ticket]
