"""The embedded log: every topic in one SQLite file, and the reference that Kafka is compared with.

One append is one transaction, in this order: the stream's next position and clock, the deletion of the key's older entry
(compacted topics), the entry, COMMIT with an fsync of the write-ahead file. A crash before the COMMIT's fsync leaves nothing of
it; after it, everything. Only a COMMIT that fails leaves the question open: its last frame may or may not lie in the file.

Old bytes go in two steps: the transaction zeroes the pages of what it deletes (``secure_delete``), and ``settle`` copies these
pages over the old ones and truncates the write-ahead file. A crash between them leaves the old bytes in the file until
the next ``settle``; readers never see them again.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from comity.adapters import log_rules, private_files, sqlite_file
from comity.adapters.log_rules import BATCH_BYTES_MAX
from comity.adapters.sqlite_file import LOOK_SECONDS, OPEN_SECONDS_MAX, PARTITION_BITS
from comity.domain.log import Batch, Entry, Placed, Stream, Topic
from comity.errors import Halted, NotAppended, OutcomeUnknown, Unavailable

TWO_AGES = "If the older file is the one you mean, delete the -wal and the -shm beside it; else put its own file back."
ASK_SECONDS_MAX = 5.0  # for the short reads of `end` and of a poll: only a checkpoint's last step can hold them up
# Small steps back are flattened, so that dates in order stay in order. A larger one is a wrong clock set right: followed,
# or one reading of a year ahead would date every entry of the coming year.
CLOCK_BACK_MS_MAX = 60_000
MOVED = """UPDATE streams SET next = next + 1,
  clock_ms = CASE WHEN :now < clock_ms - :back THEN :now ELSE max(clock_ms, :now) END
