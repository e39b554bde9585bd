"""Whether the ledger's file and the write-ahead file beside it are of one age.

SQLite plays a write-ahead file over whatever file it lies beside. After a crash, an older ``ledger.db`` put back without deleting
``ledger.db-wal`` becomes pages of both: the position is the newer file's, and rows of between are in neither. An order's among
them, and what it covers would be shown.

So the epoch stands twice: in ``applied``, on a page that every transaction of the ledger writes anew, and in ``opened``, on a
page of its own, which is brought into the file itself at each start and never written again until the next. Pages of two ages
say two epochs. A copy made since the last start is not told from the file that it was made of.
"""

from __future__ import annotations

from pathlib import Path

import structlog
from sqlalchemy import Column, Connection, Engine, Integer, Table, delete, insert, select
from sqlalchemy.exc import DatabaseError

from comity.adapters.sql.tables import APPLIED, METADATA

logger = structlog.get_logger(__name__)

OPENED = Table("opened", METADATA, Column("epoch", Integer, primary_key=True, autoincrement=False))
SUFFIXES = ("", "-wal", "-shm", "-journal")


def opened(connection: Connection) -> None:
    """Remember the epoch a second time, in the transaction that changes it."""
    connection.execute(delete(OPENED))
    connection.execute(insert(OPENED).from_select(["epoch"], select(APPLIED.c.epoch)))


def settle(engine: Engine) -> None:
    """Bring everything into the file itself, so that no write-ahead file from now on holds the second epoch's page."""
    pooled = engine.raw_connection()
    try:
        cursor = pooled.cursor()
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (busy, *_), *_ = cursor.fetchall()
        cursor.close()
    finally:
        pooled.close()
    if busy:
        logger.warning("the ledger's write-ahead file was busy at start")


def are_two(engine: Engine) -> bool:
    """Say whether the epochs differ, or the file cannot be read for what lies in it."""
    try:
        with engine.begin() as connection:
            ones, others = (set(connection.execute(select(column)).scalars()) for column in (APPLIED.c.epoch, OPENED.c.epoch))
    except DatabaseError:
        return True
    return bool(ones) and ones != others


def remove(path: Path) -> None:
    """Delete a database with whatever lies beside it."""
    for suffix in SUFFIXES:
        path.with_name(path.name + suffix).unlink(missing_ok=True)
