"""After a crash, last night's ledger.db is put back, and the write-ahead file of today stays beside it: SQLite plays it over."""

from __future__ import annotations

import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from builders import photograph
from comity.adapters import sqlite_file
from comity.adapters.sqlite_log import SqliteLog
from comity.bootstrap import Exchange
from comity.domain.ids import RecordId
from comity.domain.log import JOURNAL
from comity.domain.posting import Suppression
from comity.errors import Halted
from exchange import RememberedFaces, enrol, listed, running, sealing, search, settle, share
from journals import A

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def faces() -> RememberedFaces:
    return RememberedFaces()


@pytest.fixture(autouse=True)
def anchor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMITY_ANCHOR", str(tmp_path / "anchor"))


def lived(home: Path, faces: RememberedFaces) -> RecordId:
    with running(home, faces) as exchange:
        record, _ = enrol(exchange, "A-1", 1, owner=A)
        share(exchange, A)
        settle(exchange)
    return record


def crashed(exchange: Exchange, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copy the home as a crash leaves it, and its anchor, which holds from now on."""
    for _ in range(3):
        exchange.clock.tick()
    settle(exchange)
    home = shutil.copytree(exchange.home.root, folder / "crashed", ignore=shutil.ignore_patterns("*.sock"))
    assert (home / "ledger.db-wal").stat().st_size
    monkeypatch.setenv("COMITY_ANCHOR", str(shutil.copytree(folder / "anchor", folder / "its anchor")))
    return home


def went_round(exchange: Exchange) -> None:
    """Let the write-ahead file begin anew: what it held before lies in the file alone."""
    with closing(sqlite3.connect(exchange.home.path("ledger.db"))) as connection:
        assert connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()[0] == 0


@pytest.mark.parametrize("since", ["a checkpoint", "another start"])
def test_an_older_ledger_beside_a_newer_write_ahead_file_shows_nothing_that_is_sealed(
    tmp_path: Path, faces: RememberedFaces, monkeypatch: pytest.MonkeyPatch, since: str
) -> None:
    record = lived(tmp_path / "home", faces)
    shutil.copy2(tmp_path / "home" / "ledger.db", tmp_path / "last night")
    with running(tmp_path / "home", faces) as exchange:
        sealing(exchange, "s1", record)
        if since == "a checkpoint":
            went_round(exchange)
            home = crashed(exchange, tmp_path, monkeypatch)
    if since == "another start":
        with running(tmp_path / "home", faces) as exchange:
            home = crashed(exchange, tmp_path, monkeypatch)
    shutil.copy2(tmp_path / "last night", home / "ledger.db")
    with running(home, faces) as exchange:
        assert exchange.ledger.rows(Suppression)
        assert not listed(search(exchange, photograph(1, 2)))
        assert exchange.fsck() == ()


def test_a_crash_alone_makes_nothing_anew(tmp_path: Path, faces: RememberedFaces, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its write-ahead file belongs to it, also after the ledger was made anew beside and swapped in."""
    lived(tmp_path / "home", faces)
    with running(tmp_path / "home", faces) as exchange:
        exchange.rebuild_ledger()
        went_round(exchange)
        home = crashed(exchange, tmp_path, monkeypatch)
        epoch = exchange.ledger.progress().epoch
    with running(home, faces) as exchange:
        assert exchange.ledger.progress().epoch > epoch  # one made anew begins at 1


def test_an_older_log_beside_a_newer_write_ahead_file_is_told_and_is_whole_without_it(
    tmp_path: Path, faces: RememberedFaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is played over it: whoever deletes the other file has last night's log, as it was."""
    record = lived(tmp_path / "home", faces)
    shutil.copy2(tmp_path / "home" / "log.db", tmp_path / "last night")
    with running(tmp_path / "home", faces) as exchange:
        sealing(exchange, "s1", record)
        home = crashed(exchange, tmp_path, monkeypatch)
    alone = shutil.copytree(home, tmp_path / "crashed alone")
    with closing(SqliteLog(alone / "log.db")) as log:
        end = log.end(JOURNAL)
    assert (home / "log.db-wal").stat().st_size
    shutil.copy2(tmp_path / "last night", home / "log.db")
    for _ in range(2):
        with pytest.raises(Halted, match="two ages"):
            SqliteLog(home / "log.db")
    assert (home / "log.db").read_bytes() == (tmp_path / "last night").read_bytes()
    for suffix in ("-wal", "-shm"):
        (home / f"log.db{suffix}").unlink()
    with closing(SqliteLog(home / "log.db")) as log:
        assert log.end(JOURNAL) < end


def test_a_first_opening_that_was_killed_goes_on_at_the_next(tmp_path: Path) -> None:
    """It had made the tables and counted no opening yet: nothing of that is of two ages."""
    with closing(sqlite_file.connect(tmp_path / "log.db", 5)) as killed:
        sqlite_file.write_ahead(killed, time.monotonic() + 5)
        sqlite_file.make(killed)
        assert (tmp_path / "log.db-wal").stat().st_size
        with closing(SqliteLog(tmp_path / "log.db")) as log:  # beside it, too, where another process is just as far
            assert log.end(JOURNAL) == 0
