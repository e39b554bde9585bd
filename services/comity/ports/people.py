"""Who signs in."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from comity.domain.ids import PartyId, UserId


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody signed in: a pseudonym for the log, the party they act for, and their roles."""

    user_id: UserId
    name: str = field(repr=False)
    party: PartyId
    roles: frozenset[str]


@dataclass(frozen=True, slots=True)
class Machine:
    """A records system that signs in by its own key, as somebody of its party."""

    person: Person
    public_key: bytes
    revoked: bool


class Machines(Protocol):
    """The machines that may sign in, by keys whose private halves never were here."""

    def add(self, machine_id: UserId, name: str, party: str, roles: Collection[str], public_key: bytes) -> Machine:
        """Add a machine of a party's. Raises Conflict for a key or a name that another has, and where there are too many."""
        ...

    def check(self, name: str, party: str, public_key: bytes) -> None:
        """Raise Conflict as ``add`` would, before anything is entered."""
        ...

    def all(self, party: str | None = None) -> tuple[Machine, ...]:
        """Return a party's machines, or everybody's, revoked ones too."""
        ...

    def one(self, machine_id: str) -> Machine:
        """Return a machine. Raises NotFound."""
        ...

    def revoke(self, machine_id: UserId) -> None:
        """Let a machine in no more, and end its sessions; idempotent."""
        ...

    def sign_in(self, machine_id: UserId, proof: str, until: float) -> str:
        """Return a new session's token for what was proven, once; the proof is remembered until then. Raises NotSignedIn."""
        ...


class Identity(Protocol):
    """Who may sign in, and who is: embedded, a small file of demo users; in production an OIDC provider."""

    @property
    def machines(self) -> Machines:
        """Return the machines that may sign in beside people."""
        ...

    def add(self, name: str, party: str, roles: Collection[str], own: UserId | None = None) -> Person:
        """Add a person who acts for a party; the pseudonym is new and random. Raises Conflict for a name known there.

        ``own``: the pseudonym, where it was derived from the request; the same person under it again is the same person.
        """
        ...

    def people(self, *, former: bool = False) -> tuple[Person, ...]:
        """Return everybody who may sign in; ``former``: those who were removed, too, for the names of what they did."""
        ...

    def give(self, user_id: UserId, roles: Collection[str]) -> Person:
        """Give a person these roles instead of those they have. Raises NotFound."""
        ...

    def remove(self, user_id: UserId) -> None:
        """Let a person sign in no more, and end their sessions and links. Idempotent."""
        ...

    def withdraw(self, user_id: UserId) -> None:
        """Take a person out again whose addition could not be entered: as if it had not been asked for."""
        ...

    def end_sessions(self, user_id: UserId, *, begun_before: datetime | None = None) -> int:
        """End a person's sessions and links, or those that began before a time; return how many there were."""
        ...

    def starts(self) -> int:
        """Return how many starts of the exchange this file has seen: an older copy has seen fewer."""
        ...

    def started(self, starts: int) -> None:
        """Remember a start by its number."""
        ...

    def end_all_sessions(self) -> None:
        """End every session and link."""
        ...

    def read_until(self) -> int:
        """Return the next position of the journal to read for who was shut out; 0 in a new file."""
        ...

    def read_to(self, position: int) -> None:
        """Remember that position."""
        ...

    def link(self, user_id: UserId) -> str:
        """Return a new token that signs this person in once, within a few minutes."""
        ...

    def sign_in(self, token: str) -> str:
        """Exchange a one-time token for a session's token. Raises NotSignedIn."""
        ...

    def person(self, session: str) -> Person:
        """Return who holds this session. Raises NotSignedIn."""
        ...

    def sign_out(self, session: str) -> None:
        """End a session; idempotent."""
        ...
