"""A key per name in one SQLite file, each wrapped by the master key (AES-256-GCM, the name as context).

What makes a shredded key go from the file (the contract suite scans the bytes of all its files):

- A row never moves and never shrinks. SQLite zeroes what it deletes, yet may leave copies in pages' free space when it moves rows
  between pages (seen in the log's file, with larger rows than these). So rows are appended by number, and a shredded one is not
  deleted: its wrapped key is overwritten in place by random bytes of the same length, and the row stays as the memory that this
  name may not be issued again.
- The rollback journal, which holds a changed page's earlier contents, is truncated by each commit.

A crash before the commit leaves the key whole, and the next opening truncates the journal; after it, the key is gone from every
page. What no program can promise: a disk that writes elsewhere (SSD, copy-on-write, snapshots), a backup of the file, and the
file system's free blocks may keep a wrapped key. It opens nothing without the master key.

A rollback journal, not a write-ahead file: a byte scan inside this process opens and closes the file, which drops the POSIX locks
that SQLite holds on it (https://sqlite.org/howtocorrupt.html, 2.2). With a write-ahead file the next process that looks at the
vault would then delete that file under us, and keys issued after it would be lost (tried). Between transactions no lock is needed
here. A scan during one is still better done by a process of its own.
"""

from __future__ import annotations

import binascii
import fcntl
import os
import sqlite3
import stat
import tempfile
import threading
from base64 import b64decode
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from comity.adapters import private_files, waiting_keys
from comity.errors import ComityError, Halted, InvalidInput, KeyShredded, NotFound, Unavailable
from comity.wire import sealing

FORMAT = 1
APPLICATION_ID = 0x434D4B56  # "CMKV": another program's file is refused
NAME_CHARS_MAX = 200  # "search/" and a UUID have 43
NAMES_PER_QUERY = 500  # SQLite takes 32,766 parameters in a statement
BUSY_SECONDS_MAX = 10.0  # for a backup that is just reading
WRAPPED_BYTES = sealing.NONCE_BYTES + sealing.KEY_BYTES + sealing.TAG_BYTES

_HEX_CHARS = 2 * sealing.KEY_BYTES
_CONTEXT = b"comity.vault/"  # names follow; the check's context has another prefix
_CHECK_CONTEXT = b"comity.vault-check"
_SCHEMA = (
    "CREATE TABLE about (checked BLOB NOT NULL)",
    # shredded takes no byte whether 0 or 1 (SQLite's file format 2.1), so a row keeps its length and its place.
    "CREATE TABLE keys (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, wrapped BLOB NOT NULL, shredded INTEGER NOT NULL)",
    *waiting_keys.SCHEMA,
    "CREATE TABLE marks (name TEXT PRIMARY KEY, position INTEGER NOT NULL)",
)


