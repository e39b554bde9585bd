"""A clerk finds records, sees what an order would cover, presses once, and holds the receipt (R10)."""

from __future__ import annotations

import hmac
import json
import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from comity.acts.indexes import Indexer
from comity.acts.journal import Journal
from comity.acts.order import OrderReceipt, Orders
from comity.domain import entries as e
from comity.domain.ids import OrderId, Ori, RecordId
from comity.domain.judge import Facts
from comity.domain.policy import MODES, STATUTES
from comity.domain.posting import Record
from comity.domain.record import State, decide
from comity.errors import InvalidInput, NotPermitted, TooLarge
from comity.ports import KeyVault, LedgerView, PhotoStore
from comity.wire import sealing
from comity.wire.signing import SigningKey

PREVIEW_KEY = "preview/1"
PREVIEW_LASTS = timedelta(minutes=15)
DOCUMENT_BYTES_MAX = 10 * 1024 * 1024  # a scanned order of some twenty pages
RECORDS_MAX = 1_000  # in one order; a bulk order is many of them
EXPUNGE, SEAL = "expunge", "seal"
NUMBERS = (e.IndexKind.BOOKING, e.IndexKind.COURT_CASE, e.IndexKind.ATN)


@dataclass(frozen=True, slots=True)
class Covered:
    """A record that an order would cover: whose it is, and where it stands now."""

    record_id: RecordId
    owner: str
    record_class: str
    state: str


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
    ledger: LedgerView
    vault: KeyVault
    photos: PhotoStore
    indexer: Indexer
    orders: Orders

    def preview(self, what: str, statute: str, numbers: Mapping[e.IndexKind, str], agency: Ori | None) -> Preview:
        """Return what an order under this statute would cover.

        ``numbers``: booking (then ``agency`` is needed), court case or arrest tracking number. Raises InvalidInput, and
        NotPermitted where the statute reaches no police record (R13), with the reason.
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
        indexes = self._named(numbers, agency)
        targets = [f"{i.kind}:{i.key_version}:{i.tag}" for i in indexes]
        records = self.ledger.found(targets)
        if len(records) > RECORDS_MAX:
            raise InvalidInput(f"{len(records)} records are too many for one order.", advice="Narrow it by a number more.")
        covers = self._covered(records)
        token = self._token(what, statute, law.mode, records, indexes)
        return Preview(what, statute, law.mode, covers, Counter(c.owner for c in covers), _notes(what, covers), token)

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

    def _covered(self, records: tuple[RecordId, ...]) -> tuple[Covered, ...]:
        facts = self.ledger.facts("", records, self.ledger.progress().next)
        rows = [row for r in records if (row := facts.record(r, facts.applied)) is not None]
        return tuple(Covered(row.record_id, row.owner, row.record_class, state(facts, row)) for row in rows)

    def _token(self, what: str, statute: str, mode: str, records: tuple[RecordId, ...], indexes: tuple[e.BlindIndex, ...]) -> str:
        body = {
            "what": what,
            "order": secrets.token_hex(12),
            "statute": statute,
            "mode": mode,
            "records": records,
            "indexes": [(i.kind, i.key_version, i.tag) for i in indexes],
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


def state(facts: Facts, record: Record) -> str:
    """Return where a record stands, for a person to read."""
    kinds = {order.kind for order in facts.covering(record, facts.applied)}
    for kind, word in (("expungement", State.EXPUNGED), ("seal", State.SEALED), ("provisional", State.PROVISIONAL)):
        if kind in kinds:
            return word
    return State.ADMITTED


def _notes(what: str, covers: tuple[Covered, ...]) -> tuple[str, ...]:
    kind = e.RecordsExpunged if what == EXPUNGE else e.RecordsSealed
    notes = [f"{c.record_id[:8]}… of {c.owner}: {why}" for c in covers if (why := decide(State(c.state), kind)) is not None]
    if not covers:
        notes.append("No record bears this number here now. The order will stand, and cover it should it come.")
    return tuple(notes)
