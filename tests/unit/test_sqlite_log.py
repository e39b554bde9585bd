"""What only the embedded log promises: its file's state after crashes, full disks, strangers' files and erasures."""

from __future__ import annotations

import contextlib
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from comity.adapters import sqlite_file, sqlite_log
from comity.adapters.sqlite_file import padding
from comity.adapters.sqlite_log import SqliteLog
from comity.domain.log import JOURNAL, Entry, Topic
from comity.errors import Halted, NotAppended, OutcomeUnknown, Unavailable

SECONDS = 10.0
CHILD = """
import sys
from pathlib import Path
from comity.adapters.sqlite_log import SqliteLog
from comity.domain.log import Entry, Topic
log = SqliteLog(Path(sys.argv[1]))
while True:
    print(log.append(Topic.JOURNAL, Entry(None, b"x" * 300), timeout_seconds=10).position, flush=True)
"""


class Breaking:
    """A connection whose one statement fails."""

    def __init__(self, connection: sqlite3.Connection, statement: str, error: sqlite3.Error) -> None:
        self._connection, self._statement, self._error = connection, statement, error

    def execute(self, statement: str, *arguments: tuple[int, ...]) -> sqlite3.Cursor:
        if statement.startswith(self._statement):
            raise self._error
        return self._connection.execute(statement, *arguments)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever the connection has
        return getattr(self._connection, name)


class Dead(Breaking):
    """A connection on a disk that has just failed: not even a rollback works."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection, "", sqlite3.OperationalError("disk I/O error"))

    def rollback(self) -> None:
        raise self._error


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "log.db"


@pytest.fixture
def log(path: Path) -> Iterator[SqliteLog]:
    log = SqliteLog(path)
    yield log
    log.close()


def writer(log: SqliteLog) -> sqlite3.Connection:
    assert log._writer is not None
    return log._writer


def append(log: SqliteLog, value: bytes | None, topic: Topic = Topic.JOURNAL, key: bytes = b"k", seconds: float = SECONDS) -> int:
    return log.append(topic, Entry(key, value), timeout_seconds=seconds).position


def test_what_a_killed_process_was_told_is_there(path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", CHILD, path], stdout=subprocess.PIPE)
    assert child.stdout is not None
    told = [int(child.stdout.readline()) for _ in range(50)]
    child.send_signal(signal.SIGKILL)
    told += [int(line) for line in child.stdout.read().splitlines() if line]
    child.stdout.close()
    child.wait(SECONDS)
    log = SqliteLog(path)
    try:
        assert told == list(range(len(told)))
        assert log.end(JOURNAL) in (len(told), len(told) + 1)  # one may have been appended and not yet told
        assert append(log, b"next") == log.end(JOURNAL) - 1
    finally:
        log.close()


def test_a_lock_held_elsewhere_appends_nothing_and_is_waited_for_no_longer_than_asked(log: SqliteLog, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    with pytest.raises(NotAppended):
        append(log, b"x", seconds=0.2)
    assert 0.1 < time.monotonic() - began < 5
    other.rollback()
    other.close()
    assert append(log, b"x") == 0


def test_a_full_disk_appends_nothing_and_goes_on_when_there_is_space(log: SqliteLog) -> None:
    pages = writer(log).execute("PRAGMA page_count").fetchone()[0]
    writer(log).execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(NotAppended, match="SQLITE_FULL"):
        append(log, bytes(100_000))
    assert append(log, b"small") == 0
    writer(log).execute("PRAGMA max_page_count = 1000000")
    assert append(log, bytes(100_000)) == 1


@pytest.mark.parametrize(
    ("statement", "raised"),
    [("BEGIN", NotAppended), ("UPDATE", NotAppended), ("INSERT", NotAppended), ("COMMIT", OutcomeUnknown)],
)
def test_only_a_failing_commit_leaves_the_question_open(log: SqliteLog, statement: str, raised: type[Exception]) -> None:
    whole = writer(log)
    log._writer = Breaking(whole, statement, sqlite3.OperationalError("disk I/O error"))  # type: ignore[assignment]
    with pytest.raises(raised):
        append(log, b"x")
    log._writer = whole
    assert append(log, b"y") == 0


def test_a_clock_that_goes_back_does_not_take_the_log_with_it(path: Path) -> None:
    ticks = iter([1000, 500, 2000])
    log = SqliteLog(path, clock_ms=lambda: next(ticks))
    placed = [log.append(Topic.JOURNAL, Entry(None, b"x"), timeout_seconds=SECONDS) for _ in range(3)]
    log.close()
    assert [one.appended_at_ms for one in placed] == [1000, 1000, 2000]


def test_one_wrong_reading_does_not_date_everything_after_it(path: Path) -> None:
    """F17: a year ahead and back again; a minute is flattened, more is followed."""
    back = sqlite_log.CLOCK_BACK_MS_MAX
    ticks = iter([1_000_000, 32_000_000_000, 1_010_000, 1_010_000 - back, 1_010_000 - back - 1])
    log = SqliteLog(path, clock_ms=lambda: next(ticks))
    placed = [log.append(Topic.JOURNAL, Entry(None, b"x"), timeout_seconds=SECONDS) for _ in range(5)]
    log.close()
    assert [one.appended_at_ms for one in placed] == [1_000_000, 32_000_000_000, 1_010_000, 1_010_000, 1_010_000 - back - 1]


def test_another_programs_file_is_refused_and_left_as_it_is(path: Path) -> None:
    path.parent.mkdir()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE theirs (x)")
    other.commit()
    other.close()
    with pytest.raises(Halted, match="no comity log"):
        SqliteLog(path)
    other = sqlite3.connect(path)
    assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]
    other.close()


def test_a_damaged_file_halts(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database at all " * 500)
    with pytest.raises(Halted, match="damaged"):
        SqliteLog(path)


def test_a_folder_in_the_files_place_is_unavailable(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(Unavailable):
        SqliteLog(path)


def test_nobody_else_may_read_the_file(log: SqliteLog, path: Path) -> None:
    append(log, b"x")
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}


def test_a_file_that_is_read_from_outside_at_start_is_opened_and_said_so(
    log: SqliteLog, path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two ages are told by what was brought into the file at its opening."""
    monkeypatch.setattr(sqlite_log, "OPEN_SECONDS_MAX", 0.2)
    log.append(Topic.JOURNAL, Entry(b"k", b"v"), timeout_seconds=SECONDS)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as outside:
        outside.execute("BEGIN")
        outside.execute("SELECT * FROM streams").fetchall()
        SqliteLog(path).close()
    assert "was busy at start" in "".join(capsys.readouterr())


