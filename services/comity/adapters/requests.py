"""Requests taken under a key of their sender's own, in one small SQLite file.

In this order: a request is claimed, then done, then its answer is kept. A crash after the first leaves a claim without an answer:
sent again it is done again, under the id that was derived from its key, and the journal says whether that stood already. The file
lost, or an older one put back, leaves that too.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

KEPT_SECONDS = 30 * 24 * 3600  # a feed that was down over a holiday tries again
ROWS_MAX = 1_000_000  # 200 bytes each
SWEEP_EVERY = 1_000  # claims
BUSY_SECONDS = 5.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS request (
    number INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, digest BLOB NOT NULL, answer TEXT, at REAL NOT NULL);
"""


class SqliteRequests:
    """Requests of one file. Thread-safe."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._clock, self._lock, self._claims = clock, threading.Lock(), 0
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
            self._connection.execute(f"PRAGMA {pragma}").close()
        self._connection.executescript(_SCHEMA).close()

    def claim(self, name: bytes, digest: bytes) -> tuple[bytes, str | None]:
        """Remember a request before it is done; return the digest first claimed under this name, and its answer if it has one."""
        with self._lock:
            self._sweep()
            insert = "INSERT INTO request (name, digest, at) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING"
            self._connection.execute(insert, (name, digest, self._clock()))
            found = self._connection.execute("SELECT digest, answer FROM request WHERE name = ?", (name,)).fetchone()
        return bytes(found[0]), found[1]

    def answer(self, name: bytes, answer: str) -> None:
        """Keep what a request was answered with."""
        with self._lock:
            self._connection.execute("UPDATE request SET answer = ? WHERE name = ?", (answer, name))

    def close(self) -> None:
        """Close the file; idempotent."""
        with self._lock:
            self._connection.close()

    def _sweep(self) -> None:
        if self._claims % SWEEP_EVERY == 0:
            newest = "SELECT COALESCE(MAX(number), 0) - ? FROM request"
            self._connection.execute(
                f"DELETE FROM request WHERE at < ? OR number <= ({newest})",  # noqa: S608 - our own words alone
                (self._clock() - KEPT_SECONDS, ROWS_MAX),
            )
        self._claims += 1
