"""The embedded log's file: its tables, its rows' form, and what its errors mean.

``secure_delete`` alone is not enough to erase: when SQLite moves rows between pages it leaves copies of them in the pages' free
space, and zeroes only the last one (measured: 1 deleted value in 100). Overflow pages never move and are zeroed whole. So a
compacted topic's rows are padded in front, that none of their content lies anywhere else; see ``padding``.
"""

from __future__ import annotations

import sqlite3
import struct
import time
import uuid
from contextlib import closing
from pathlib import Path

import structlog

from comity.adapters import log_rules
from comity.domain.log import Entry, Topic
from comity.errors import Halted, Unavailable

logger = structlog.get_logger(__name__)

FORMAT = 1
APPLICATION_ID = 0x434D5459  # "CMTY": another program's file is refused
OPEN_SECONDS_MAX = 10.0  # for another process that is just making the file
LOOK_SECONDS = 0.02  # how often a waiting reader looks for entries of other processes
WAL_KEPT_BYTES = 16 * 1024 * 1024  # the write-ahead file shrinks to this after a burst

PARTITION_BITS = 48  # place = stream's number << 48 | position: 8,900 years at a thousand appends a second
PAGE_BYTES = 4096
_OVERFLOW_BYTES = PAGE_BYTES - 4  # of content in an overflow page
_LEAF_BYTES = (PAGE_BYTES - 12) * 32 // 255 - 23  # of an overflowing row that stay in the leaf, at the least: 489
_COLUMNS_BYTES = 40  # about: the columns before the body without the key, and their header
_SLACK_BYTES = 260  # any length up to 519 below a full page leaves 489 in the leaf: the middle forgives an error either way
_SCHEMA = """
CREATE TABLE IF NOT EXISTS about (identity TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS streams (
    number INTEGER PRIMARY KEY, topic TEXT NOT NULL, partition INTEGER NOT NULL,
    next INTEGER NOT NULL DEFAULT 0, clock_ms INTEGER NOT NULL DEFAULT 0, opened INTEGER NOT NULL DEFAULT 0,
    UNIQUE (topic, partition));
CREATE TABLE IF NOT EXISTS opened (times INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS entries (
    place INTEGER PRIMARY KEY, appended_at_ms INTEGER NOT NULL, key BLOB,
    headers_bytes INTEGER NOT NULL, value_bytes INTEGER, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS newest (
    stream INTEGER NOT NULL, key BLOB NOT NULL, place INTEGER NOT NULL, PRIMARY KEY (stream, key)) WITHOUT ROWID;
"""


def body(topic: Topic, entry: Entry) -> tuple[int, int | None, bytes]:
    """Return a row's last three columns: the lengths of headers and value (None for a tombstone), and padding, headers, value."""
    parts: list[bytes] = []
    for name, value in entry.headers:
        encoded = log_rules.name_bytes(name)
        parts += (struct.pack(">II", len(encoded), len(value)), encoded, value)
    headers_bytes = sum(map(len, parts))
    content_bytes = headers_bytes + len(entry.value or b"")
    front = padding(len(entry.key or b""), content_bytes) if topic.compacted and content_bytes else 0
    value_bytes = None if entry.value is None else len(entry.value)
    return headers_bytes, value_bytes, b"".join((bytes(front), *parts, entry.value or b""))


def entry(key: bytes | None, headers_bytes: int, value_bytes: int | None, body: bytes) -> Entry:
    """Read a row's columns back."""
    value_at = len(body) - (value_bytes or 0)
    headers, at = [], value_at - headers_bytes
    while at < value_at:
        name, value = struct.unpack_from(">II", body, at)
        at += 8
        headers.append((body[at : at + name].decode("utf-8", "surrogateescape"), body[at + name : at + name + value]))
        at += name + value
    return Entry(key, None if value_bytes is None else body[value_at:], tuple(headers))


