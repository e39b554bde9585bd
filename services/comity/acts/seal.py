"""A clerk finds records, sees what an order would cover, presses once, and holds the receipt (R10)."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import date, datetime

from comity.acts import tokens
from comity.acts.indexes import Indexer
from comity.acts.order import OrderReceipt, Orders
from comity.acts.papers import Papers
from comity.acts.preview import Asked, Covered, Previews
from comity.acts.tokens import EXPUNGE, FIND, PROVISIONAL, SEAL, Clerk, Token
from comity.domain import entries as e
from comity.domain import provisional
from comity.domain.ids import Ori, PartyId, UserId
from comity.domain.policy import MODES, STATUTES, destruction
from comity.domain.record import State, decide
from comity.errors import Conflict, InvalidInput, NotAppended, NotPermitted
from comity.wire.signing import SigningKey

KINDS: dict[str, type[e.Cover]] = {
    SEAL: e.RecordsSealed,
    PROVISIONAL: e.RecordsProvisionallySealed,
    EXPUNGE: e.RecordsExpunged,
}
NUMBERS = (e.IndexKind.BOOKING, e.IndexKind.COURT_CASE, e.IndexKind.ATN)


@dataclass(frozen=True, slots=True)
class Preview:
    """What an order would cover, per agency, and the token that binds pressing to exactly this."""

    what: str
    statute: str
    mode: str
    covers: tuple[Covered, ...]
    per_agency: Mapping[str, int]
    notes: tuple[str, ...]
    token: str
    lapses_at: datetime | None = None  # of a provisional seal


@dataclass(frozen=True, kw_only=True)
class Seal:
    """Preview and press, for sealing, provisionally too, and for expungement."""

    previews: Previews
    papers: Papers
    indexer: Indexer
    orders: Orders
    lock: AbstractContextManager[object] = field(default_factory=threading.Lock, repr=False)

    def preview(
        self,
        what: str,
        statute: str,
        numbers: Mapping[e.IndexKind, str],
        agency: Ori | None,
        *,
        party: PartyId,
        user: UserId,
        own: str | None = None,
        until: date | None = None,
    ) -> Preview:
        """Return what an order under this statute, entered by this party, would bind; the look is entered as a disclosure.

        ``own``: the look's number, where it was derived from the request. ``numbers``: booking (then ``agency`` is needed), court
        case or arrest tracking number.
        ``until``: the last day of a provisional seal.

        Raises InvalidInput, and NotPermitted where the statute reaches no police record (R13),
        with the reason, or the party enters no orders.
        """
        mode, lapses_at = _mode(what, statute), self._lapse(what, until)
        whose = _whose(numbers, agency)
        asked = Asked(what, statute, mode, self._named(numbers, agency), party, user, whose=whose, lapses_at=lapses_at)
        found = self.previews(asked, own)
        notes, per_agency = (*_notes(what, found.covers), *found.notes), Counter(c.owner for c in found.covers)
        if what == SEAL and (becomes := destruction(statute)):
            notes = (*notes, becomes)
        token = Token(
            what=what,
            order_id=found.order.order_id,
            statute=statute,
            mode=mode,
            records=found.order.records,
            indexes=found.order.indexes,
            numbers=_typed(numbers, agency),
            clerk=Clerk(party, user),
            issued_at=self.previews.journal.now(),
            lapses_at=lapses_at,
        )
        issued = tokens.issue(self.previews.vault, token)
        return Preview(what, statute, mode, found.covers, per_agency, notes, issued, lapses_at)

    def find(
        self, numbers: Mapping[e.IndexKind, str], agency: Ori | None, *, party: PartyId, user: UserId, own: str | None = None
    ) -> tuple[Covered, ...]:
        """Return the records that a number finds, and where each stands; the look is entered, under no law. Raises as above."""
        asked = Asked(FIND, "", provisional.MODE, self._named(numbers, agency), party, user, whose=_whose(numbers, agency))
        return self.previews(asked, own).covers

    def days(self) -> tuple[date, date]:
        """Return the first and the last day that may be a provisional seal's last."""
        return provisional.days(self.previews.journal.now())

    def pressing(self, token: str, *, party: PartyId, user: UserId) -> Token:
        """Return what pressing this token would enter: what a page must have confirmed is decided by it alone."""
        return tokens.read(self.previews.vault, token, Clerk(party, user))

    def press(self, token: str, signer: SigningKey, document: bytes = b"", *, party: PartyId, user: UserId) -> OrderReceipt:
        """Enter what was previewed, signed by the clerk's party; pressing twice enters it once, however late.

        A second press with another document is a Conflict: the first document stands. Raises as ``pressing`` and
        ``Orders.submit``.
        """
        held = self.pressing(token, party=party, user=user)
        with self.lock if document else nullcontext():  # or one press could drop the document that another just entered
            return self._press(held, signer, document)

    def _press(self, held: Token, signer: SigningKey, document: bytes) -> OrderReceipt:
        order = self._order(held, document)
        new = self.previews.ledger.seen(held.clerk.party, held.order_id) is None
        if new:
            tokens.check_age(held, self.previews.journal.now())
            self.papers.keep(held.name, document)
        entry = self.previews.journal.entry(order, key=order.order_id, signer=signer, source="desk")
        try:
            return self.orders.submit(entry)
        except (InvalidInput, NotPermitted, NotAppended, Conflict) as error:
            if new:
                self.papers.drop(held.name, document)  # it was not entered, so nothing of it is kept
            elif isinstance(error, Conflict):
                raise Conflict(
                    "This order was entered already, with another document or with none; that one stands.",
                    advice="Open its receipt. A further document takes a new order.",
                    order_id=held.order_id,
                ) from None
            raise

    def _named(self, numbers: Mapping[e.IndexKind, str], agency: Ori | None) -> tuple[e.BlindIndex, ...]:
        given = {kind: number for kind, number in numbers.items() if kind in NUMBERS and number.strip()}
        if not given:
            raise InvalidInput("No number was given.", advice="Give a booking, court case or arrest tracking number.")
        if e.IndexKind.BOOKING in given and agency is None:
            raise InvalidInput("A booking number belongs to an agency.", advice="Name the agency's ORI too.")
        try:
            return tuple(self.indexer.index(kind, number, agency or Ori("")) for kind, number in given.items())
        except ValueError as error:
            raise InvalidInput(
                f"This number cannot be used: {error}.", advice="Write the number as the court or the agency prints it."
            ) from None

    def _lapse(self, what: str, until: date | None) -> datetime | None:
        """Return when a provisional seal lapses that stands through this day, None for another order. Raises InvalidInput."""
        if what != PROVISIONAL:
            if until is not None:
                raise InvalidInput(
                    "Only a provisional seal has a last day.", advice="Choose the provisional seal, or leave the day out."
                )
            return None
        first, last = self.days()
        if until is None or not first <= until <= last:
            raise InvalidInput(
                "A provisional seal names its last day." if until is None else f"{until} cannot be its last day.",
                advice=f"Name a day from {first} to {last}.",
                field="until",
            )
        return provisional.lapse(until)

    def _order(self, token: Token, document: bytes) -> e.Cover:
        """Return the order that a token stands for: the same bytes however often it is pressed."""
        common = (token.records, token.indexes, token.lapses_at or token.issued_at)
        digest, numbers = self.papers.digest(token.name, document), self.papers.sealed(token.name, token.numbers)
        if token.destroys:
            return e.RecordsExpunged(token.order_id, token.statute, *common, digest, token.clerk.user, numbers)
        if token.lapses_at is not None:
            return e.RecordsProvisionallySealed(token.order_id, token.statute, *common, digest, token.clerk.user, numbers)
        return e.RecordsSealed(token.order_id, token.mode, token.statute, *common, digest, token.clerk.user, numbers)