WHERE number = :number RETURNING next - 1, clock_ms"""


def _clock_ms() -> int:
    return time.time_ns() // 1_000_000


class SqliteLog:
    """The log in one file, for one machine: any number of threads and processes may use it at once.

    Raises Halted where ``path`` is another program's file or damaged, Unavailable where it cannot be opened.
    """

    def __init__(self, path: Path, *, clock_ms: Callable[[], int] = _clock_ms) -> None:
        self._path, self._clock_ms = path, clock_ms
        self._lock, self._asking = threading.Lock(), threading.Lock()
        self._news = threading.Condition()
        self._appended = 0  # grows with each append of this process, so that a reader cannot sleep through one
        self._closed = False
        try:
            private_files.make(path)  # -wal and -shm take over its mode
            if sqlite_file.are_two_ages(path):
                raise Halted(f"{path.name} and {path.name}-wal are of two ages.", advice=TWO_AGES)
            writer = sqlite_file.connect(path, OPEN_SECONDS_MAX)
            try:
                sqlite_file.write_ahead(writer, time.monotonic() + OPEN_SECONDS_MAX)
                self._identity = sqlite_file.make(writer)
                sqlite_file.opened(writer)
                rows = writer.execute("SELECT topic, partition, number FROM streams").fetchall()
                asker = sqlite_file.connect(path, ASK_SECONDS_MAX)
            except BaseException:
                writer.close()
                raise
        except sqlite3.Error as error:
            raise sqlite_file.refusal("opening", error) from error
        except OSError as error:
            raise Unavailable(f"the log's file cannot be made ({error.strerror})", advice=f"Look at {path}.") from error
        # None after a failure of the disk: the next use connects anew, for as long as it takes.
        self._writer: sqlite3.Connection | None = writer
        self._asker: sqlite3.Connection | None = asker
        self._numbers = {Stream(Topic(topic), partition): number for topic, partition, number in rows}

    def streams(self, topic: Topic) -> tuple[Stream, ...]:
        """Return the topic's streams, in order of their partitions."""
        return log_rules.streams(topic)

    def identity(self, topic: Topic) -> str:
        """Return the topic's id: another one means that the file was made anew."""
        self._alive()
        return str(uuid.uuid5(self._identity, topic.value))

    def append(self, topic: Topic, entry: Entry, *, timeout_seconds: float, stream: Stream | None = None) -> Placed:
        """Append durably (fsync) and return the entry at its place; entries of one key keep one stream.

        Raises NotAppended (locked for ``timeout_seconds``, disk full, closed), OutcomeUnknown where the commit itself failed, and
        InvalidInput or TooLarge for what no log takes.
        """
        stream = log_rules.admit(topic, entry, stream)
        with self._writing(timeout_seconds) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                placed = self._insert(connection, stream, entry)
            except BaseException as error:
                self._roll_back(connection)
                if isinstance(error, sqlite3.Error):
                    raise _not_appended(error) from error
                raise
            try:
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                self._roll_back(connection)
                raise OutcomeUnknown(
                    f"the log's file did not confirm the entry ({error})",
                    advice="Look at the disk, then ask again what was done.",
                ) from error
        with self._news:
            self._appended += 1
            self._news.notify_all()
        return placed

    def settle(
        self,
        topic: Topic,
        keys: Collection[bytes],
        *,
        timeout_seconds: float,
        reading_seconds: float = 0.0,  # noqa: ARG002  # nothing is read: what stands is asked for by key
    ) -> bool:
        """Move the zeroed pages into the file and empty the write-ahead file, waiting for readers up to ``timeout_seconds``.

        True when no value of these keys is left in the file or beside it; False where one still has one, or a reader held on.
        """
        deadline = time.monotonic() + timeout_seconds
        try:
            while True:
                with self._writing(deadline - time.monotonic()) as connection:
                    if any(self._stands(connection, log_rules.stream_of(topic, key), key) for key in keys):
                        return False
                    self._take_out(connection, topic, keys)
                    connection.execute(
                        f"PRAGMA busy_timeout = {int(1000 * LOOK_SECONDS)}"
                    )  # appends wait for no longer than this
                    if not connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                        return True
                if time.monotonic() >= deadline:
                    return False
                time.sleep(LOOK_SECONDS)
        except (sqlite3.Error, NotAppended):
            return False

    def open(self, starts: Mapping[Stream, int]) -> AbstractContextManager[SqliteReader]:
        """Open a reader at these positions; close it by leaving the context."""
        self._alive()
        try:
            return contextlib.closing(SqliteReader(self, {stream: (self._numbers[stream], at) for stream, at in starts.items()}))
        except sqlite3.Error as error:
            raise sqlite_file.refusal("opening", error) from error

    def end(self, stream: Stream) -> int:
        """Return the stream's next position: for readiness and lag only."""
        with self._asking:
            self._alive()
            try:
                self._asker = self._asker or sqlite_file.connect(self._path, ASK_SECONDS_MAX)
                row = self._asker.execute("SELECT next FROM streams WHERE number = ?", (self._numbers[stream],)).fetchone()
            except sqlite3.Error as error:
                _let_go(self._asker)
                self._asker = None
                raise sqlite_file.refusal("reading", error) from error
        return int(row[0])

    def close(self) -> None:
        """Release the file; idempotent. Readers left open answer Unavailable from now on."""
        with self._lock, self._asking, self._news:
            self._closed = True
            _let_go(self._writer)
            self._writer = None
            _let_go(self._asker)
            self._asker = None
            self._news.notify_all()

    def _alive(self) -> None:
        if self._closed:
            raise Unavailable("the log is closed", advice="The program is shutting down.")

    @contextlib.contextmanager
    def _writing(self, timeout_seconds: float) -> Iterator[sqlite3.Connection]:
        """Hold this process's one writing connection, its remaining patience set for other processes."""
        deadline = time.monotonic() + timeout_seconds
        if not self._lock.acquire(timeout=max(0.0, timeout_seconds)):
            raise NotAppended("the log was busy for too long", advice="Try again shortly.")
        try:
            if self._closed:
                raise NotAppended("the log is closed", advice="The program is shutting down.")
            yield self._ready(max(0.0, deadline - time.monotonic()))
        finally:
            self._lock.release()

    def _ready(self, seconds: float) -> sqlite3.Connection:
        """Return the writing connection with this patience, made anew where a failure of the disk took it."""
        try:
            self._writer = self._writer or sqlite_file.connect(self._path, seconds)
            self._writer.execute(f"PRAGMA busy_timeout = {int(1000 * seconds)}")
        except sqlite3.Error as error:
            _let_go(self._writer)
            self._writer = None
            raise _not_appended(error) from error
        return self._writer

    def _insert(self, connection: sqlite3.Connection, stream: Stream, entry: Entry) -> Placed:
        number = self._numbers[stream]
        values = {"now": self._clock_ms(), "back": CLOCK_BACK_MS_MAX, "number": number}
        position, at_ms = connection.execute(MOVED, values).fetchone()
        place = number << PARTITION_BITS | position
        if stream.topic.compacted:
            older = "DELETE FROM entries WHERE place = (SELECT place FROM newest WHERE stream = ? AND key = ?)"
            connection.execute(older, (number, entry.key))
            connection.execute("INSERT OR REPLACE INTO newest VALUES (?, ?, ?)", (number, entry.key, place))
        row = (place, at_ms, entry.key, *sqlite_file.body(stream.topic, entry))
        connection.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)", row)
        return Placed(entry, stream, position, at_ms)

    def _take_out(self, connection: sqlite3.Connection, topic: Topic, keys: Collection[bytes]) -> None:
        """Put tombstones where a value of these keys lies in another stream than the key's own, in one transaction."""
        foreign = [(s, key) for key in keys for s in self.streams(topic) if self._stands(connection, s, key)]
        if not foreign:
            return
        connection.execute("BEGIN IMMEDIATE")
        try:
            for stream, key in foreign:
                self._insert(connection, stream, Entry(key, None))
            connection.execute("COMMIT")
        except BaseException:
            self._roll_back(connection)
            raise

    def _stands(self, connection: sqlite3.Connection, stream: Stream, key: bytes) -> bool:
        """Say whether a value of this key is to be kept: its newest entry is no tombstone, or nothing is ever erased here."""
        newest = "SELECT value_bytes IS NOT NULL FROM newest JOIN entries USING (place) WHERE stream = ? AND newest.key = ?"
        row = connection.execute(newest, (self._numbers[stream], key)).fetchone()
        return not stream.topic.compacted or (row is not None and bool(row[0]))

    def _roll_back(self, connection: sqlite3.Connection) -> None:
        """Undo what is open. Where even this fails the connection is given up: SQLite undoes it when the file is next opened."""
        try:
            connection.rollback()
        except sqlite3.Error:
            _let_go(connection)
            self._writer = None


