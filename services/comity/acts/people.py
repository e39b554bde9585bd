"""Who may sign in is decided by an administrator, and each decision is entered in the journal, by pseudonyms alone.

The order of writing. What lets somebody in is entered before it takes effect: a link is made once its entry stands, and a person
whose entry fails is taken out again. What shuts somebody out takes effect first: *crash* before its entry, and the person is out.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection

from comity.acts.journal import Journal
from comity.acts.pace import ENTRY_TARGETS
from comity.domain import entries as e
from comity.domain.ids import UserId
from comity.domain.roles import ADMINISTRATOR
from comity.errors import Conflict, NotAppended, NotFound
from comity.ports import Identity, Person

ADMINISTRATION = "people"  # whose pace it is: apart from what any party appends
ACT_BYTES = 12  # of an act's id: drawn, and no two are alike
ADDED, REMOVED, ROLES_GIVEN, LINK_MADE, SIGNED_OUT = "added", "removed", "roles-given", "link-made", "signed-out"


class People:
    """Adds and removes people, gives roles, makes links, ends sessions; ``by`` is the administrator who does it."""

    def __init__(self, identity: Identity, journal: Journal) -> None:
        self._identity, self._journal = identity, journal

    def add(self, name: str, party: str, roles: Collection[str], by: UserId, own: UserId | None = None) -> Person:
        """Let somebody sign in. Raises as the identity does, TooMany, and NotAppended: then nobody was added.

        ``own``: their pseudonym, where it was derived from the request, so that one sent again adds nobody else.
        """
        self._pace()
        person = self._identity.add(name, party, roles, own)
        try:
            self._enter(person, ADDED, by)
        except NotAppended:
            self._identity.withdraw(person.user_id)
            raise
        return person

    def link(self, user: UserId, by: UserId) -> str:
        """Return a token that signs this person in once. Raises NotFound."""
        person = self.one(user)
        self._pace()
        self._enter(person, LINK_MADE, by)
        return self._identity.link(user)

    def give(self, user: UserId, roles: Collection[str], by: UserId) -> Person:
        """Give a person these roles instead of those they have; open sessions have them at once. Raises NotFound, Conflict."""
        before = self.one(user)
        if ADMINISTRATOR not in roles:
            self._leave_one(before)
        self._pace()
        given = Person(before.user_id, before.name, before.party, frozenset(roles))
        taken = frozenset(before.roles & given.roles)
        if taken != before.roles:
            self._identity.give(user, taken)  # what is taken away is gone before anything is entered
        self._enter(given, ROLES_GIVEN, by)
        return self._identity.give(user, roles)

    def remove(self, user: UserId, by: UserId) -> None:
        """Shut somebody out: their sessions and links end at once. Raises NotFound, Conflict for the last administrator."""
        person = self.one(user)
        self._leave_one(person)
        self._pace()
        self._identity.remove(user)
        self._enter(person, REMOVED, by)

    def sign_out(self, user: UserId, by: UserId) -> int:
        """End a person's sessions and links; return how many there were. Raises NotFound."""
        person = self.one(user)
        self._pace()
        ended = self._identity.end_sessions(user)
        self._enter(person, SIGNED_OUT, by)
        return ended

    def one(self, user: UserId) -> Person:
        """Return who this pseudonym is. Raises NotFound."""
        for person in self._identity.people():
            if person.user_id == user:
                return person
        raise NotFound("There is no such person.", advice="See `comity user list`.")

    def _leave_one(self, person: Person) -> None:
        others = (p for p in self._identity.people() if ADMINISTRATOR in p.roles and p.user_id != person.user_id)
        if ADMINISTRATOR in person.roles and next(others, None) is None:
            raise Conflict("This is the last administrator.", advice="Give the role to somebody else first.")

    def _pace(self) -> None:
        """Count an entry before anything is done: nobody makes every search wait by administering people."""
        self._journal.pace.take(ADMINISTRATION, ENTRY_TARGETS)

    def _enter(self, person: Person, action: str, by: UserId) -> None:
        event = e.PersonAdministered(
            secrets.token_hex(ACT_BYTES), person.user_id, person.party, tuple(sorted(person.roles)), action, by
        )
        self._journal.enter(event, key=person.party)
