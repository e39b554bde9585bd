"""Machines of parties, their public keys and sessions, in the file of who may sign in (``identity.py``).

A machine has no password and no link: it proves a private key that never was here. Its sessions are short and end with its
revocation, whatever they hold; what it proved once is remembered until it is too old to be shown again.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from comity.domain.ids import PartyId, UserId
from comity.errors import Conflict, NotFound, NotSignedIn
from comity.ports import Machine, Person

SESSION_SECONDS = 15 * 60  # a machine renews by itself: what is stolen from its memory is good for minutes
PER_PARTY_MAX = 100  # machines in use: a large agency has a dozen systems
BUSY_SECONDS = 5.0
TOKEN_BYTES = 32

_SCHEMA = """
CREATE TABLE IF NOT EXISTS machine (
    machine_id TEXT PRIMARY KEY, name TEXT NOT NULL, party TEXT NOT NULL, roles TEXT NOT NULL, public_key BLOB NOT NULL UNIQUE,
    revoked INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS machine_session (
    sha256 BLOB PRIMARY KEY, machine_id TEXT NOT NULL REFERENCES machine, ends_at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS machine_proof (
    machine_id TEXT NOT NULL, sha256 BLOB NOT NULL, ends_at REAL NOT NULL, PRIMARY KEY (machine_id, sha256)) WITHOUT ROWID;
"""
_MACHINE = "SELECT machine_id, name, party, roles, public_key, revoked FROM machine"
_Values = tuple[str, str, str, str, bytes, int]


class FileMachines:
    """The machines of one file. Thread-safe; several processes may use the file."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=WAL", "secure_delete=ON", "foreign_keys=ON"):
            self._connection.execute(f"PRAGMA {pragma}").close()
        self._connection.executescript(_SCHEMA).close()

    def add(self, machine_id: UserId, name: str, party: str, roles: Collection[str], public_key: bytes) -> Machine:
        """Add a machine of a party's. Raises Conflict for a key or a name that another has, and where there are too many."""
        values = (machine_id, name, party, " ".join(sorted(set(roles))), public_key, 0)
        with self._writing() as connection:
            _check(connection, name, party, public_key)
            connection.execute("INSERT INTO machine VALUES (?, ?, ?, ?, ?, ?)", values)
        return _machine(values)

    def check(self, name: str, party: str, public_key: bytes) -> None:
        """Raise Conflict as ``add`` would, before anything is entered."""
        with self._lock:
            _check(self._connection, name, party, public_key)

    def all(self, party: str | None = None) -> tuple[Machine, ...]:
        """Return a party's machines, or everybody's, revoked ones too, in the order in which they were added."""
        where, values = (" WHERE party = ?", (party,)) if party is not None else ("", ())
        with self._lock:
            rows = self._connection.execute(f"{_MACHINE}{where} ORDER BY rowid", values).fetchall()
        return tuple(map(_machine, rows))

    def one(self, machine_id: str) -> Machine:
        """Return a machine. Raises NotFound."""
        with self._lock:
            rows = self._connection.execute(f"{_MACHINE} WHERE machine_id = ?", (machine_id,)).fetchall()
        if not rows:
            raise NotFound("There is no such machine.", advice="See `comity machine list`.")
        return _machine(rows[0])

    def revoke(self, machine_id: UserId) -> None:
        """Let a machine in no more, and end its sessions; idempotent."""
        with self._writing() as connection:
            connection.execute("UPDATE machine SET revoked = 1 WHERE machine_id = ?", (machine_id,))
            connection.execute("DELETE FROM machine_session WHERE machine_id = ?", (machine_id,))

    def sign_in(self, machine_id: UserId, proof: str, until: float) -> str:
        """Return a new session's token for what was proven, once. Raises NotSignedIn for a proof used, or a machine revoked."""
        token, now = secrets.token_urlsafe(TOKEN_BYTES), self._clock()
        with self._writing() as connection:
            connection.execute("DELETE FROM machine_session WHERE ends_at <= ?", (now,))
            connection.execute("DELETE FROM machine_proof WHERE ends_at <= ?", (now,))
            if not connection.execute("SELECT 1 FROM machine WHERE machine_id = ? AND NOT revoked", (machine_id,)).fetchall():
                raise NotSignedIn("This machine may not sign in.", advice="Ask the party's administrator.")
            try:
                connection.execute("INSERT INTO machine_proof VALUES (?, ?, ?)", (machine_id, digest(proof), until))
            except sqlite3.IntegrityError:
                raise NotSignedIn("This assertion was used already.", advice="Sign a new one, with a new jti.") from None
            session = (digest(token), machine_id, now + SESSION_SECONDS)
            connection.execute("INSERT INTO machine_session VALUES (?, ?, ?)", session)
        return token

    def person(self, session: str) -> Person | None:
        """Return the machine that holds this session, as somebody signed in; None where none does."""
        query = f"{_MACHINE} JOIN machine_session USING (machine_id) WHERE sha256 = ? AND ends_at > ? AND NOT revoked"
        with self._lock:
            rows = self._connection.execute(query, (digest(session), self._clock())).fetchall()
        return _machine(rows[0]).person if rows else None

    def sign_out(self, session: str) -> None:
        """End a session; idempotent."""
        with self._writing() as connection:
            connection.execute("DELETE FROM machine_session WHERE sha256 = ?", (digest(session),))

    def close(self) -> None:
        """Close the file; idempotent."""
        with self._lock:
            self._connection.close()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")


def _check(connection: sqlite3.Connection, name: str, party: str, public_key: bytes) -> None:
    held = connection.execute(f"{_MACHINE} WHERE party = ? AND NOT revoked", (party,)).fetchall()
    if len(held) >= PER_PARTY_MAX or any(one[1] == name for one in held):
        raise Conflict(
            f"{party} has a machine of this name already, or {PER_PARTY_MAX} others.", advice="See `comity machine list`."
        )
    if connection.execute("SELECT 1 FROM machine WHERE public_key = ?", (public_key,)).fetchone():
        raise Conflict("Another machine has this key.", advice="Make a new key for each machine.")


def digest(token: str) -> bytes:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def _machine(row: _Values) -> Machine:
    machine_id, name, party, roles, public_key, revoked = row
    person = Person(UserId(machine_id), name, PartyId(party), frozenset(roles.split()))
    return Machine(person, bytes(public_key), bool(revoked))