def padding(key_bytes: int, content_bytes: int) -> int:
    """Return how many zero bytes in front keep all content in overflow pages.

    A row longer than a page keeps 489 bytes in its leaf, or up to 4,061 when its tail would fill less of the last overflow
    page (SQLite's file format, 1.6). So the whole row is given a length at which it keeps 489, which are columns and padding.
    """
    columns = _COLUMNS_BYTES + key_bytes
    pages = -(-(columns + content_bytes + _SLACK_BYTES) // _OVERFLOW_BYTES)
    return _LEAF_BYTES + pages * _OVERFLOW_BYTES - _SLACK_BYTES - columns - content_bytes


def connect(path: Path, timeout_seconds: float) -> sqlite3.Connection:
    """Connect with durable commits and zeroed deletions, waiting up to ``timeout_seconds`` for locks."""
    connection = sqlite3.connect(path, timeout=timeout_seconds, isolation_level=None, check_same_thread=False)
    try:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA temp_store = MEMORY")  # else a sort could spill values into a file of its own
        connection.execute(f"PRAGMA journal_size_limit = {WAL_KEPT_BYTES}")
    except BaseException:
        connection.close()
        raise
    return connection


def make(connection: sqlite3.Connection) -> uuid.UUID:
    """Make the tables unless they are there, and return the file's identity. One transaction, so that two makers agree."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
            for statement in _SCHEMA.split(";")[:-1]:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {FORMAT}")
            connection.execute("INSERT INTO about VALUES (?)", (str(uuid.uuid4()),))
            # As each stream says: a file whose first opening was killed is of one age.
            connection.execute("INSERT INTO opened VALUES (0)")
        _recognise(connection)
        connection.executemany(
            "INSERT OR IGNORE INTO streams (topic, partition) VALUES (?, ?)",
            [(stream.topic.value, stream.partition) for topic in Topic for stream in log_rules.streams(topic)],
        )
        identity = uuid.UUID(connection.execute("SELECT identity FROM about").fetchone()[0])
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise
    return identity


def opened(connection: sqlite3.Connection) -> None:
    """Count an opening twice: on the page that every append writes anew, and on one of its own, which no append touches.

    The second is brought into the file itself at once: a write-ahead file of later has the first alone. See ``are_two_ages``.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("UPDATE streams SET opened = (SELECT max(opened) + 1 FROM streams)")
        connection.execute("DELETE FROM opened")
        connection.execute("INSERT INTO opened SELECT max(opened) FROM streams")
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise
    if connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
        # Somebody outside reads it: until it is brought into the file later, an older copy put back beside is not told.
        logger.warning("the log's write-ahead file was busy at start")


def are_two_ages(path: Path) -> bool:
    """Say whether the write-ahead file beside this one belongs to another copy of it: SQLite would play it over this one.

    Asked before the file is opened, and by a connection that only reads: another would leave the mixture in the file when it
    closes. A copy made since the last start is not told from the file that it was made of.
    """
    beside = path.with_name(f"{path.name}-wal")
    if not beside.is_file() or not beside.stat().st_size:
        return False
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=OPEN_SECONDS_MAX)) as connection:
        try:
            ((counted,), (second,)) = (
                connection.execute("SELECT max(opened) FROM streams").fetchone(),
                connection.execute("SELECT max(times) FROM opened").fetchone(),
            )
        except sqlite3.OperationalError:  # another program's file, or one that is just being made: told when it is opened
            return False
        except sqlite3.DatabaseError:  # pages that do not fit together
            return True
    return bool(counted != second)


def _recognise(connection: sqlite3.Connection) -> None:
    found = tuple(connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    if found != (APPLICATION_ID, FORMAT):
        advice = "Point COMITY_HOME elsewhere, or use the release that made the file."
        raise Halted(f"the file is no comity log of format {FORMAT}", advice=advice)


def write_ahead(connection: sqlite3.Connection, deadline: float) -> None:
    """Switch to WAL. SQLite does not wait here while another process switches the same new file, so this does."""
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(LOOK_SECONDS)
        else:
            return


def refusal(doing: str, error: sqlite3.Error) -> Halted | Unavailable:
    """Say what a failed read means: a damaged file needs a person, a busy or failing disk another try."""
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return Halted(f"the log's file is damaged ({name})", advice="Restore it from a backup, then run `comity fsck`.")
    return Unavailable(f"{doing} the log failed ({name})", advice="Look at the disk's space and health, then try again.")
