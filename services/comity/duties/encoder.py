"""Makes templates of enrolled photographs and admits the records (R6): nothing can be found before its admission.

It writes in four places, in this order; a crash after any step replays the enrolment, and each step again changes nothing:

1. the ciphertexts into the photo store;
2. ``TemplatesExtracted`` (or ``EnrolmentRejected``) to ``comity.templates``;
3. ``RecordsAdmitted`` to the journal, for the whole batch, and the ledger is waited for: bulk work goes at the ledger's pace;
4. the position.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from comity.acts.enrol import suppressed
from comity.acts.indexes import Indexer, digest
from comity.acts.journal import Journal
from comity.acts.one_face import exactly_one_face
from comity.domain import entries as e
from comity.domain.ids import particulars_name, photo_name, record_key, template_context
from comity.domain.log import JOURNAL, Batch, Entry, Placed, Stream, Topic
from comity.domain.posting import Record, Revocation
from comity.domain.record import effective_class
from comity.duties.keeper import Keeper
from comity.duties.purge import rejected
from comity.duties.quarantine import Quarantine
from comity.errors import KeyShredded, NotFound, PhotographRefused, Unavailable
from comity.ports import FaceEncoder, KeyVault, LedgerView, PhotoStore, Positions, Rejection, Rejections, Watch
from comity.wire import sealing
from comity.wire.booking import ciphertexts, opened_particulars
from comity.wire.codec import Undecodable
from comity.wire.envelope import Envelope, from_entry
from comity.wire.signing import OTHER_EXCHANGE, BadSignature, OtherExchange

logger = structlog.get_logger(__name__)

NAME, AGAIN = "encoder", "encoder-again"
WAIT_SECONDS = 60.0
ADMITTED_MAX = 1_000
CLOCKS_APART_MAX = timedelta(seconds=5)  # between the brokers that lead two topics: a key and what it signed next are close
SUPPRESSED = "suppressed"
SUPPRESSED_ADVICE = "An order covers this record; remove it from your sharing feed."
NUMBER_FIELDS = {
    e.IndexKind.BOOKING: "booking_number",
    e.IndexKind.AGENCY_CASE: "agency_case",
    e.IndexKind.COURT_CASE: "court_case",
    e.IndexKind.ATN: "atn",
}


NOT_ISSUED = "cannot-decrypt"  # one reason for an id never issued, another agency's, or another key: they look alike
NOT_ISSUED_ADVICE = "Name and encrypt it as /v1/records issued it to your agency for this booking."


class RejectedEnrolment(Exception):
    """This enrolment has no effect: why, for its agency, and which photograph."""

    def __init__(self, reason: str, advice: str, photo: int | None = None) -> None:
        super().__init__(reason)
        self.reason, self.advice, self.photo = reason, advice, photo


class Forged(RejectedEnrolment):
    """Whoever sent it, it was not the agency that it names: it says nothing of that agency's records."""


