"""Requests taken under a key of their sender's own, in one small SQLite file, which holds digests and ciphertexts alone.

In this order: a request is claimed, then done, then its answer is kept. A crash after the first leaves a claim without an answer:
sent again it is done again, under the id that was derived from it, and the journal says whether that stood already. The file
lost, or an older one put back, leaves that too; so does the key of its answers, lost.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

from comity.adapters import private_files
from comity.ports import Claimed, KeyVault
from comity.wire import sealing

KEPT_SECONDS = 30 * 24 * 3600  # a feed that was down over a holiday tries again
PARTY_ROWS_MAX = 100_000  # 300 bytes each; a month of the largest agency's bookings, and no party pushes out another's
SWEEP_EVERY = 1_000  # claims
BUSY_SECONDS = 5.0
ANSWERS_KEY = "requests/1"  # the vault's name for the key that answers are encrypted under: people's names are in some

_SCHEMA = """
CREATE TABLE IF NOT EXISTS request (
    number INTEGER PRIMARY KEY, party TEXT NOT NULL, name BLOB NOT NULL UNIQUE, digest BLOB NOT NULL, answer BLOB,
    at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS request_party ON request (party, number);
"""


class SqliteRequests:
    """Requests of one file. Thread-safe."""

    def __init__(self, path: Path, vault: KeyVault, *, clock: Callable[[], float] = time.time) -> None:
        self._vault, self._clock, self._lock, self._claims = vault, clock, threading.Lock(), 0
        private_files.make(path)
        self._connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
            self._connection.execute(f"PRAGMA {pragma}").close()
        self._connection.executescript(_SCHEMA).close()

    def claim(self, party: str, name: bytes, digest: bytes) -> Claimed:
        """Remember a party's request before it is done; return what was first claimed under this name."""
        with self._lock:
            self._sweep()
            insert = "INSERT INTO request (party, name, digest, at) VALUES (?, ?, ?, ?) ON CONFLICT (name) DO NOTHING"
            new = self._connection.execute(insert, (party, name, digest, self._clock())).rowcount == 1
            found = self._connection.execute("SELECT digest, answer FROM request WHERE name = ?", (name,)).fetchone()
        return Claimed(bytes(found[0]), self._opened(name, found[1]), new)

    def answer(self, name: bytes, answer: str) -> None:
        """Keep what a request was answered with."""
        ciphertext = sealing.seal(self._vault.issue(ANSWERS_KEY), answer.encode(), context=name)
        with self._lock:
            self._connection.execute("UPDATE request SET answer = ? WHERE name = ?", (ciphertext, name))

    def close(self) -> None:
        """Close the file; idempotent."""
        with self._lock:
            self._connection.close()

    def _opened(self, name: bytes, ciphertext: bytes | None) -> str | None:
        """Return an answer in clear, or None where none was kept under today's key."""
        if ciphertext is None:
            return None
        try:
            return sealing.unseal(self._vault.issue(ANSWERS_KEY), bytes(ciphertext), context=name).decode()
        except sealing.Unsealable:
            return None

    def _sweep(self) -> None:
        """Forget what is too old, and the oldest of a party that has too many."""
        if self._claims % SWEEP_EVERY == 0:
            self._connection.execute("DELETE FROM request WHERE at < ?", (self._clock() - KEPT_SECONDS,))
            crowded = "SELECT party FROM request GROUP BY party HAVING COUNT(*) > ?"
            for (party,) in self._connection.execute(crowded, (PARTY_ROWS_MAX,)).fetchall():
                newest = "SELECT number FROM request WHERE party = ? ORDER BY number DESC LIMIT 1 OFFSET ?"
                self._connection.execute(
                    f"DELETE FROM request WHERE party = ? AND number <= ({newest})",  # noqa: S608 - our own words alone
                    (party, party, PARTY_ROWS_MAX),
                )
        self._claims += 1
