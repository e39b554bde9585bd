"""A clerk ends an order before its time, by its name: an unseal for a seal, a lift for a provisional seal (R11).

A party ends its own orders; a court may end another party's, and names its authority for that. An expungement has no end.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace

from comity.acts.journal import Journal
from comity.acts.order import OrderReceipt, Orders
from comity.domain import entries as e
from comity.domain.entries import OrderName
from comity.domain.ids import OrderId, PartyId, UserId
from comity.domain.posting import Court, Lift, Suppression
from comity.domain.standing import revocations_of
from comity.errors import Conflict, InvalidInput, NotFound, NotPermitted
from comity.ports import LedgerView
from comity.wire.signing import SigningKey

AUTHORITY_CHARS_MAX = 200


@dataclass(frozen=True, kw_only=True)
class Lifting:
    """Ends orders."""

    journal: Journal
    ledger: LedgerView
    orders: Orders

    def __call__(
        self,
        name: OrderName,
        signer: SigningKey,
        *,
        party: PartyId,
        user: UserId,
        authority: str = "",
        lift_id: str | None = None,
    ) -> OrderReceipt:
        """Enter the end of this order, signed by the clerk's party.

        Raises NotFound (no such order that this party may end), NotPermitted (another's, by an agency), InvalidInput (no
        authority named), Conflict (an expungement; it ended already), and as ``Orders.submit``.
        """
        order = self._order(name, party, authority.strip())
        own = OrderId(lift_id or secrets.token_hex(12))
        if self.ledger.seen(party, own) is None and self._ended(order):
            raise Conflict("This order has ended already.", advice="Open its receipt.")
        kind = e.ProvisionalSealLifted if order.kind == "provisional" else e.RecordsUnsealed
        event = kind(own, (name,), authority.strip(), user)
        return self.orders.submit(self.journal.entry(event, key=own, signer=signer, source="desk"))

    def _order(self, name: OrderName, party: PartyId, authority: str) -> Suppression:
        if name.party != party and not self.ledger.rows(Court, court_id=party):
            raise NotPermitted("An agency ends its own orders alone.", advice="A court ends another party's order.")
        row = next(iter(self.ledger.rows(Suppression, entered_by=name.party, order_id=name.order_id)), None)
        if row is None:
            raise NotFound("There is no such order.", advice="Name the party that entered it, and its number.")
        if name.party != party and not authority:
            raise InvalidInput(
                "Ending another party's order takes an authority.",
                advice="Name the court's decision that ends it.",
                field="authority",
            )
        if len(authority) > AUTHORITY_CHARS_MAX:
            raise InvalidInput(f"An authority has at most {AUTHORITY_CHARS_MAX} characters.", field="authority")
        if row.kind == "expungement":
            raise Conflict("An expungement has no end.", advice="What it destroyed cannot be brought back, by anyone.")
        return row

    def _ended(self, order: Suppression) -> bool:
        facts = self.ledger.facts("", [], self.ledger.progress().next)
        lifts = self.ledger.rows(Lift, party=order.entered_by, order_id=order.order_id)
        revocations = tuple(revocations_of(self.ledger, lifts))
        return not replace(facts, lifts=lifts, revocations=revocations).stands(order, facts.applied)
