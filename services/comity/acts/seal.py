"""A clerk finds records, sees what an order would cover, presses once, and holds the receipt (R10)."""

from __future__ import annotations

import hmac
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from comity.acts.indexes import Indexer
from comity.acts.journal import Journal
from comity.acts.order import OrderReceipt, Orders
from comity.acts.preview import EXPUNGE, SEAL, Asked, Covered, Previews
from comity.domain import entries as e
from comity.domain.ids import OrderId, Ori, PartyId, RecordId, UserId
from comity.domain.policy import MODES, STATUTES
from comity.domain.record import State, decide
from comity.errors import InvalidInput, NotPermitted, TooLarge
from comity.ports import KeyVault, PhotoStore
from comity.wire import sealing
from comity.wire.signing import SigningKey

PREVIEW_KEY = "preview/1"
PREVIEW_LASTS = timedelta(minutes=15)
DOCUMENT_BYTES_MAX = 10 * 1024 * 1024  # a scanned order of some twenty pages
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


@dataclass(frozen=True, kw_only=True)
class Seal:
    """Preview and press, for sealing and for expungement."""

    journal: Journal
    previews: Previews
    vault: KeyVault
    photos: PhotoStore
    indexer: Indexer
    orders: Orders

    def preview(
        self, what: str, statute: str, numbers: Mapping[e.IndexKind, str], agency: Ori | None, *, party: PartyId, user: UserId
    ) -> Preview:
        """Return what an order under this statute, entered by this party, would bind; the look is entered as a disclosure.

        ``numbers``: booking (then ``agency`` is needed), court case or arrest tracking number. Raises InvalidInput, and
        NotPermitted where the statute reaches no police record (R13), with the reason, or the party enters no orders.
        """
        law = STATUTES.get(statute)
        if law is None or what not in (SEAL, EXPUNGE):
            raise InvalidInput(f"Unknown statute or order: {statute!r:.40}.", advice=f"Use one of: {', '.join(STATUTES)}.")
        if law.mode is None:
            raise NotPermitted(law.why, advice="Name the order and statute that reach the police record.", statute=statute)
        if what == EXPUNGE and not MODES[law.mode].destroys:
            raise NotPermitted(
                "This statute seals a record; it orders none destroyed.",
                advice="Choose to seal, or name the statute that orders destruction.",
                statute=statute,
            )
        found = self.previews(Asked(what, statute, law.mode, self._named(numbers, agency), party, user))
        notes, per_agency = (*_notes(what, found.covers), *found.notes), Counter(c.owner for c in found.covers)
        return Preview(what, statute, law.mode, found.covers, per_agency, notes, self._token(what, found.order))

    def press(self, token: str, signer: SigningKey, document: bytes = b"") -> OrderReceipt:
        """Enter what was previewed, signed by the court; pressing twice enters it once. Raises as ``Orders.submit``."""
        order = self._order(token, document)
        entry = self.journal.entry(order, key=order.order_id, signer=signer, source="desk")
        return self.orders.submit(entry)

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

    def _token(self, what: str, order: e.Cover) -> str:
        body = {
            "what": what,
            "order": order.order_id,
            "statute": order.statute,
            "mode": order.mode if isinstance(order, e.RecordsSealed) else "",
            "records": order.records,
            "indexes": [(i.kind, i.key_version, i.tag) for i in order.indexes],
            "at": self.journal.now().isoformat(),
        }
        sealed = sealing.seal(self.vault.issue(PREVIEW_KEY), json.dumps(body).encode(), context=b"preview")
        return sealed.hex()

    def _order(self, token: str, document: bytes) -> e.RecordsSealed | e.RecordsExpunged:
        try:
            plain = sealing.unseal(self.vault.issue(PREVIEW_KEY), bytes.fromhex(token), context=b"preview")
        except ValueError:
            raise InvalidInput("This preview is not ours.", advice="Preview the order again, then press.") from None
        body = json.loads(plain)
        issued_at = datetime.fromisoformat(body["at"])
        if self.journal.now() - issued_at > PREVIEW_LASTS:
            raise InvalidInput("This preview is too old.", advice="Preview the order again: what it covers may have changed.")
        order_id, records = OrderId(body["order"]), tuple(map(RecordId, body["records"]))
        indexes = tuple(e.BlindIndex(e.IndexKind(kind), version, tag) for kind, version, tag in body["indexes"])
        if body["what"] == EXPUNGE:
            return e.RecordsExpunged(order_id, body["statute"], records, indexes, issued_at)
        kept = self._keep(order_id, document) if document else b""
        return e.RecordsSealed(order_id, body["mode"], body["statute"], records, indexes, issued_at, kept)

    def _keep(self, order_id: OrderId, document: bytes) -> bytes:
        """Keep the court's document encrypted, and return the keyed digest that binds the order to it."""
        if len(document) > DOCUMENT_BYTES_MAX:
            raise TooLarge("The order's document is over 10 MB.", advice="Send a smaller scan.")
        name = f"order/{order_id}/document"
        key = self.vault.issue(name)
        self.photos.put(name, sealing.seal(key, document, context=name.encode()))
        return hmac.digest(key, document, "sha256")


def _notes(what: str, covers: tuple[Covered, ...]) -> tuple[str, ...]:
    kind = e.RecordsExpunged if what == EXPUNGE else e.RecordsSealed
    notes = [f"{c.record_id[:8]}… of {c.owner}: {why}" for c in covers if (why := decide(State(c.state), kind)) is not None]
    return tuple(notes)