class NotIssued(RejectedEnrolment):
    """Its agency signed it, but the record is not shown to be its own: it touches nothing that stands under that id."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """Says of an entry that it had no effect, and may have pushed out of the compacted topic what stands.

    ``covered``: an order destroys it, and a version of its record waits for its admission; only then can be told which orders do.
    """

    covered: e.RecordEnrolled | None = None


PUSHED = Pushed()


@dataclass(frozen=True, kw_only=True)
class EncoderDuty:
    """Follows the enrolments."""

    journal: Journal
    quarantine: Quarantine
    ledger: LedgerView
    watch: Watch
    vault: KeyVault
    photos: PhotoStore
    indexer: Indexer
    encoder: FaceEncoder
    positions: Positions
    rejections: Rejections
    keeper: Keeper
    gate: AbstractContextManager[object]
    overtaken: Callable[[e.RecordEnrolled], bool]

    def apply(self, stream: Stream, batch: Batch) -> None:
        """Encode a batch, admit what was encoded, put back what was pushed out, and move on."""
        if not self.watch.wait(self.journal.end(), WAIT_SECONDS):  # what was registered or revoked before must be known
            raise TimeoutError("the ledger did not reach the journal's end")
        admitted: list[e.AdmittedRecord] = []
        newest: dict[bytes | None, Entry | None] = {}  # by key: the batch's last entry, None where it had its effect
        covered: list[e.RecordEnrolled] = []
        for placed in batch.entries:
            record = self._encode(placed, admitted)
            newest[placed.entry.key] = placed.entry if isinstance(record, Pushed) else None
            if isinstance(record, Pushed) and record.covered is not None:
                covered.append(record.covered)
            if isinstance(record, e.AdmittedRecord):
                admitted.append(record)
        for start in range(0, len(admitted), ADMITTED_MAX):
            part = tuple(admitted[start : start + ADMITTED_MAX])
            place = self.journal.enter(e.RecordsAdmitted(part), key=part[0].record_id).position
            if not self.watch.wait(place + 1, WAIT_SECONDS):
                raise TimeoutError("the ledger did not reach the admission")
            self._check_admitted(place)
        for event in covered:
            self.overtaken(event)
        for entry in (entry for entry in newest.values() if entry is not None):
            self.keeper.restore(stream, entry)
        self.positions.save(NAME, f"{stream.topic}/{stream.partition}", batch.next)

    def _encode(self, placed: Placed, waiting: Sequence[e.AdmittedRecord]) -> e.AdmittedRecord | Pushed | None:
        if placed.entry.value is None:
            return self._tombstone(placed)
        try:
            envelope = from_entry(placed.entry)
        except Undecodable as error:
            self._put_aside(placed, "undecodable", str(error))
            return PUSHED
        event = envelope.event
        if not isinstance(event, e.RecordEnrolled):
            self._put_aside(placed, "not-an-enrolment", f"{type(event).__name__} does not belong here")
            return PUSHED
        try:
            self._check_signer(envelope, event, self._came(placed, event))
            self._check_owner(event, waiting)
            return self._unless_shredded(event, placed.entry, waiting)
        except RejectedEnrolment as error:
            # A record's own enrolment without its bytes: no erasure could reach them there, and its agency has them.
            self._put_aside(placed, error.reason, error.advice, own=not isinstance(error, Forged | NotIssued))
            return self._reject(event, error, stands=any(record.record_id == event.record_id for record in waiting))

    def _put_aside(self, placed: Placed, reason: str, message: str, *, own: bool = False) -> None:
        """Put an entry aside; without its bytes where it is a record's own, or copies one's."""
        bytes_max = 0 if own else self.keeper.bytes_put_aside(placed.entry)
        self.quarantine.put_aside(placed, reason, message, value_bytes_max=bytes_max)

    def _tombstone(self, placed: Placed) -> Pushed | None:
        """Take a tombstone for what it is where the key was shredded: an erasure shreds first. Any other is a stranger's."""
        if not self.keeper.is_kept(placed.entry.key):
            return None
        self.quarantine.put_aside(placed, "tombstone", "No expungement erased this record.")
        return PUSHED

    def _reject(self, event: e.RecordEnrolled, error: RejectedEnrolment, *, stands: bool) -> Pushed:
        """Tell the agency. Where a version stands, not in the log: under the record's key it would push out its templates."""
        if isinstance(error, Forged):
            return PUSHED  # the agency did not send it
        if not isinstance(error, NotIssued):
            rejected.remember_photographs(self.photos, event)
        told = (event.record_id, event.owner, event.version, error.photo, error.reason, error.advice)
        if error.reason == SUPPRESSED:
            self.rejections.add(Rejection(*told))
            if stands:  # an order of its kin's must not take it for a record that never stood
                return Pushed(event)
            self.overtaken(event)  # an expungement came first: what came after it is destroyed as well
        elif stands or isinstance(error, NotIssued) or self.ledger.versions([event.record_id]):
            self.rejections.add(Rejection(*told))
        else:
            rejected.remember(self.photos, event)
            self.journal.enter(e.EnrolmentRejected(*told), key=event.record_id, topic=Topic.TEMPLATES)
            self.overtaken(event)  # looked at last: an order from here on finds the marks
        return PUSHED

    def _unless_shredded(
        self, event: e.RecordEnrolled, entry: Entry, waiting: Sequence[e.AdmittedRecord]
    ) -> e.AdmittedRecord | Pushed | None:
        """Admit, unless an order destroyed the key: before, or while this is at work. The same bytes again go then, too."""
        try:
            with suppress(NotFound):  # told further on, in its own words
                self.vault.open(record_key(event.record_id))
            return self._admit(event, entry, waiting)
        except KeyShredded:
            raise RejectedEnrolment(SUPPRESSED, SUPPRESSED_ADVICE) from None

    def _admit(
        self, event: e.RecordEnrolled, entry: Entry, waiting: Sequence[e.AdmittedRecord]
    ) -> e.AdmittedRecord | Pushed | None:
        value_sha256 = hashlib.sha256(entry.value or b"").digest()
        held: list[Record | e.AdmittedRecord]
        held = [*self.ledger.admitted([event.record_id]), *(r for r in waiting if r.record_id == event.record_id)]
        newest = max(held, key=lambda row: row.version, default=None)
        if newest is not None and newest.version >= event.version:
            same = next((row for row in held if row.version == event.version), newest)
            if same.version == event.version and same.enrolment_sha256 != value_sha256 and not self._is_content_of(event):
                raise RejectedEnrolment("same-version", "Another event with this version stands; give a correction a higher one.")
            return None if newest.version == event.version else PUSHED  # a duplicate, or older than what stands: a no-op (R2)
        particulars, photographs = self._open(event)
        self._check_indexes(event, particulars, photographs)
        record_class = effective_class(event.record_class, particulars.get("age_at_capture"))
        templates = self._templates(event, photographs)
        extracted = e.TemplatesExtracted(event.record_id, event.owner, record_class, event.version, self.encoder.model, templates)
        with self.gate:  # an erasure shreds either before this, and it is seen here, or after, and finds what was kept
            self._check_key(event)
            self._keep(event, entry)
            self._extracted(extracted)
        return e.AdmittedRecord(event.record_id, event.owner, record_class, event.version, event.indexes, value_sha256)

    def _check_admitted(self, place: int) -> None:
        """Raise Unavailable where the ledger refused an admission: the same enrolments are read again, once it can be."""
        for posted in self.ledger.refusals_between(place, place + 1):
            if posted.refused is not None:
                raise Unavailable(f"An admission had no effect: {posted.refused.message}", advice="See `comity status`.")

    def read_again_where_void(self) -> None:
        """Start from nothing where a key of the exchange was revoked from before what it admitted, since the last time.

        What it admitted is then encoded and admitted again, by the key that holds now (rule 13).
        """
        done = self.positions.load(AGAIN).get(JOURNAL.topic, 0)
        newest = max((row.entered for row in self._reaching_back()), default=-1)
        if newest < done:
            return
        logger.warning("the enrolments are read again: a key of the exchange was revoked from before what it admitted")
        self.positions.clear(NAME)
        self.positions.save(AGAIN, JOURNAL.topic, newest + 1)

    def _reaching_back(self) -> list[Revocation]:
        own = {key.key_id for key in self.ledger.signing_keys() if key.role is e.Role.EXCHANGE}
        return [row for row in self.ledger.rows(Revocation) if row.void_from is not None and row.key_id in own]

    def _came(self, placed: Placed, event: e.RecordEnrolled) -> datetime:
        """Return when an enrolment came first: the keeper may have put it back since, and its key been revoked."""
        digest = hashlib.sha256(placed.entry.value or b"").digest()
        rows = self.ledger.versions([event.record_id])
        return min([placed.appended_at, *(row.entered_at for row in rows if row.enrolment_sha256 == digest)])

    def _check_signer(self, envelope: Envelope, event: e.RecordEnrolled, appended_at: datetime) -> None:
        """Judge by the keys that held when the enrolment was appended, by the log's own time, whenever it is read again.

        A key that was rotated since signed what it signed: a re-extraction must not put that aside.
        """
        keys = [key for key in self.ledger.signing_keys() if key.key_id == envelope.kid]
        key = next((key for key in keys if key.entered_at <= appended_at + CLOCKS_APART_MAX), None)
        revoked = self.ledger.rows(Revocation, key_id=envelope.kid)
        if key is None or any(row.entered_at <= appended_at for row in revoked):
            raise Forged("unknown-key", "The signing key was not registered here then, or was revoked.")
        if key.role is not e.Role.AGENCY or str(key.party) != str(event.owner):
            raise Forged("wrong-agency", "An agency enrols its own records only.")
        try:
            envelope.verify(key.public_key, self.journal.exchange_id)
        except OtherExchange as error:
            raise Forged(OTHER_EXCHANGE, f"The signature is not good here: {error}.") from None
        except BadSignature:
            raise Forged("forged", "The signature does not fit the bytes.") from None

    def _check_owner(self, event: e.RecordEnrolled, waiting: Sequence[e.AdmittedRecord]) -> None:
        """Prove that the record is its signer's, before anything is done in its name: shredding, rejecting, overwriting.

        A record that stands has its owner. Of any other the particulars prove it: nobody else was given its key, and their
        booking number gives this id for its owner alone.
        """
        rows: list[Record | e.AdmittedRecord] = [*self.ledger.admitted([event.record_id])]
        owners = {str(row.owner) for row in (*rows, *(r for r in waiting if r.record_id == event.record_id))}
        if owners:
            if owners != {str(event.owner)}:
                raise NotIssued(NOT_ISSUED, NOT_ISSUED_ADVICE)
            return
        name = record_key(event.record_id)
        try:
            particulars = opened_particulars(event, self._issued_key(name))
        except KeyShredded:
            return  # nothing is left that could be touched
        except (NotFound, ValueError):
            raise NotIssued(NOT_ISSUED, NOT_ISSUED_ADVICE) from None
        if not self.indexer.is_of(event.owner, event.record_id, str(particulars.get("booking_number") or "")):
            raise NotIssued("indexes-differ", "Send the record id and the indexes as /v1/records issued them.")
        with suppress(KeyShredded, NotFound):  # gone since: told further on
            self.vault.claim(name)  # only now: whoever sent it, it is its owner's, so its key is kept

    def _issued_key(self, name: str) -> bytes:
        """Return the key that was issued under a name, kept or waiting still. Raises KeyShredded or NotFound."""
        try:
            return self.vault.open(name)
        except NotFound:
            waiting = self.vault.waiting(name)
            if waiting is None:
                raise
            return waiting

    def _open(self, event: e.RecordEnrolled) -> tuple[dict[str, Any], list[bytes]]:
        if suppressed(self.ledger, event.owner, event.record_id, event.indexes, frozenset({"expungement"})):
            raise RejectedEnrolment(SUPPRESSED, SUPPRESSED_ADVICE)
        try:
            key = self.vault.open(record_key(event.record_id))
            particulars = opened_particulars(event, key)
            photographs = [
                sealing.unseal(key, data, context=photo_name(event.record_id, event.version, n).encode())
                for n, data in enumerate(event.photographs)
            ]
        except (NotFound, ValueError):
            raise RejectedEnrolment(NOT_ISSUED, NOT_ISSUED_ADVICE) from None
        return particulars, photographs

    def _is_content_of(self, event: e.RecordEnrolled) -> bool:
        """Say whether what is kept under this version has the same content: each encryption of it has other bytes."""
        particulars, photographs = self._open(event)
        names = [photo_name(event.record_id, event.version, number) for number in range(len(photographs) + 1)]
        kept = [self.photos.get(name) for name in names]
        said = self.photos.get(particulars_name(event.record_id, event.version))
        if said is None or None in kept[:-1] or kept[-1] is not None:
            return False
        same, photos = self._open(replace(event, particulars=said, photographs=tuple(p for p in kept if p is not None)))
        return same == particulars and photos == photographs

    def _check_indexes(self, event: e.RecordEnrolled, particulars: dict[str, Any], photographs: list[bytes]) -> None:
        """Compute id and indexes again from what was encrypted: a publisher cannot leave out the tag that an order names."""
        numbers = {kind: str(particulars[name]) for kind, name in NUMBER_FIELDS.items() if particulars.get(name)}
        try:
            indexes = self.indexer.indexes(event.owner, numbers, [digest(photograph) for photograph in photographs])
            expected = self.indexer.record_id(event.owner, numbers.get(e.IndexKind.BOOKING, ""))
        except ValueError as error:
            raise RejectedEnrolment("numbers", f"A number cannot be used: {error}") from None
        if expected != event.record_id or set(indexes) != set(event.indexes):
            raise RejectedEnrolment("indexes-differ", "Send the record id and the indexes as /v1/records issued them.")

    def _check_key(self, event: e.RecordEnrolled) -> None:
        """Look once more, at the last moment: encoding takes seconds, and an order one."""
        kinds = frozenset({"expungement"})
        gone = self.vault.wrapped(record_key(event.record_id)) is None
        if gone or suppressed(self.ledger, event.owner, event.record_id, event.indexes, kinds):
            raise RejectedEnrolment(SUPPRESSED, SUPPRESSED_ADVICE)

    def _templates(self, event: e.RecordEnrolled, photographs: list[bytes]) -> tuple[e.SealedTemplate, ...]:
        key, sealed = self.vault.open(record_key(event.record_id)), []
        for number, photograph in enumerate(photographs):
            try:
                picture = self.encoder.open(photograph)
                extracted = picture.extract(exactly_one_face(picture))
            except PhotographRefused as error:
                raise RejectedEnrolment(error.reason, f"{error.message} {error.advice}".strip(), number) from None
            context = template_context(event.record_id, event.version, number)
            ciphertext = sealing.seal(key, extracted.vector.tobytes(), context=context)
            sealed.append(e.SealedTemplate(number, ciphertext, round(extracted.quality, 1)))
        return tuple(sealed)

    def _keep(self, event: e.RecordEnrolled, entry: Entry) -> None:
        parts = ciphertexts(event)
        for name, ciphertext in parts.items():
            self.photos.put(name, ciphertext)
        self.keeper.keep(Topic.ENROLMENTS, entry, event.record_id, event.version, parts)

    def _extracted(self, event: e.TemplatesExtracted) -> None:
        entry = self.journal.entry(event, key=event.record_id)
        self.keeper.keep(Topic.TEMPLATES, entry, event.record_id, event.version)
        self.journal.append(Topic.TEMPLATES, entry)