def test_a_reader_holding_on_delays_erasure_and_is_said_so(log: SqliteLog, path: Path) -> None:
    append(log, b"SECRET", Topic.TEMPLATES)
    append(log, None, Topic.TEMPLATES)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN")
    holder.execute("SELECT count(*) FROM entries").fetchone()
    append(log, b"x")
    assert not log.settle(Topic.TEMPLATES, [b"k"], timeout_seconds=0.2)
    holder.rollback()
    holder.close()
    assert log.settle(Topic.TEMPLATES, [b"k"], timeout_seconds=SECONDS)


@pytest.mark.parametrize("key_bytes", [0, 32, 1024])
@pytest.mark.parametrize("content_bytes", [1, 488, 489, 3800, 4061, 4092, 8000, 8184, 1_000_000])
def test_a_padded_row_keeps_none_of_its_content_in_a_leaf(key_bytes: int, content_bytes: int) -> None:
    """By SQLite's file format 1.6, for whatever the record's header takes."""
    front = padding(key_bytes, content_bytes)
    for columns in range(key_bytes + 10, key_bytes + 60):
        payload = columns + front + content_bytes
        surplus = 489 + (payload - 489) % 4092
        local = surplus if surplus <= 4061 else 489
        assert payload > 4061
        assert local <= columns + front


@pytest.mark.parametrize("sizes", [(10, 300), (300, 1500), (10, 9000)])
def test_no_erased_byte_is_left_however_the_rows_moved(path: Path, sizes: tuple[int, int]) -> None:
    chance, log = random.Random(repr(sizes)), SqliteLog(path)  # noqa: S311  # a seed replays a failure
    writer(log).execute("PRAGMA synchronous = OFF")  # a thousand fsyncs would prove nothing more
    standing: dict[bytes, bytes] = {}
    erased: list[bytes] = []
    for number in range(600):
        key = chance.choice(list(standing)) if standing and chance.random() < 0.5 else b"key-%d" % number
        value = b"<%06d>" % number + chance.randbytes(chance.randint(*sizes)) if chance.random() < 0.6 else None
        if key in standing:
            erased.append(standing.pop(key))
        if value is not None:
            standing[key] = value
        append(log, value, Topic.TEMPLATES, key)
    assert log.settle(Topic.TEMPLATES, [b"any other"], timeout_seconds=SECONDS)
    log.close()
    held = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert len(erased) > 100
    assert [value[:8] for value in erased if any(value[at : at + 16] in held for at in (0, len(value) // 2))] == []
    assert all(value[:8] in held for value in standing.values())


@pytest.mark.parametrize("tries", [1, 3])
def test_a_disk_that_is_well_again_is_written_on_however_often_reconnecting_failed(
    log: SqliteLog, monkeypatch: pytest.MonkeyPatch, tries: int
) -> None:
    append(log, b"before")
    dead, connect = Dead(writer(log)), sqlite_file.connect
    log._writer = dead  # type: ignore[assignment]

    def unable(_path: Path, _seconds: float) -> sqlite3.Connection:
        raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr(sqlite_file, "connect", unable)
    for _ in range(tries):
        with pytest.raises(NotAppended):
            append(log, b"during")
    monkeypatch.setattr(sqlite_file, "connect", connect)
    with contextlib.suppress(NotAppended):  # the one that meets the dead connection may be lost; the next is not
        append(log, b"well again")
    last = append(log, b"after")
    assert log.end(JOURNAL) == last + 1


def test_the_end_can_be_asked_again_after_a_failure_of_the_disk(log: SqliteLog) -> None:
    append(log, b"before")
    log._asker = Dead(log._asker)  # type: ignore[arg-type, assignment]
    with pytest.raises(Unavailable):
        log.end(JOURNAL)
    assert log.end(JOURNAL) == 1
