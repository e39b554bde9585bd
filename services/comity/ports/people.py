"""Who signs in."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Protocol

from comity.domain.ids import PartyId, UserId


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody signed in: a pseudonym for the log, the party they act for, and their roles."""

    user_id: UserId
    name: str = field(repr=False)
    party: PartyId
    roles: frozenset[str]


class Identity(Protocol):
    """Who may sign in, and who is: embedded, a small file of demo users; in production an OIDC provider."""

    def add(self, name: str, party: str, roles: Collection[str]) -> Person:
        """Add a person who acts for a party; the pseudonym is new and random. Raises Conflict for a name known there."""
        ...

    def people(self) -> tuple[Person, ...]:
        """Return everybody who may sign in."""
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
