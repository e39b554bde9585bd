"""What every key vault promises, and what the SQLite one leaves in its files."""

from __future__ import annotations

import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from comity.adapters.key_vault import SqliteKeyVault, master_key, master_key_from
from comity.errors import Halted, InvalidInput, KeyShredded, NotFound, Unavailable
from comity.ports import KeyVault

MASTER = bytes(range(32))
MANY = 4_000  # enough pages for SQLite to balance its trees several levels deep


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vault.db"


@pytest.fixture
def vault(path: Path) -> Iterator[SqliteKeyVault]:
    opened = SqliteKeyVault(path, MASTER)
    yield opened
    opened.close()


def everything(path: Path) -> bytes:
    """Return all bytes of all files of the vault: the file, its journal, whatever lies beside it."""
    return b"".join(file.read_bytes() for file in sorted(path.parent.iterdir()) if file.is_file())


def wrapped(vault: SqliteKeyVault, name: str) -> bytes:
    found = vault.wrapped(name)
    assert found is not None
    return found


def test_a_key_is_issued_once_and_stays(vault: KeyVault) -> None:
    key = vault.issue("rec/1")
    assert len(key) == 32
    assert vault.issue("rec/1") == vault.open("rec/1") == key
    assert vault.issue("rec/2") != key


def test_a_key_that_was_never_issued_is_not_found(vault: KeyVault) -> None:
    with pytest.raises(NotFound):
        vault.open("rec/1")
    assert vault.wrapped("rec/1") is None


def test_a_shredded_key_is_gone_for_ever(vault: KeyVault) -> None:
    vault.issue("rec/1")
    kept = vault.issue("rec/2")
    assert vault.shred(["rec/1"]) == 1
    assert vault.shred(["rec/1"]) == 0
    for refused in (vault.issue, vault.open):
        with pytest.raises(KeyShredded):
            refused("rec/1")
    assert vault.wrapped("rec/1") is None
    assert vault.open("rec/2") == kept


def test_a_name_that_was_shredded_before_it_was_issued_is_refused_too(vault: KeyVault) -> None:
    assert vault.shred(["rec/1"]) == 0
    with pytest.raises(KeyShredded):
        vault.issue("rec/1")


def test_shredding_nothing_is_nothing(vault: KeyVault) -> None:
    assert vault.shred([]) == 0


def test_many_keys_are_issued_all_or_none(vault: SqliteKeyVault) -> None:
    vault.shred(["rec/2"])
    with pytest.raises(KeyShredded):
        vault.issue_many(["rec/1", "rec/2", "rec/3"])
    with pytest.raises(NotFound):
        vault.open("rec/1")
    issued = vault.issue_many(["rec/1", "rec/3", "rec/1"])
    assert issued == {name: vault.open(name) for name in ("rec/1", "rec/3")}


def test_everything_outlives_the_process(vault: SqliteKeyVault, path: Path) -> None:
    key = vault.issue("rec/1")
    vault.shred(["rec/2"])
    vault.close()
    vault.close()
    again = SqliteKeyVault(path, MASTER)
    assert again.open("rec/1") == key
    with pytest.raises(KeyShredded):
        again.issue("rec/2")
    again.close()


def test_no_key_stands_in_clear_in_any_file(vault: SqliteKeyVault, path: Path) -> None:
    keys = vault.issue_many([f"rec/{number}" for number in range(100)])
    held = everything(path)
    assert not any(key in held for key in keys.values())
    assert MASTER not in held
    assert wrapped(vault, "rec/1") in held


