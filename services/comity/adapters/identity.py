"""Who may sign in, in one small SQLite file: for the embedded exchange; production has an OIDC provider behind the same port.

There are no passwords. A one-time link, shown to whoever runs the exchange, opens a session. Both are 256 random bits, kept only
as SHA-256: whoever reads the file can sign in as nobody. Names stand here alone; the log knows pseudonyms (R35).
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from pathlib import Path

from comity.adapters import private_files
from comity.adapters.machines import FileMachines
from comity.domain import names
from comity.domain.ids import PartyId, UserId
from comity.errors import Conflict, InvalidInput, NotFound, NotSignedIn
from comity.ports import Person

LINK_SECONDS = 10 * 60  # long enough to copy from a terminal into a browser
SESSION_SECONDS = 12 * 3600  # a shift
BUSY_SECONDS = 5.0  # `comity user link` writes beside the running exchange
TOKEN_BYTES = 32
PSEUDONYM_BYTES = 6
NAME_CHARS_MAX = 100
EXCHANGE = "exchange"  # the party whose people may be called what they do

_SCHEMA = """
CREATE TABLE IF NOT EXISTS person (
    user_id TEXT PRIMARY KEY, name TEXT NOT NULL, party TEXT NOT NULL, roles TEXT NOT NULL, removed INTEGER NOT NULL DEFAULT 0);