class SqliteKeyVault:
    """The vault; thread-safe. A file lock keeps a second owner out, for as long as this process lives."""

    def __init__(self, path: Path, master: bytes) -> None:
        """Open or make the vault at ``path`` under a 32-byte master key.

        Raises Unavailable where another process owns it, Halted where it is another's file or made under another master key.
        """
        if len(master) != sealing.KEY_BYTES:
            raise InvalidInput(f"a master key has {sealing.KEY_BYTES} bytes", advice="Make one: openssl rand -hex 32")
        self._master = master
        self._mutex = threading.RLock()
        self._lock = _owned(path)
        try:
            with _reported("opening"):
                self._connection = _connect(path)
                self._waiting = waiting_keys.WaitingKeys(self._connection, master)
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise
        except BaseException:
            self._lock.close()
            raise

    def issue(self, name: str) -> bytes:
        """Return the 32-byte key of this name, made durably now if it is new. Raises KeyShredded."""
        return self.issue_many((name,))[name]

    def issue_many(self, names: Collection[str]) -> dict[str, bytes]:
        """Return the keys of these names, the new ones made in one transaction; all or none. Raises KeyShredded."""
        for name in names:
            _check_name(name)
        with self._writing("issuing a key of"):
            return {name: self._issue(name) for name in names}

    def reserve(self, name: str, holder: str) -> bytes:
        """Return the key of this name, or one that waits under it for ``claim``, for a week and among so many of its holder.

        A shredded name looks like any other: what waits under it is claimed by nobody.
        """
        _check_name(name)
        with self._writing("reserving a key of"):
            row = self._row(name)
            if row is not None and not row[1]:
                return self._unwrap(name, *row)
            return self._waiting.put(name, holder)

    def waiting(self, name: str) -> bytes | None:
        """Return the key that waits under this name, or None."""
        with self._mutex, _reported("looking for a key in"):
            return self._waiting.get(name)

    def claim(self, name: str) -> bytes:
        """Return the key of this name; what waits under it stays from now on. Raises KeyShredded or NotFound."""
        with self._writing("claiming a key of"):
            row = self._row(name)
            if row is not None:
                return self._unwrap(name, *row)
            key = self._waiting.get(name)
            if key is None:
                raise NotFound("no key of this name", advice="It was never issued here.")
            self._keep(name, key)
            self._waiting.destroy([name])
            return key

    def open(self, name: str) -> bytes:
        """Return the key of this name. Raises KeyShredded or NotFound."""
        with self._mutex, _reported("opening a key of"):
            row = self._row(name)
        if row is None:
            raise NotFound("no key of this name", advice="It was never issued here.")
        return self._unwrap(name, *row)

    def wrapped(self, name: str) -> bytes | None:
        """Return the wrapped key as it stands in the file, for byte scans; None where there is none or it was shredded."""
        with self._mutex, _reported("reading a key of"):
            row = self._row(name)
        return None if row is None or row[1] else row[0]

    def shredded(self, prefix: str) -> list[str]:
        """Return the names under a prefix whose keys were destroyed."""
        query = "SELECT name FROM keys WHERE shredded AND substr(name, 1, ?) = ?"
        with self._mutex, _reported("looking for keys in"):
            return [name for (name,) in self._connection.execute(query, (len(prefix), prefix))]

    def missing(self, names: Collection[str]) -> set[str]:
        """Return which of these names were never issued here, nor shredded."""
        asked, held = sorted(names), set[str]()
        for start in range(0, len(asked), NAMES_PER_QUERY):
            part = asked[start : start + NAMES_PER_QUERY]
            query = f"SELECT name FROM keys WHERE name IN ({', '.join('?' * len(part))})"  # noqa: S608 - placeholders alone
            with self._mutex, _reported("looking for keys in"):
                held.update(name for (name,) in self._connection.execute(query, part))
        return set(asked) - held

    def shred(self, names: Collection[str]) -> int:
        """Destroy these keys and refuse their names for ever, unknown ones too; return how many keys went. Idempotent.

        All or none. Raises Unavailable where the disk refuses or another process reads the file for over 10 s.
        """
        for name in names:
            _check_name(name)
        rows = [(name,) for name in names]
        with self._writing("shredding in"):
            gone = self._connection.executemany(
                f"UPDATE keys SET wrapped = randomblob({WRAPPED_BYTES}), shredded = 1 WHERE name = ? AND NOT shredded",  # noqa: S608
                rows,
            ).rowcount
            self._connection.executemany(
                f"INSERT OR IGNORE INTO keys (name, wrapped, shredded) VALUES (?, randomblob({WRAPPED_BYTES}), 1)",  # noqa: S608
                rows,
            )
            self._waiting.destroy(names)
        return max(gone, 0)  # no names, no statement: sqlite3 counts -1

    def marked(self, name: str) -> int:
        """Return a position that was remembered in this file; 0 where none was."""
        with self._mutex, _reported("reading"):
            row = self._connection.execute("SELECT position FROM marks WHERE name = ?", (name,)).fetchone()
        return 0 if row is None else int(row[0])

    def mark(self, name: str, position: int) -> None:
        """Remember a position durably; it is restored with the keys that it speaks of."""
        with self._writing("writing"):
            self._connection.execute("INSERT OR REPLACE INTO marks VALUES (?, ?)", (name, position))

    def close(self) -> None:
        """Close the file and let another process own it; idempotent."""
        with self._mutex:
            self._connection.close()
            self._lock.close()

    def _prepare(self) -> None:
        with _reported("opening"):
            fresh = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if fresh:
            self._make()
        with _reported("opening"):
            found = tuple(self._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
            if found != (APPLICATION_ID, FORMAT):
                raise Halted(f"the file is no key vault of format {FORMAT}", advice="Point the vault's path elsewhere.")
            checked = self._connection.execute("SELECT checked FROM about").fetchone()[0]
        try:
            sealing.unseal(self._master, checked, context=_CHECK_CONTEXT)
        except sealing.Unsealable:
            advice = (
                "Use the key that it was made with: COMITY_MASTER_KEY where that is set, else the home's master.key "
                "(unset the variable to use the file). Without that key, nothing in it can be opened again."
            )
            raise Halted("the vault was made under another master key", advice=advice) from None

    def _make(self) -> None:
        with self._writing("making"):
            for statement in _SCHEMA:
                self._connection.execute(statement)
            checked = sealing.seal(self._master, b"", context=_CHECK_CONTEXT)
            self._connection.execute("INSERT INTO about VALUES (?)", (checked,))
            self._connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            self._connection.execute(f"PRAGMA user_version = {FORMAT}")

    def _issue(self, name: str) -> bytes:
        row = self._row(name)
        if row is not None:
            return self._unwrap(name, *row)
        key = self._waiting.get(name) or sealing.new_key()
        self._keep(name, key)
        self._waiting.destroy([name])
        return key

    def _keep(self, name: str, key: bytes) -> None:
        wrapped = sealing.seal(self._master, key, context=_CONTEXT + name.encode())
        self._connection.execute("INSERT INTO keys (name, wrapped, shredded) VALUES (?, ?, 0)", (name, wrapped))

    def _row(self, name: str) -> tuple[bytes, bool] | None:
        row = self._connection.execute("SELECT wrapped, shredded FROM keys WHERE name = ?", (name,)).fetchone()
        return None if row is None else (row[0], bool(row[1]))

    def _unwrap(self, name: str, wrapped: bytes, shredded: bool) -> bytes:  # noqa: FBT001 - a row's two columns
        if shredded:
            raise KeyShredded("the key of this name was destroyed", advice="It cannot be restored, nor issued again.")
        try:
            return sealing.unseal(self._master, wrapped, context=_CONTEXT + name.encode())
        except sealing.Unsealable:
            raise Halted("a wrapped key is damaged", advice="Restore the vault's file, then run `comity fsck`.") from None

    @contextmanager
    def _writing(self, doing: str) -> Iterator[None]:
        with self._mutex, _reported(doing):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                self._connection.rollback()
                raise


def master_key(path: Path, vault: Path | None = None) -> bytes:
    """Return the 32-byte master key in this file (hex), made on first use, readable by its owner alone.

    Raises Halted where others may read it, or where it is gone and its vault is not; InvalidInput where it holds no key.
    """
    if not path.exists():
        if vault is not None and vault.exists():
            raise Halted(
                f"The master key is missing that {vault.name} was made under: neither COMITY_MASTER_KEY nor {path.name} has it.",
                advice="If this home was made with COMITY_MASTER_KEY, set it to the same key again; if it had a file, put "
                f"{path} back from its copy. Without the key nothing in the vault can be opened again.",
            )
        _make_master_key(path)
    with path.open("rb") as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            raise Halted(f"others may read the master key {path}", advice=f"Run: chmod 600 {path}. Then ask who read it.")
        return master_key_from(file.read(256).decode("ascii", "replace"))


def master_key_from(text: str) -> bytes:
    """Return the 32-byte master key that is spelt in hex (64 characters) or base64 (43 or 44); raises InvalidInput."""
    spelt = text.strip()
    try:
        if len(spelt) == _HEX_CHARS:
            return bytes.fromhex(spelt)
        key = b64decode(spelt.replace("-", "+").replace("_", "/").rstrip("=") + "=", validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != sealing.KEY_BYTES:
        # The text is not told: it may be nearly the key.
        raise InvalidInput("a master key is 32 bytes, in hex or base64", advice="Make one: openssl rand -hex 32") from None
    return key


def _make_master_key(path: Path) -> None:
    """Write a new key whole or not at all; where another process was faster, its key stands."""
    descriptor, made = tempfile.mkstemp(prefix=".master-", dir=path.parent)  # 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(sealing.new_key().hex().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            path.hardlink_to(made)
    finally:
        Path(made).unlink()
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _owned(path: Path) -> IO[bytes]:
    """Take the vault's lock; the system releases it should the process die."""
    lock = path.with_name(path.name + ".lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        advice = "One process owns the vault. Stop the other comity, or give this one a vault of its own."
        raise Unavailable("another process owns the key vault", advice=advice) from error
    return lock


def _connect(path: Path) -> sqlite3.Connection:
    private_files.make(path)  # SQLite gives its other files the same mode
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS_MAX, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA temp_store = MEMORY")  # else a sort could spill wrapped keys into a file of its own
        connection.execute("PRAGMA journal_mode = TRUNCATE")
        connection.execute("PRAGMA synchronous = FULL")  # what a lost key sealed would be lost as well
    except BaseException:
        connection.close()
        raise
    return connection


def _check_name(name: str) -> None:
    if not 1 <= len(name) <= NAME_CHARS_MAX or "\0" in name:
        raise InvalidInput(f"a key's name has 1 to {NAME_CHARS_MAX} characters")


@contextmanager
def _reported(doing: str) -> Iterator[None]:
    """Turn SQLite's errors into ours, with what went wrong and no contents."""
    try:
        yield
    except ComityError:
        raise
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            raise Halted(f"the key vault's file is damaged ({name})", advice="Restore it from a backup.") from error
        advice = "Look at the disk's space and health, and let a backup of the vault end; then try again."
        raise Unavailable(f"{doing} the key vault failed ({name})", advice=advice) from error
