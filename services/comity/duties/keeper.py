"""Puts back what strangers push out of the compacted topics, which keep one entry a key.

Whoever may write there may write under any key: a tombstone, garbage, another agency's enrolment, an older entry once more.
Each makes the log forget the record's own. Ledger, gallery and photo store still stand, but what is made anew from the log
would lack it. So a record's entries are kept in the photo store, without the photographs, which lie there already. What had
no effect is put aside by whoever met it, and the record's own is appended anew, byte for byte as it was signed.

The order of writing: the entry is appended, then the key is looked at again; an erasure that came between has shredded it and
gets its tombstone behind the entry. A crash before the position is saved appends once more, which changes nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import structlog

from comity.acts.alarms import Alarms
from comity.acts.journal import verify_own
from comity.domain import entries as e
from comity.domain.ids import CIPHERTEXT_SLASHES, RecordId, kept_name, record_id, record_key
from comity.domain.log import Batch, Entry, Placed, Stream, Topic
from comity.domain.posting import Record
from comity.duties.quarantine import Quarantine
from comity.duties.scan import pieces
from comity.errors import TooLarge
from comity.ports import KeyVault, PhotoStore, Positions
from comity.wire.booking import ciphertexts
from comity.wire.codec import Undecodable, decode
from comity.wire.envelope import from_entry
from comity.wire.limits import VALUE_BYTES_MAX
from comity.wire.signing import BadSignature

logger = structlog.get_logger(__name__)

NAME = "keeper"
_WHAT = {Topic.ENROLMENTS: "enrolment", Topic.TEMPLATES: "templates"}
_PUT_BACK = "A stranger wrote under a record's key: put back"
_PUT_BACK_ADVICE = "Look into the quarantine, and at who may write to the topic (kafka-acls.sh --list)."
_NOT_PUT_BACK = "A stranger wrote under a record's key, and what stood there is not kept here"
_NOT_PUT_BACK_ADVICE = "Have the owning agency send its booking again: `comity fsck` names what is missing."
_NOT_TAKEN_OUT = "A stranger wrote under a key that is too long to be taken out again"
_NOT_TAKEN_OUT_ADVICE = "Should an erasure find bytes there, put a tombstone under that key by the broker's own tools."


@dataclass(frozen=True)
class Keeper:
    """Keeps the entries of the compacted topics, and follows the templates; the encoder, which follows the others, calls it."""

    quarantine: Quarantine
    vault: KeyVault
    photos: PhotoStore
    positions: Positions
    alarms: Alarms

    def keep(self, topic: Topic, entry: Entry, record: RecordId, version: int, parts: Mapping[str, bytes] | None = None) -> None:
        """Keep an entry; ``parts`` of it lie in the photo store under these names already, and are left out."""
        value = entry.value or b""
        said = {
            "version": version,
            "sha256": hashlib.sha256(value).hexdigest(),
            "headers": [[_text(name.encode("utf-8", "surrogateescape")), _text(octets)] for name, octets in entry.headers],
            "value": list(_without(value, parts or {})),
        }
        self.photos.put(kept_name(record, _WHAT[topic]), json.dumps(said).encode())

    def keep_lost(self, placed: Placed) -> None:
        """Keep an entry again where what was kept is lost: the one that stands, with its photographs there already."""
        topic, entry, record = placed.stream.topic, placed.entry, _record(placed.entry.key)
        row = self._standing(record)
        if record is None or row is None or not self.is_kept(entry.key) or self._kept(topic, record, row) is not None:
            return
        event = _decoded(entry)
        if isinstance(event, e.RecordEnrolled) and self._is_admitted(entry, row):
            self.keep(topic, entry, record, row.version, ciphertexts(event))
        elif isinstance(event, e.TemplatesExtracted) and self._stranger(placed) is None:
            self.keep(topic, entry, record, row.version)
        if not self.is_kept(entry.key):  # an erasure came between: it shreds first
            self.photos.delete(kept_name(record, _WHAT[topic]))

    def _is_admitted(self, entry: Entry, row: Record) -> bool:
        """Say whether an entry has the very bytes that were admitted, under the signature that proves them."""
        keys = {str(key.key_id): key for key in self.quarantine.ledger.signing_keys()}
        try:
            envelope = from_entry(entry)
            envelope.verify(keys[envelope.kid].public_key, self.quarantine.journal.exchange_id)
        except (Undecodable, BadSignature, KeyError):
            return False
        return hashlib.sha256(envelope.value).digest() == row.enrolment_sha256

    def is_kept(self, key: bytes | None) -> bool:
        """Say whether this key is a record's whose own key is whole: nothing asks for its tombstone."""
        record = _record(key)
        return record is not None and self.vault.wrapped(record_key(record)) is not None

    def bytes_put_aside(self, entry: Entry) -> int:
        """Return how much of a value may go to the quarantine: nothing of a copy of a record's own, which no erasure reaches."""
        value = entry.value or b""
        said = _said(entry)
        records = {record for record in (_record(entry.key), said) if record is not None}
        return 0 if any(self._copies(value, record, names_it=record == said) for record in records) else VALUE_BYTES_MAX

    def _copies(self, value: bytes, record: RecordId, *, names_it: bool) -> bool:
        """Say whether a value has bytes of a record; where none are kept to compare, whether it may have."""
        own = set(self._pieces(record))
        if own:
            return any(piece in value for piece in own)
        name = record_key(record)
        if self.vault.missing([name]):
            return names_it and self.vault.waiting(name) is not None
        return names_it or self._is_shredded(record)

    def _is_shredded(self, record: RecordId) -> bool:
        name = record_key(record)
        return self.vault.wrapped(name) is None and not self.vault.missing([name])

    def restore(self, stream: Stream, pushed_by: Entry) -> None:
        """Append anew what stood under this entry's key, where a record does; where none can, take the entry out."""
        topic, key = stream.topic, pushed_by.key
        record = _record(key)
        if record is None or not self.is_kept(key):
            if key is not None and pushed_by.value is not None and (record is None or self._is_shredded(record)):
                self._take_out(stream, key)
            return
        row = self._standing(record)
        kept = self._kept(topic, record, row)
        if kept is not None and (kept.value, kept.headers) == (pushed_by.value, pushed_by.headers):
            return  # it stands there, signature and all: putting it back would never end
        if kept is not None:
            self._put_back(topic, kept)
            self.alarms.sound(f"put-back-{topic}", f"{_PUT_BACK} ({topic}).", _PUT_BACK_ADVICE)
        elif row is not None:
            self.alarms.sound(f"not-put-back-{topic}", f"{_NOT_PUT_BACK} ({topic}).", _NOT_PUT_BACK_ADVICE)

    def put_back_templates(self, held: Collection[RecordId]) -> int:
        """Append the templates of every admitted record but these, where they are kept; return how many the log had lost."""
        count = 0
        for record in {row.record_id for row in self.quarantine.ledger.every(Record)} - set(held):
            if not self.is_kept(record.encode()) or (row := self._standing(record)) is None:
                continue
            kept = self._kept(Topic.TEMPLATES, record, row)
            if kept is not None:
                self._put_back(Topic.TEMPLATES, kept)
                count += 1
        return count

    def _put_back(self, topic: Topic, kept: Entry) -> None:
        self.quarantine.journal.append(topic, kept)
        if not self.is_kept(kept.key):  # an erasure came between, and its tombstone may stand before this
            self.quarantine.journal.append(topic, Entry(kept.key, None))

    def _take_out(self, stream: Stream, key: bytes) -> None:
        """Append a tombstone: what stands there may hold what an erasure looked for. A stranger's key may be beyond our limit."""
        try:
            self.quarantine.journal.take_out(stream, key)
        except TooLarge:
            self.alarms.sound(f"not-taken-out-{stream.topic}", f"{_NOT_TAKEN_OUT} ({stream.topic}).", _NOT_TAKEN_OUT_ADVICE)

    def apply(self, stream: Stream, batch: Batch) -> None:
        """Look at a batch of templates; put aside what the exchange did not enter, and put back what it pushed out."""
        newest: dict[bytes | None, Entry | None] = {}  # by key: the batch's last entry, None where it belongs there
        for placed in batch.entries:
            why = self._stranger(placed)
            newest[placed.entry.key] = placed.entry if why is not None else None
            if why is not None:
                self.quarantine.put_aside(placed, *why, value_bytes_max=self.bytes_put_aside(placed.entry))
        pushed_by = [entry for entry in newest.values() if entry is not None]
        for entry in pushed_by:
            self.restore(stream, entry)
        self.positions.save(NAME, f"{stream.topic}/{stream.partition}", batch.next, acted=bool(pushed_by))

    def _stranger(self, placed: Placed) -> tuple[str, str] | None:
        """Return why an entry of the templates is a stranger's, or older than what stands; None for the exchange's own."""
        entry = placed.entry
        if entry.value is None:
            return ("tombstone", "No expungement erased this record.") if self.is_kept(entry.key) else None
        try:
            envelope = from_entry(entry)
            verify_own(self.quarantine.ledger, envelope, placed)
        except Undecodable as error:
            return "undecodable", str(error)
        except BadSignature as error:
            return "forged", f"Only the exchange enters templates: {error}"
        row = self._standing(_record(entry.key))
        event = envelope.event
        if not isinstance(event, e.TemplatesExtracted | e.EnrolmentRejected):
            return "not-templates", f"{type(event).__name__} does not belong here"
        if row is not None and (isinstance(event, e.EnrolmentRejected) or event.version < row.version):
            return "overtaken", "A newer version of this record stands."
        return None

    def _pieces(self, record: RecordId) -> Iterator[bytes]:
        """Yield pieces of the ciphertexts that are kept of a record: photographs, particulars, templates."""
        for name in self.photos.under(f"record/{record}"):
            if name.count("/") == CIPHERTEXT_SLASHES:
                yield from pieces(self.photos.get(name) or b"")
        templates = self._kept(Topic.TEMPLATES, record, None)
        yield from pieces(b"" if templates is None else templates.value or b"")

    def _standing(self, record: RecordId | None) -> Record | None:
        """Return the newest version that was admitted, and counts."""
        rows = () if record is None else self.quarantine.ledger.admitted([record])
        return max(rows, key=lambda row: row.version, default=None)

    def _kept(self, topic: Topic, record: RecordId, row: Record | None) -> Entry | None:
        """Return the entry that was kept, if it is whole and no older than what was admitted."""
        kept = self.photos.get(kept_name(record, _WHAT[topic]))
        if kept is None:
            return None
        said = json.loads(kept)
        if row is not None and said["version"] < row.version:
            return None
        parts = [self.photos.get(part) if name else base64.b64decode(part) for name, part in said["value"]]
        value = b"".join(part or b"" for part in parts)
        if hashlib.sha256(value).hexdigest() != said["sha256"]:
            return None  # a photograph is missing, or another
        headers = [(base64.b64decode(n).decode("utf-8", "surrogateescape"), base64.b64decode(o)) for n, o in said["headers"]]
        return Entry(record.encode(), value, tuple(headers))


def _record(key: bytes | None) -> RecordId | None:
    try:
        return record_id((key or b"").decode("ascii"))
    except ValueError:
        return None


def _decoded(entry: Entry) -> e.Event | None:
    try:
        return decode(entry.value or b"")
    except Undecodable:
        return None


def _said(entry: Entry) -> RecordId | None:
    """Return the record that a value names, whatever key and headers were put beside it."""
    event = _decoded(entry)
    return event.record_id if isinstance(event, e.RecordEnrolled | e.TemplatesExtracted) else None


def _without(value: bytes, parts: Mapping[str, bytes]) -> Iterator[tuple[bool, str]]:
    """Cut a value at its parts: yields whether a piece is a name, and the name or the bytes."""
    at = 0
    for name, part in parts.items():
        found = value.find(part, at)
        if part and found >= 0:
            yield False, _text(value[at:found])
            yield True, name
            at = found + len(part)
    yield False, _text(value[at:])


def _text(octets: bytes) -> str:
    return base64.b64encode(octets).decode()