CREATE UNIQUE INDEX IF NOT EXISTS person_name ON person (name, party) WHERE removed = 0;
CREATE TABLE IF NOT EXISTS token (
    kind TEXT NOT NULL, sha256 BLOB NOT NULL, user_id TEXT NOT NULL REFERENCES person, ends_at REAL NOT NULL,
    PRIMARY KEY (kind, sha256)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS about (starts INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS journal_read (next INTEGER NOT NULL);
"""
_PERSON = "SELECT user_id, name, party, roles FROM person"


class FileIdentity:
    """People, links and sessions of one file. Thread-safe; several processes may use the file."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._clock, self._lock = clock, threading.Lock()
        private_files.make(path)
        self._connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=WAL", "secure_delete=ON", "foreign_keys=ON"):
            self._connection.execute(f"PRAGMA {pragma}").close()
        self._connection.executescript(_SCHEMA).close()
        self._machines = FileMachines(path, clock)

    @property
    def machines(self) -> FileMachines:
        """Return the machines that may sign in beside people."""
        return self._machines

    def add(self, name: str, party: str, roles: Collection[str], own: UserId | None = None) -> Person:
        """Add a person who acts for a party; the pseudonym is new and random. Raises Conflict for a name known there.

        ``own``: the pseudonym, where it was derived from the request; the same person under it again is the same person.
        """
        if not party or len(name) > NAME_CHARS_MAX:
            raise InvalidInput(f"A person has a name of 1 to {NAME_CHARS_MAX} characters and a party.")
        if (wrong := names.fault(name)) is not None:
            raise InvalidInput(f"A name {wrong}.", advice="Type the name anew, without copying it.")
        if names.is_reserved(name) and party != EXCHANGE:
            raise InvalidInput("This name speaks for the exchange itself.", advice="Use the person's own name.")
        user_id = own or UserId(f"u-{secrets.token_hex(PSEUDONYM_BYTES)}")
        values = (user_id, name, party, " ".join(sorted(set(roles))))
        try:
            with self._writing() as connection:
                connection.execute("INSERT INTO person (user_id, name, party, roles) VALUES (?, ?, ?, ?)", values)
        except sqlite3.IntegrityError:
            if _person(values) in self.people():
                return _person(values)
            raise Conflict(f"There is somebody of this name at {party} already.", advice="See `comity user list`.") from None
        return _person(values)

    def starts(self) -> int:
        """Return how many starts of the exchange this file has seen: an older copy has seen fewer, a new one none."""
        with self._lock:
            row = self._connection.execute("SELECT starts FROM about").fetchone()
        return 0 if row is None else int(row[0])

    def started(self, starts: int) -> None:
        """Remember a start by its number."""
        with self._writing() as connection:
            connection.execute("DELETE FROM about")
            connection.execute("INSERT INTO about VALUES (?)", (starts,))

    def read_until(self) -> int:
        """Return the next position of the journal to read for who was shut out: an older copy brings an older one."""
        with self._lock:
            row = self._connection.execute("SELECT next FROM journal_read").fetchone()
        return 0 if row is None else int(row[0])

    def read_to(self, position: int) -> None:
        """Remember that position."""
        with self._writing() as connection:
            connection.execute("DELETE FROM journal_read")
            connection.execute("INSERT INTO journal_read VALUES (?)", (position,))

    def end_all_sessions(self) -> None:
        """End every session and link: some may have been ended already, in a file that is gone."""
        with self._writing() as connection:
            connection.execute("DELETE FROM token")

    def people(self, *, former: bool = False) -> tuple[Person, ...]:
        """Return everybody who may sign in, in the order in which they were added; ``former``: who might once, too."""
        query = f"{_PERSON} WHERE removed <= ? ORDER BY rowid"
        with self._lock:
            return tuple(_person(row) for row in self._connection.execute(query, (int(former),)).fetchall())

    def give(self, user_id: UserId, roles: Collection[str]) -> Person:
        """Give a person these roles instead of those they have. Raises NotFound."""
        query = "UPDATE person SET roles = ? WHERE user_id = ? AND removed = 0 RETURNING user_id, name, party, roles"
        with self._writing() as connection:
            rows = connection.execute(query, (" ".join(sorted(set(roles))), user_id)).fetchall()
        if not rows:
            raise NotFound("There is nobody of this pseudonym.", advice="See `comity user list`.")
        return _person(rows[0])

    def remove(self, user_id: UserId) -> None:
        """Let a person sign in no more, and end their sessions and links; the pseudonym is never given again. Idempotent."""
        with self._writing() as connection:
            connection.execute("DELETE FROM token WHERE user_id = ?", (user_id,))
            connection.execute("UPDATE person SET removed = 1, roles = '' WHERE user_id = ?", (user_id,))

    def withdraw(self, user_id: UserId) -> None:
        """Take a person out again whose addition could not be entered: nobody made them a link yet."""
        with self._writing() as connection:
            connection.execute("DELETE FROM token WHERE user_id = ?", (user_id,))
            connection.execute("DELETE FROM person WHERE user_id = ?", (user_id,))

    def end_sessions(self, user_id: UserId, *, begun_before: datetime | None = None) -> int:
        """End a person's sessions and links, or those that began before a time; return how many there were."""
        before = float("inf") if begun_before is None else begun_before.timestamp()
        began = "ends_at - CASE kind WHEN 'link' THEN ? ELSE ? END"
        query = f"DELETE FROM token WHERE user_id = ? AND {began} < ?"  # noqa: S608 - our own words alone
        with self._writing() as connection:
            return connection.execute(query, (user_id, LINK_SECONDS, SESSION_SECONDS, before)).rowcount

    def link(self, user_id: UserId) -> str:
        """Return a new token that signs this person in once, within ten minutes. Raises NotFound."""
        try:
            with self._writing() as connection:
                if connection.execute("SELECT 1 FROM person WHERE user_id = ? AND removed = 1", (user_id,)).fetchone():
                    raise NotFound("This person was removed.", advice="See `comity user list`.")
                return self._issue(connection, "link", user_id, LINK_SECONDS)
        except sqlite3.IntegrityError:
            raise NotFound("There is nobody of this pseudonym.", advice="See `comity user list`.") from None

    def sign_in(self, token: str) -> str:
        """Exchange a one-time token for a session's token. Raises NotSignedIn: used, too old and invented look alike."""
        with self._writing() as connection:
            connection.execute("DELETE FROM token WHERE ends_at <= ?", (self._clock(),))
            taken = connection.execute(
                "DELETE FROM token WHERE kind = 'link' AND sha256 = ? RETURNING user_id, sha256", (_digest(token),)
            ).fetchall()
            for user_id, sha256 in taken:
                if hmac.compare_digest(sha256, _digest(token)):
                    return self._issue(connection, "session", user_id, SESSION_SECONDS)
        raise NotSignedIn("This link has been used, or is too old.", advice="Ask for a new one: `comity user link NAME`.")

    def person(self, session: str) -> Person:
        """Return who holds this session. Raises NotSignedIn."""
        # A lookup by digest tells an attacker's clock about digests at most, and nobody can steer those of random tokens.
        digest = _digest(session)
        with self._lock:
            rows = self._connection.execute(
                f"{_PERSON} JOIN token USING (user_id) WHERE kind = 'session' AND sha256 = ? AND ends_at > ?",
                (digest, self._clock()),
            ).fetchall()
        if not rows and (machine := self._machines.person(session)) is not None:
            return machine
        if not rows:
            raise NotSignedIn("The session has ended.", advice="Sign in again with a new link.")
        return _person(rows[0])

    def sign_out(self, session: str) -> None:
        """End a session; idempotent."""
        with self._writing() as connection:
            connection.execute("DELETE FROM token WHERE kind = 'session' AND sha256 = ?", (_digest(session),))
        self._machines.sign_out(session)

    def close(self) -> None:
        """Close the file; idempotent."""
        self._machines.close()
        with self._lock:
            self._connection.close()

    def _issue(self, connection: sqlite3.Connection, kind: str, user_id: str, seconds: float) -> str:
        token = secrets.token_urlsafe(TOKEN_BYTES)
        connection.execute("INSERT INTO token VALUES (?, ?, ?, ?)", (kind, _digest(token), user_id, self._clock() + seconds))
        return token

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


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def _person(row: tuple[str, str, str, str]) -> Person:
    user_id, name, party, roles = row
    return Person(UserId(user_id), name, PartyId(party), frozenset(roles.split()))