def _whose(numbers: Mapping[e.IndexKind, str], agency: Ori | None) -> Ori | None:
    """Return the agency that the booking number belongs to; None for other numbers, which are nobody's own."""
    return agency if numbers.get(e.IndexKind.BOOKING, "").strip() else None


def _typed(numbers: Mapping[e.IndexKind, str], agency: Ori | None) -> dict[str, str]:
    """Return the numbers as a person typed them, by kind; a booking number with its agency."""
    typed = {str(kind): number.strip() for kind, number in numbers.items() if number.strip()}
    return typed | ({"agency": agency} if agency and e.IndexKind.BOOKING in typed else {})


def _mode(what: str, statute: str) -> str:
    """Return the mode of an order of this kind under this statute. Raises InvalidInput and NotPermitted."""
    law = STATUTES.get(statute)
    if law is None or what not in KINDS:
        raise InvalidInput(f"Unknown statute or order: {statute!r:.40}.", advice=f"Use one of: {', '.join(STATUTES)}.")
    if law.mode is None:
        raise NotPermitted(law.why, advice="Name the order and statute that reach the police record.", statute=statute)
    if what == EXPUNGE and not MODES[law.mode].destroys:
        raise NotPermitted(
            "This statute seals a record; it orders none destroyed.",
            advice="Choose to seal, or name the statute that orders destruction.",
            statute=statute,
        )
    return provisional.MODE if what == PROVISIONAL else law.mode


def _notes(what: str, covers: tuple[Covered, ...]) -> tuple[str, ...]:
    notes = [f"{c.record_id[:8]}… of {c.owner}: {why}" for c in covers if (why := decide(State(c.state), KINDS[what]))]
    if what == SEAL and any(c.state == State.PROVISIONAL for c in covers):
        notes.append(provisional.FINAL)
    return tuple(notes)