def _let_go(connection: sqlite3.Connection | None) -> None:
    """Close a connection, whatever state it is in."""
    if connection is not None:
        with contextlib.suppress(sqlite3.Error):
            connection.close()


def _not_appended(error: sqlite3.Error) -> NotAppended:
    name = getattr(error, "sqlite_errorname", "SQLITE_ERROR")
    advice = "Free some space on the disk." if name == "SQLITE_FULL" else "Try again shortly."
    return NotAppended(f"the log did not take the entry ({name})", advice=advice)


class SqliteReader:
    """Follows streams of one file. Owned by one thread."""

    def __init__(self, log: SqliteLog, at: dict[Stream, tuple[int, int]]) -> None:
        self._log, self._at = log, at
        self._connection = sqlite_file.connect(log._path, ASK_SECONDS_MAX)  # noqa: SLF001  # the log's other half

    def poll(self, *, timeout_seconds: float, entries_max: int) -> Mapping[Stream, Batch]:
        """Return what came, waiting up to ``timeout_seconds`` for the first entry; at most ``entries_max`` over all streams.

        Raises Halted where a position lies beyond its stream's end (another or an older file), Unavailable after a close.
        """
        deadline = time.monotonic() + timeout_seconds
        while True:
            appended, version = self._log._appended, self._version()  # noqa: SLF001
            batches = self._read(entries_max)
            if any(batch.entries for batch in batches.values()) or time.monotonic() >= deadline:
                return batches
            while self._log._appended == appended and self._version() == version:  # noqa: SLF001
                if (left := deadline - time.monotonic()) <= 0:
                    return batches
                self._wait(appended, min(left, LOOK_SECONDS))

    def close(self) -> None:
        """Release the connection; idempotent."""
        self._connection.close()

    def _wait(self, appended: int, seconds: float) -> None:
        with self._log._news:  # noqa: SLF001
            self._log._news.wait_for(lambda: self._log._closed or self._log._appended != appended, seconds)  # noqa: SLF001

    def _version(self) -> int:
        """Return a number that changes with every commit to the file, whoever made it."""
        self._log._alive()  # noqa: SLF001
        try:
            return int(self._connection.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.Error as error:
            raise sqlite_file.refusal("reading", error) from error

    def _read(self, entries_max: int) -> dict[Stream, Batch]:
        """Read each stream in turn; the one read first goes last the next time, so that none starves."""
        batches: dict[Stream, Batch] = {}
        left, bytes_left = entries_max, BATCH_BYTES_MAX
        for stream, (number, at) in list(self._at.items()):
            try:
                batch, size = self._batch(stream, number, at, left, bytes_left)
            except sqlite3.Error as error:
                raise sqlite_file.refusal("reading", error) from error
            if batch.next != at:
                batches[stream] = batch
                del self._at[stream]
                self._at[stream] = (number, batch.next)
            left, bytes_left = left - len(batch.entries), bytes_left - size
            if left <= 0 or bytes_left <= 0:
                break
        return batches

    def _batch(self, stream: Stream, number: int, at: int, entries_max: int, bytes_max: int) -> tuple[Batch, int]:
        """Read from ``at`` on; the end is read first, so what is appended meanwhile is left for the next time."""
        end = self._connection.execute("SELECT next FROM streams WHERE number = ?", (number,)).fetchone()[0]
        if at > end:
            raise Halted(
                f"position {at} of {stream.topic} lies beyond the log's end {end}",
                advice="The log was restored or made anew: run `comity fsck`.",
            )
        first, last = number << PARTITION_BITS | at, number << PARTITION_BITS | end
        rows = self._connection.execute("SELECT * FROM entries WHERE place >= ? AND place < ? ORDER BY place", (first, last))
        entries: list[Placed] = []
        size = 0
        for place, at_ms, key, headers_bytes, value_bytes, body in rows:
            entry = sqlite_file.entry(key, headers_bytes, value_bytes, body)
            entries.append(Placed(entry, stream, place & ((1 << PARTITION_BITS) - 1), at_ms))
            size += len(body)
            if len(entries) >= entries_max or size >= bytes_max:
                rows.close()
                return Batch(tuple(entries), entries[-1].position + 1), size
        return Batch(tuple(entries), end), size
