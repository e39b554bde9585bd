"""An agency publishes a record: it asks for the id, key and indexes, encrypts and signs at home, and sends the bytes."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from comity.acts.indexes import Indexer
from comity.acts.journal import Journal
from comity.acts.pace import weight
from comity.domain import entries as e
from comity.domain.authority import UNKNOWN_KEY
from comity.domain.ids import ExchangeId, Ori, RecordId, record_key
from comity.domain.log import Entry, Placed, Topic
from comity.domain.posting import Agency, Key, Record, Suppression, admitted_indexes, index_target, record_target
from comity.errors import Halted, InvalidInput, KeyShredded, NotFound, NotPermitted, SuppressedRecord
from comity.ports import KeyVault, LedgerView
from comity.wire.booking import opened_particulars
from comity.wire.codec import Undecodable
from comity.wire.envelope import Envelope, from_entry
from comity.wire.sender import signer_of
from comity.wire.signing import OTHER_EXCHANGE, BadSignature, OtherExchange, SigningKey

SENT_MAX = 10_000  # digests of what was sent and may not be admitted yet: minutes of the fastest import


@dataclass(frozen=True, slots=True)
class Issued:
    """What a publisher needs to encrypt and name a record."""

    record_id: RecordId
    data_key: bytes = field(repr=False)
    indexes: tuple[e.BlindIndex, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where an event was entered, and the digest of the very bytes: the publisher's proof."""

    topic: str
    partition: int
    position: int
    sha256: str
    appended_at_ms: int
    repeated: bool = False


class Enrol:
    """The intake of records."""

    def __init__(self, journal: Journal, ledger: LedgerView, vault: KeyVault, indexer: Indexer) -> None:
        self._journal, self._ledger, self._vault, self._indexer = journal, ledger, vault, indexer
        self._lock, self._sent = threading.Lock(), OrderedDict[bytes, None]()

    def prepare(self, owner: Ori, numbers: Mapping[e.IndexKind, str], digests: Sequence[str]) -> Issued:
        """Issue the record's id, key and blind indexes.

        It tells nothing of others' orders: what they cover is issued like anything else, and decided by the encoder. The key
        waits for its enrolment (``KeyVault.reserve``).
        Raises SuppressedRecord where an order of this agency's own covers the booking or a photograph, InvalidInput without a
        booking number, NotPermitted for an agency that is not registered.
        """
        if not self._ledger.rows(Agency, ori=owner):
            raise NotPermitted(f"{owner} is not registered.", advice="Ask the administrator to register the agency first.")
        if not numbers.get(e.IndexKind.BOOKING):
            raise InvalidInput("A record needs its booking number.", advice="Send booking_number.")
        try:
            record = self._indexer.record_id(owner, numbers[e.IndexKind.BOOKING])
            indexes = self._indexer.indexes(owner, numbers, digests)
        except ValueError as error:
            raise InvalidInput(str(error), advice="Send the number as your records system prints it.") from None
        check_suppression(self._ledger, owner, record, indexes)
        return Issued(record, self._data_key(record, owner), indexes)

    def entry(self, event: e.RecordEnrolled, signer: SigningKey, *, source: str, own_id: str) -> Entry:
        """Return an enrolment signed with the key of an agency that is held here. Raises Unencodable."""
        return self._journal.entry(event, key=event.record_id, signer=signer, source=source, own_id=own_id)

    def submit(self, entry: Entry) -> Receipt:
        """Verify a signed ``RecordEnrolled`` and append the same bytes. The same version again is a no-op further on.

        Raises InvalidInput for bytes that cannot be read, NotPermitted for a wrong signature or owner, SuppressedRecord, TooMany.
        """
        envelope = verified(self._ledger, entry, self._journal.exchange_id)
        event = envelope.event
        if not isinstance(event, e.RecordEnrolled):
            raise InvalidInput("This is no enrolment.", advice="Send orders and grants to /v1/events.")
        if str(event.owner) != str(signing_key(self._ledger, envelope).party):
            raise NotPermitted("An agency enrols its own records only.", advice="Sign with the owning agency's key.")
        if any(row.owner != event.owner for row in self._ledger.admitted([event.record_id])):
            raise _not_issued()  # before anything else is said of it: another agency's looks like one that never was
        self._check_issued(event)
        check_suppression(self._ledger, event.owner, event.record_id, event.indexes)
        self._journal.pace.take(event.owner, weight(event))
        with suppress(KeyShredded):  # by an order of another party: the encoder will say so, in its own time
            self._vault.claim(record_key(event.record_id))
        repeated = self._repeats(event, envelope.value)
        return replace(receipt(self._journal.append(Topic.ENROLMENTS, entry)), repeated=repeated)

    def _repeats(self, event: e.RecordEnrolled, value: bytes) -> bool:
        """Say whether this sending changes nothing: this version was admitted already, or these very bytes were just sent."""
        digest = hashlib.sha256(value).digest()
        with self._lock:
            sent = digest in self._sent
            self._sent[digest] = None
            self._sent.move_to_end(digest)
            while len(self._sent) > SENT_MAX:
                self._sent.popitem(last=False)
        return sent or any(row.version == event.version for row in self._ledger.admitted([event.record_id]))

    def _data_key(self, record: RecordId, owner: Ori) -> bytes:
        """Return the record's key, or one that waits; unless the record was admitted: then it had one, and there is no other."""
        name = record_key(record)
        if self._vault.missing([name]):
            self._refuse_lost_key(record)
        return self._vault.reserve(name, owner)

    def _refuse_lost_key(self, record: RecordId) -> None:
        if self._ledger.rows(Record, record_id=record):
            raise Halted(
                "The vault lacks the key of this record, which was admitted: vault.db is older than the journal.",
                advice="Tell the operator to stop, put the newest copy of vault.db back, and start again.",
            )

    def _check_issued(self, event: e.RecordEnrolled) -> None:
        """Refuse what would push another agency's enrolment out of the compacted topic, before it is appended.

        The particulars prove whose the record is: they are encrypted under the key that was issued for it, and their booking
        number gives this id for its owner alone.
        """
        try:
            particulars = opened_particulars(event, self._issued_key(event.record_id))
        except NotFound:
            self._refuse_lost_key(event.record_id)
            raise _not_issued() from None
        except ValueError:
            raise _not_issued() from None
        if not self._indexer.is_of(event.owner, event.record_id, str(particulars.get("booking_number") or "")):
            raise _not_issued()

    def _issued_key(self, record: RecordId) -> bytes:
        """Return the key that was issued for a record, kept or waiting. Raises NotFound."""
        name = record_key(record)
        waiting = self._vault.waiting(name)
        if waiting is not None:
            return waiting
        try:
            return self._vault.open(name)
        except KeyShredded:
            raise _not_issued() from None


