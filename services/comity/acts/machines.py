"""A party's administrator lets a records system in by its own key, and shuts it out again; the system proves the key.

What cannot be done is refused before anything is entered. What is administered is entered in the journal first, then done: a
crash in between leaves an entry of something that is not so, never a machine that the journal does not know.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from comity.acts.journal import Journal
from comity.acts.pace import ENTRY_TARGETS
from comity.acts.register import check_name
from comity.domain import entries as e
from comity.domain.ids import PartyId, UserId
from comity.domain.posting import Agency, Court, Exchange
from comity.domain.roles import ADMINISTRATOR, AGENCY_ADMINISTRATOR, AGENCY_WRITER, CLERK, may_hold
from comity.errors import InvalidInput, NotFound, NotPermitted, NotSignedIn
from comity.ports import LedgerView, Machine, Machines, Person
from comity.wire.assertion import FORGED, BadAssertion, machine_of, verified
from comity.wire.curve import is_public_key

ROLES = (AGENCY_WRITER, AGENCY_ADMINISTRATOR, CLERK)  # what a system may do: to search and to look are acts of people
ADDED, REVOKED = "machine-added", "machine-revoked"
MACHINE, PSEUDONYM_BYTES = "m-", 6
ACT_BYTES = 12  # of an act's id: drawn, and no two are alike
_REGISTERING = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class MachineAccess:
    """Registration, revocation and sign-in of machines."""

    machines: Machines
    ledger: LedgerView
    journal: Journal
    now: Callable[[], datetime]

    def register(
        self, by: Person, party: str, name: str, roles: Collection[str], public_key: bytes, own: UserId | None = None
    ) -> Machine:
        """Let a machine of this party sign in with its key. Raises NotPermitted, InvalidInput, TooMany or Conflict.

        ``own``: its id, where it was derived from the request; the same machine under it again is the same machine.
        """
        check_power(by, party)
        check_name(name)
        if not self._takes_part(party):
            raise InvalidInput("No agency and no court of this name is registered.", advice="Register it first.")
        wrong = sorted(role for role in set(roles) if role not in ROLES or not may_hold(role, party))
        if wrong or not roles:
            raise InvalidInput(
                f"A machine of this party cannot be {', '.join(wrong) or 'nothing'}.", advice=f"Use: {', '.join(ROLES)}."
            )
        if not is_public_key(public_key):
            raise InvalidInput("This is no Ed25519 public key that proves anything.", advice="Send the raw 32 bytes in base64.")
        machine_id = own or UserId(f"{MACHINE}{secrets.token_hex(PSEUDONYM_BYTES)}")
        with _REGISTERING:  # or two of one name would both be entered, and one of them be added
            if own is not None and (held := self._registered(own)) is not None:
                return held
            self.machines.check(name, party, public_key)
            self._enter(machine_id, party, roles, ADDED, by)
            return self.machines.add(machine_id, name, party, roles, public_key)

    def of(self, by: Person) -> tuple[Machine, ...]:
        """Return the machines that somebody administers, revoked ones too."""
        return self.machines.all(None if ADMINISTRATOR in by.roles else by.party)

    def one(self, by: Person, machine_id: str) -> Machine:
        """Return a machine that somebody administers. Raises NotFound; another party's is not there."""
        machine = self.machines.one(machine_id)
        if ADMINISTRATOR not in by.roles and machine.person.party != by.party:
            raise NotFound("There is no such machine.", advice="See `comity machine list`.")
        return machine

    def revoke(self, by: Person, machine_id: str) -> Machine:
        """Shut a machine out, now; its sessions end. Raises NotPermitted or NotFound."""
        machine = self.one(by, machine_id)
        check_power(by, machine.person.party)
        if not machine.revoked:
            self._enter(machine.person.user_id, machine.person.party, machine.person.roles, REVOKED, by)
            self.machines.revoke(machine.person.user_id)
        return self.machines.one(machine_id)

    def sign_in(self, assertion: str) -> str:
        """Exchange a signed assertion for a session's token. Raises NotSignedIn: unknown, revoked and forged look alike."""
        try:
            own = machine_of(assertion)
            key = self._key(own)
            said = verified(assertion, own, key, self.audience(), self.now().timestamp())
        except BadAssertion as error:
            raise NotSignedIn(f"The assertion is not accepted: {error}.", advice="/intake/docs says what it must hold.") from None
        return self.machines.sign_in(own, said.jti, said.until)

    def _registered(self, machine_id: UserId) -> Machine | None:
        with suppress(NotFound):
            return self.machines.one(machine_id)
        return None

    def _key(self, machine: UserId) -> bytes:
        """Return a machine's key. Raises BadAssertion, as for a forged one, where there is none that counts."""
        with suppress(NotFound):
            found = self.machines.one(machine)
            if not found.revoked:
                return found.public_key
        raise BadAssertion(FORGED)

    def _takes_part(self, party: str) -> bool:
        return bool(self.ledger.rows(Agency, ori=party)) or bool(self.ledger.rows(Court, court_id=party))

    def audience(self) -> str:
        """Return the id of the exchange that assertions are for."""
        return self.ledger.rows(Exchange)[0].exchange_id

    def _enter(self, machine: UserId, party: str, roles: Collection[str], action: str, by: Person) -> None:
        self.journal.pace.take(by.party, ENTRY_TARGETS)
        event = e.PersonAdministered(
            secrets.token_hex(ACT_BYTES), machine, PartyId(party), tuple(sorted(set(roles))), action, by.user_id
        )
        self.journal.enter(event, key=party)


def check_power(by: Person, party: str) -> None:
    """Raise NotPermitted unless somebody, and no machine, administers this party."""
    own = AGENCY_ADMINISTRATOR in by.roles and by.party == party
    if by.user_id.startswith(MACHINE) or not (own or ADMINISTRATOR in by.roles):
        raise NotPermitted(
            "A party's machines are its own administrator's, or the exchange's.",
            advice="Ask one of them.",
            needs=AGENCY_ADMINISTRATOR,
        )
