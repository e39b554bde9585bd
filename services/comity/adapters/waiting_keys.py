"""Keys that were issued and are used by no enrolment yet: few for each holder, for a week, in the vault's own file.

A key must be with its publisher before the enrolment comes. Kept for good it would be minted by whoever tries numbers out. So it
waits here, in rows that are used again: their fields keep their lengths, so that a row is overwritten where it lies. What is
claimed, shredded, or over its time is overwritten by random bytes.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Collection

from comity.wire import sealing

WAITS_SECONDS = 7 * 86_400  # a feed that was prepared on Friday is sent by the next
PER_HOLDER_MAX = 10_000  # a quarter of an hour of look-ups; the oldest makes room

_FIELDS = "name TEXT NOT NULL UNIQUE, holder TEXT NOT NULL, wrapped BLOB NOT NULL, until INTEGER NOT NULL"
SCHEMA = (
    f"CREATE TABLE waiting (number INTEGER PRIMARY KEY, {_FIELDS})",
    "CREATE INDEX waiting_of ON waiting (holder, until)",
    "CREATE INDEX waiting_until ON waiting (until)",
)
_CONTEXT = b"comity.vault-waiting/"
_SPENT = 1_000_000_000  # a time long ago that takes as many bytes as one to come


class WaitingKeys:
    """The rows of one vault, used under its lock and within its transactions."""

    def __init__(self, connection: sqlite3.Connection, master: bytes, now: Callable[[], float] = time.time) -> None:
        self._connection, self._master, self._now = connection, master, now

    def put(self, name: str, holder: str) -> bytes:
        """Return the key that waits under this name, made now if none does, for a week from now.

        What is over its time is overwritten first.
        """
        self._expire()
        if (held := self.get(name)) is not None:
            self._connection.execute("UPDATE waiting SET until = ? WHERE name = ?", (int(self._now()) + WAITS_SECONDS, name))
            return held
        key = sealing.new_key()
        wrapped = sealing.seal(self._master, key, context=_CONTEXT + name.encode())
        row = (name, holder, wrapped, int(self._now()) + WAITS_SECONDS)
        free = self._free(holder)
        if free is None:
            self._connection.execute("INSERT INTO waiting (name, holder, wrapped, until) VALUES (?, ?, ?, ?)", row)
        else:
            self._connection.execute(
                "UPDATE waiting SET name = ?, holder = ?, wrapped = ?, until = ? WHERE number = ?", (*row, free)
            )
        return key

    def get(self, name: str) -> bytes | None:
        """Return the key that waits under this name, or None."""
        query = "SELECT wrapped FROM waiting WHERE name = ? AND until >= ?"
        row = self._connection.execute(query, (name, int(self._now()))).fetchone()
        return None if row is None else sealing.unseal(self._master, row[0], context=_CONTEXT + name.encode())

    def destroy(self, names: Collection[str]) -> None:
        """Overwrite what waits under these names."""
        for name in names:
            self._overwrite("name = ?", name)

    def _expire(self) -> None:
        self._overwrite("until > ? AND until < ?", _SPENT, int(self._now()))

    def _free(self, holder: str) -> int | None:
        """Return a row of this holder to use again: a spent one, or the oldest where there is no room for more."""
        oldest = "SELECT number, until FROM waiting WHERE holder = ? ORDER BY until LIMIT 1"
        row = self._connection.execute(oldest, (holder,)).fetchone()
        if row is None:
            return None
        count = self._connection.execute("SELECT count(*) FROM waiting WHERE holder = ?", (holder,)).fetchone()[0]
        return int(row[0]) if row[1] == _SPENT or count >= PER_HOLDER_MAX else None

    def _overwrite(self, where: str, *values: object) -> None:
        numbers = self._connection.execute(f"SELECT number, length(name) FROM waiting WHERE {where}", values).fetchall()  # noqa: S608
        self._connection.executemany(
            f"UPDATE waiting SET name = ?, wrapped = randomblob(length(wrapped)), until = {_SPENT} WHERE number = ?",  # noqa: S608
            [(f"-{number}".rjust(length, "-"), number) for number, length in numbers],
        )
