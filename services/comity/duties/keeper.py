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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import structlog

from comity.acts.alarms import Alarms
from comity.acts.journal import verify_own
from comity.domain import entries as e
from comity.domain.ids import RecordId, kept_name, record_id, record_key
from comity.domain.log import Batch, Entry, Placed, Stream, Topic
from comity.domain.posting import Record
from comity.duties.quarantine import Quarantine
from comity.ports import KeyVault, PhotoStore, Positions
from comity.wire.codec import Undecodable
from comity.wire.envelope import from_entry
from comity.wire.signing import BadSignature

logger = structlog.get_logger(__name__)

NAME = "keeper"
_WHAT = {Topic.ENROLMENTS: "enrolment", Topic.TEMPLATES: "templates"}
_PUT_BACK = "A stranger wrote under a record's key: put back"
_PUT_BACK_ADVICE = "Look into the quarantine, and at who may write to the topic (kafka-acls.sh --list)."
_NOT_PUT_BACK = "A stranger wrote under a record's key, and what stood there is not kept here"
_NOT_PUT_BACK_ADVICE = "Have the owning agency send its booking again: `comity fsck` names what is missing."


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

    def is_kept(self, key: bytes | None) -> bool:
        """Say whether this key is a record's whose own key is whole: nothing asks for its tombstone."""
        record = _record(key)
        return record is not None and self.vault.wrapped(record_key(record)) is not None

    def restore(self, topic: Topic, pushed_by: Entry) -> None:
        """Append anew what stood under this entry's key, where a record does."""
        key = pushed_by.key
        record = _record(key)
        if record is None or not self.is_kept(key):
            return
        row = self._standing(record)
        kept = self._kept(topic, record, row)
        if kept is not None and kept.value == pushed_by.value:
            return  # it stands there: putting it back would never end
        if kept is not None:
            self.quarantine.journal.append(topic, kept)
            self.alarms.sound(f"put-back-{topic}", f"{_PUT_BACK} ({topic}).", _PUT_BACK_ADVICE)
            if not self.is_kept(key):  # an erasure came between, and its tombstone may stand before this
                self.quarantine.journal.append(topic, Entry(key, None))
        elif row is not None:
            self.alarms.sound(f"not-put-back-{topic}", f"{_NOT_PUT_BACK} ({topic}).", _NOT_PUT_BACK_ADVICE)

    def apply(self, stream: Stream, batch: Batch) -> None:
        """Look at a batch of templates; put aside what the exchange did not enter, and put back what it pushed out."""
        newest: dict[bytes | None, Entry | None] = {}  # by key: the batch's last entry, None where it belongs there
        for placed in batch.entries:
            why = self._stranger(placed)
            newest[placed.entry.key] = placed.entry if why is not None else None
            if why is not None:
                self.quarantine.put_aside(placed, *why)
        pushed_by = [entry for entry in newest.values() if entry is not None]
        for entry in pushed_by:
            self.restore(stream.topic, entry)
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