def test_after_a_shredding_no_file_holds_a_wrapped_key_whatever_order_they_went_in(vault: SqliteKeyVault, path: Path) -> None:
    chance = random.Random(7)  # noqa: S311 - an order to try, no secret
    names = [f"{number:05}/" + "x" * chance.randint(1, 60) for number in range(MANY)]
    chance.shuffle(names)
    for start in range(0, MANY, 500):
        vault.issue_many(names[start : start + 500])
    tags = {name: wrapped(vault, name) for name in names}
    reader = sqlite3.connect(path)  # as a backup would
    assert reader.execute("SELECT count(*) FROM keys").fetchone() == (MANY,)
    chance.shuffle(names)
    gone, kept = names[: MANY // 2], names[MANY // 2 :]
    for start in range(0, len(gone), 250):
        assert vault.shred(gone[start : start + 250]) == 250
    held = everything(path)
    reader.close()
    assert [name for name in gone if tags[name] in held] == []
    # Any half of a wrapped key would do to find its page: nothing of it stands either.
    assert [name for name in gone if tags[name][:16] in held or tags[name][-16:] in held] == []
    assert all(held.count(tags[name]) == 1 for name in kept)
    assert vault.open(kept[0])


def test_a_reader_that_will_not_end_is_reported_and_nothing_is_half_shredded(vault: SqliteKeyVault, path: Path) -> None:
    key = vault.issue("rec/1")
    tag = wrapped(vault, "rec/1")
    vault._connection.execute("PRAGMA busy_timeout = 50")
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM keys").fetchall()
    with pytest.raises(Unavailable, match="SQLITE_BUSY") as refused:
        vault.shred(["rec/1"])
    assert "let a backup" in refused.value.advice
    assert vault.open("rec/1") == key
    reader.execute("COMMIT")
    reader.close()
    assert vault.shred(["rec/1"]) == 1
    assert tag not in everything(path)


LOOK = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT count(*) FROM keys').fetchall(); c.close()"


def test_a_scan_in_this_process_and_a_look_from_another_lose_no_key(vault: SqliteKeyVault, path: Path, tmp_path: Path) -> None:
    vault.issue("rec/1")
    everything(path)  # drops this process's POSIX locks on the file
    subprocess.run([sys.executable, "-c", LOOK, str(path)], check=True)
    key = vault.issue("rec/2")
    copied = tmp_path / "as a crash would leave it"
    shutil.copytree(path.parent, copied, ignore=lambda *_: [copied.name])
    after = SqliteKeyVault(copied / path.name, MASTER)
    assert after.open("rec/2") == key
    after.close()


def test_two_owners_are_one_too_many(vault: SqliteKeyVault, path: Path) -> None:
    with pytest.raises(Unavailable, match="another process") as refused:
        SqliteKeyVault(path, MASTER)
    assert "Stop the other comity" in refused.value.advice
    vault.close()
    SqliteKeyVault(path, MASTER).close()


def test_another_master_key_is_refused_before_anything_is_issued(vault: SqliteKeyVault, path: Path) -> None:
    vault.close()
    with pytest.raises(Halted, match="another master key") as caught:
        SqliteKeyVault(path, bytes(32))
    with pytest.raises(InvalidInput, match="32 bytes"):
        SqliteKeyVault(path, b"short")
    SqliteKeyVault(path, MASTER).close()
    assert "COMITY_MASTER_KEY" in caught.value.advice


def test_another_file_is_refused(path: Path) -> None:
    path.write_bytes(b"no database at all, but long enough to be looked at" * 100)
    with pytest.raises(Halted, match="damaged"):
        SqliteKeyVault(path, MASTER)
    path.unlink()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE keys (name TEXT)")
    other.close()
    with pytest.raises(Halted, match="no key vault"):
        SqliteKeyVault(path, MASTER)


def test_a_wrapped_key_opens_under_its_own_name_alone(vault: SqliteKeyVault) -> None:
    vault.issue_many(["rec/1", "rec/2"])
    vault._connection.execute("UPDATE keys SET wrapped = (SELECT wrapped FROM keys WHERE name = 'rec/1') WHERE name = 'rec/2'")
    with pytest.raises(Halted, match="damaged"):
        vault.open("rec/2")


@pytest.mark.parametrize("name", ["", "x" * 201, "a\0b"])
def test_a_name_that_cannot_be_used_is_refused(vault: SqliteKeyVault, name: str) -> None:
    for refused in (vault.issue, lambda bad: vault.shred([bad])):
        with pytest.raises(InvalidInput, match="name"):
            refused(name)


def test_the_files_are_their_owners_alone(vault: SqliteKeyVault, path: Path) -> None:
    vault.issue("rec/1")
    modes = {file.name: file.stat().st_mode & 0o077 for file in path.parent.iterdir() if not file.name.endswith(".lock")}
    assert set(modes.values()) == {0}, modes


def test_threads_issue_one_key_for_one_name(vault: SqliteKeyVault) -> None:
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.extend(vault.issue(f"rec/{n}") for n in range(50))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 400
    assert len(set(found)) == 50


def test_a_full_disk_is_said_and_nothing_is_lost(vault: SqliteKeyVault) -> None:
    key = vault.issue("rec/1")
    pages = vault._connection.execute("PRAGMA page_count").fetchone()[0]
    vault._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(Unavailable, match="SQLITE_FULL"):
        vault.issue_many([f"rec/more/{number}" for number in range(500)])
    assert vault.open("rec/1") == key
    with pytest.raises(NotFound):
        vault.open("rec/more/0")
    assert vault.shred(["rec/1"]) == 1  # in place, so a full disk keeps nobody from it


def test_a_closed_vault_is_unavailable(vault: SqliteKeyVault) -> None:
    vault.close()
    with pytest.raises(Unavailable):
        vault.issue("rec/1")


CHILD = """
import sys
from pathlib import Path
from comity.adapters.key_vault import SqliteKeyVault
vault = SqliteKeyVault(Path(sys.argv[1]), bytes(range(32)))
for number in range(10**6):
    names = [f"rec/{number}/{place}" for place in range(20)]
    keys = vault.issue_many(names)
    tags = [vault.wrapped(name).hex() for name in names[:10]]
    print("issued", number, keys[names[-1]].hex(), flush=True)
    vault.shred(names[:10])
    print("shredded", number, *tags, flush=True)
"""


@pytest.mark.parametrize("lines", [3, 30, 81])
def test_what_was_said_before_a_kill_holds_after_it(path: Path, lines: int) -> None:
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    said = [child.stdout.readline().split() for _ in range(lines)]
    child.send_signal(signal.SIGKILL)
    said += [line.split() for line in child.communicate()[0].splitlines(keepends=True) if line.endswith("\n")]
    vault = SqliteKeyVault(path, MASTER)  # the lock died with its owner
    held = everything(path)
    for what, number, *rest in said:
        if what == "issued":
            assert vault.open(f"rec/{number}/19").hex() == rest[0]
        else:
            assert not any(bytes.fromhex(tag) in held for tag in rest)
            with pytest.raises(KeyShredded):
                vault.issue(f"rec/{number}/0")
    vault.close()


def test_a_master_key_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "master"
    key = master_key(path)
    assert len(key) == 32
    assert master_key(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["master"]
    assert master_key(tmp_path / "other") != key


def test_a_missing_master_key_is_told_whether_it_was_a_variable_or_a_file(tmp_path: Path) -> None:
    path, vault = tmp_path / "master.key", tmp_path / "vault.db"
    vault.touch()
    with pytest.raises(Halted, match="missing") as caught:
        master_key(path, vault)
    assert "set it to the same key again" in caught.value.advice
    assert str(path) in caught.value.advice
    assert not path.exists()


def test_a_master_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "master"
    master_key(path)
    path.chmod(0o644)
    with pytest.raises(Halted, match="others may read"):
        master_key(path)


@pytest.mark.parametrize(
    "text",
    [MASTER.hex(), MASTER.hex().upper() + "\n", b64encode(MASTER).decode(), urlsafe_b64encode(MASTER).rstrip(b"=").decode()],
)
def test_a_master_key_may_be_spelt_in_hex_or_base64(text: str) -> None:
    assert master_key_from(text) == MASTER


@pytest.mark.parametrize("text", ["", "correct horse battery staple", MASTER.hex()[:-2], MASTER.hex()[:-1] + "x", "\u00e4" * 43])
def test_what_is_no_master_key_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(InvalidInput, match="32 bytes") as refused:
        master_key_from(text)
    assert not text or text not in str(refused.value)
