"""A ledger built beside the one in use, and swapped in at one stroke.

The order of writing. Another file is made and filled, while the ledger in use stays as it is. Then one transaction in the file in
use deletes its rows, copies those of the other, and moves its position: readers see the one or the other, never a part. A crash
before its commit leaves the old ledger, after it the new one; and a file beside, which the next attempt deletes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from comity.adapters.sql import ages
from comity.adapters.sql.ages import OPENED
from comity.adapters.sql.engine import open_engine
from comity.adapters.sql.ledger import SqlLedger
from comity.adapters.sql.tables import APPLIED, REFUSED, SEEN, TABLES


class LedgerBeside:
    """Where a ledger is built anew."""

    def __init__(self, engine: Engine, path: Path) -> None:
        """Build it in the file at ``path``, for the database of ``engine``."""
        self._engine, self._path = engine, path

    @contextmanager
    def building(self) -> Iterator[SqlLedger]:
        """Hand out an empty ledger, and swap it in where the block ends well; its file goes either way."""
        self._remove()
        beside = open_engine(self._path)
        try:
            yield SqlLedger(beside)
            beside.dispose()  # its write-ahead file goes into it
            self._swap()
        finally:
            beside.dispose()
            self._remove()

    def _swap(self) -> None:
        pooled = self._engine.raw_connection()
        try:
            connection = pooled.driver_connection
            if not isinstance(connection, sqlite3.Connection):
                raise TypeError("a ledger is swapped in SQLite alone")
            connection.execute("ATTACH DATABASE ? AS beside", (str(self._path),))
            try:
                self._copy(connection)
            finally:
                connection.execute("DETACH DATABASE beside")
        finally:
            pooled.close()

    def _copy(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            epochs = connection.execute(f"SELECT max(epoch) FROM main.{APPLIED.name}").fetchone()  # noqa: S608 - our own name
            for table in (*TABLES.values(), SEEN, REFUSED, APPLIED):
                columns = ", ".join(f'"{column.name}"' for column in table.columns)
                connection.execute(f"DELETE FROM main.{table.name}")  # noqa: S608 - our own names
                connection.execute(
                    f"INSERT INTO main.{table.name} ({columns}) SELECT {columns} FROM beside.{table.name}"  # noqa: S608
                )
            connection.execute(f"UPDATE main.{APPLIED.name} SET epoch = ?", ((epochs[0] or 0) + 1,))  # noqa: S608
            connection.execute(f"DELETE FROM main.{OPENED.name}")  # noqa: S608 - our own names
            connection.execute(f"INSERT INTO main.{OPENED.name} SELECT epoch FROM main.{APPLIED.name}")  # noqa: S608
            connection.execute("COMMIT")
        except BaseException:
            connection.rollback()
            raise

    def _remove(self) -> None:
        ages.remove(self._path)
