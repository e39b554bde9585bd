"""An owner lets another agency search, view or reveal, for named purposes and until a named day; and takes it back (R19-R22)."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from comity.acts.order import OrderReceipt, Orders
from comity.domain import entries as e
from comity.domain.ids import GrantId, Ori
from comity.domain.policy import REQUESTER_CLASSES, RIGHTS
from comity.domain.posting import Agency, Grant
from comity.domain.sharing import LASTS_MAX, LAWFUL_PURPOSES, SHARED_CLASSES
from comity.errors import InvalidInput, NotFound
from comity.ports import LedgerView
from comity.wire.signing import SigningKey

IN_RETURN_CHARS_MAX = 500
REVOCATION_CHARS = 24
SOURCE = "desk"


@dataclass(frozen=True, slots=True)
class Terms:
    """What is granted to whom, for what, until when, and what is given in return (R44)."""

    grantee: Ori
    classes: frozenset[e.RecordClass]
    purposes: frozenset[str]
    rights: frozenset[str]
    expires_at: datetime
    in_return: str = ""


@dataclass(frozen=True, kw_only=True)
class Grants:
    """Grants and revocations, signed with the owner's key."""

    ledger: LedgerView
    orders: Orders
    now: Callable[[], datetime]

    def grant(self, owner: Ori, terms: Terms, signer: SigningKey, own: str | None = None) -> OrderReceipt:
        """Enter a grant; its number is the receipt's. Raises InvalidInput, NotFound (the grantee), and as ``Orders.submit``.

        ``own``: what its number is made of, so that the same request sent again is the same grant; else it is drawn.
        """
        check(terms, self.now())
        if terms.grantee == owner:
            raise InvalidInput("An agency needs no grant for its own records.", advice="Name the agency to share with.")
        grantee = next((row for row in self.ledger.rows(Agency, ori=terms.grantee) if isinstance(row, Agency)), None)
        if grantee is None or grantee.requester_class not in REQUESTER_CLASSES:
            raise NotFound("No agency of this ORI is registered.", advice="See the list of agencies.")
        event = e.ShareGranted(
            GrantId(f"g-{own or secrets.token_hex(12)}"),
            owner,
            terms.grantee,
            tuple(sorted(terms.classes)),
            tuple(sorted(terms.purposes)),
            tuple(sorted(terms.rights)),
            terms.expires_at,
            terms.in_return.strip(),
        )
        return self._enter(event, event.grant_id, owner, signer)

    def revoke(self, owner: Ori, grant: GrantId, signer: SigningKey) -> OrderReceipt:
        """Take a grant back, from here on. Raises NotFound where this owner has no such grant in force."""
        now = self.ledger.progress().next
        rows = self.ledger.rows(Grant, grant_id=grant, owner=owner)
        if not any(row.holds(now) for row in rows):
            raise NotFound("There is no such grant of yours in force.", advice="See the register of grants.")
        own = hashlib.sha256(f"{owner}/{grant}".encode()).hexdigest()[
            :REVOCATION_CHARS
        ]  # a grant's own id may be as long as ids get
        return self._enter(e.ShareRevoked(grant), f"r-{own}", owner, signer)

    def register(self) -> tuple[Grant, ...]:
        """Return every grant ever made, ended ones too, oldest first: the public register (R22)."""
        return tuple(row for row in self.ledger.rows(Grant) if isinstance(row, Grant))

    def _enter(self, event: e.ShareGranted | e.ShareRevoked, event_id: str, owner: Ori, signer: SigningKey) -> OrderReceipt:
        return self.orders.enter(event, key=owner, signer=signer, source=SOURCE, own_id=event_id)


def check(terms: Terms, now: datetime) -> None:
    """Compare a grant's terms with the tables. Raises InvalidInput, naming what is wrong and what there is."""
    for what, given, known in (
        ("classes", {str(c) for c in terms.classes}, {str(c) for c in SHARED_CLASSES}),
        ("purposes", terms.purposes, LAWFUL_PURPOSES),
        ("rights", terms.rights, set(RIGHTS)),
    ):
        _check_words(what, given, known)
    if terms.expires_at.tzinfo is None or not now < terms.expires_at <= now + LASTS_MAX:
        raise InvalidInput("A grant ends on a day to come, at most a year from now.", advice="Send expires_at with its zone.")
    if len(terms.in_return) > IN_RETURN_CHARS_MAX:
        raise InvalidInput(f"What is given in return is told in {IN_RETURN_CHARS_MAX} characters.", advice="Shorten it.")


def _check_words(what: str, given: Collection[str], known: Collection[str]) -> None:
    if not given or set(given) - set(known):
        raise InvalidInput(f"A grant names its {what}.", advice=f"Use one or more of: {', '.join(sorted(known))}.")