def _not_issued() -> InvalidInput:
    """Return the one answer for an id that was never issued, or to another agency, or whose key was not used."""
    return InvalidInput(
        "This record id was not issued to your agency for this booking.",
        advice="Ask /v1/records for id, key and indexes first, and encrypt with that very key.",
    )


def receipt(placed: Placed) -> Receipt:
    """Return the proof of an append."""
    digest = hashlib.sha256(placed.entry.value or b"").hexdigest()
    return Receipt(placed.stream.topic, placed.stream.partition, placed.position, digest, placed.appended_at_ms)


def signing_key(ledger: LedgerView, envelope: Envelope) -> Key:
    """Return the key that an envelope names, in force now. Raises NotPermitted, which says what to name instead."""
    now = ledger.progress().next
    keys: dict[str, Key] = {key.key_id: key for key in ledger.signing_keys()}
    named = keys.get(envelope.kid)
    if named is not None and named.holds(now):
        return named
    if named is not None:
        raise NotPermitted("The signing key was revoked.", advice="Sign with another key of yours that is registered.")
    signed = Entry(None, envelope.value, (("ce_source", envelope.source.encode()), ("jws", envelope.signature.encode())))
    signer, advice = signer_of(signed, keys), "Register the public half of the key first."
    if signer is not None and signer.holds(now):
        advice = f"The key that signed this is registered as {signer.key_id}: name it so, as kid."
    raise NotPermitted(f"No signing key is registered here as {envelope.kid}.", advice=advice, reason=UNKNOWN_KEY)


def verified(ledger: LedgerView, entry: Entry, exchange: ExchangeId) -> Envelope:
    """Read an entry and check its signature, for this exchange. Raises InvalidInput or NotPermitted."""
    try:
        envelope = from_entry(entry)
        envelope.verify(signing_key(ledger, envelope).public_key, exchange)
    except OtherExchange as error:
        advice = f"Put {exchange} as aud into the signature's header."
        raise NotPermitted(f"The signature is not good here: {error}.", advice=advice, reason=OTHER_EXCHANGE) from None
    except Undecodable as error:
        raise InvalidInput(
            f"The event cannot be read: {error}", advice="Compare it with the schemas at /intake/v1/schemas."
        ) from None
    except BadSignature:
        raise NotPermitted("The signature does not fit the bytes.", advice="Sign the exact value bytes that you send.") from None
    return envelope


def check_suppression(ledger: LedgerView, owner: Ori, record: RecordId, indexes: Sequence[e.BlindIndex]) -> None:
    """Raise SuppressedRecord where an order of the agency's own covers what would be this record (R18 b).

    Of others' orders nothing is said here: whoever asks may have made the number up.
    """
    if suppressed(ledger, owner, record, indexes, by=owner):
        raise SuppressedRecord(
            "An order of your agency covers this booking or one of its photographs; nothing was taken in.",
            advice="Remove it from your sharing feed. Your agency's clerk has the order.",
        )


def suppressed(
    ledger: LedgerView,
    owner: Ori,
    record: RecordId,
    indexes: Sequence[e.BlindIndex],
    kinds: frozenset[str] | None = None,
    *,
    by: str | None = None,
) -> bool:
    """Say whether an order (of these kinds, by this party) covers a record that is, or would be, here under these names."""
    orders = covering(ledger, owner, record, indexes)
    return any((kinds is None or order.kind in kinds) and by in (None, order.entered_by) for order in orders)


def covering(ledger: LedgerView, owner: Ori, record: RecordId, indexes: Sequence[e.BlindIndex]) -> tuple[Suppression, ...]:
    """Return the orders that cover a record that is, or would be, here under these names."""
    facts = ledger.prospect({record_target(record), *map(index_target, indexes)})
    would_be = Record(
        entered=-1, record_id=record, owner=owner, record_class=e.RecordClass.BOOKING, version=0, enrolment_sha256=b""
    )
    own = admitted_indexes(e.AdmittedRecord(record, owner, would_be.record_class, 0, tuple(indexes), b""), -1)
    return replace(facts, indexes=facts.indexes + own).covering(would_be, facts.applied)
