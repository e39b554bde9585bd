"""The gallery's projection: ``comity.templates`` into the template store, then into the resident scan.

The store first, then the scan, then the position: a crash leaves entries to be put again, and the same ids again change nothing.
What an order covers may well be in the gallery: it proposes, the ledger disposes. A template whose key was shredded cannot be
put back, whatever is replayed.

**Which version stands.** Of a record, the templates of one edition alone: those of the highest version, and of these the ones
extracted last. What is older than the ledger's newest admission is never put, so neither a replay nor an old entry sent again
brings an older version beside or instead of a newer one. The older ones go before the newer ones are put: a crash between leaves
neither, and the position brings the newer ones again.

**Positions lie with the store** (``Marks``), so an older copy of the store goes on from where it was, and a new one from nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import structlog

from comity.acts.alarms import Alarms
from comity.acts.journal import verify_own
from comity.domain import entries as e
from comity.domain.ids import RecordId, record_key, template_context
from comity.domain.log import Batch, Placed, Stream, Topic
from comity.domain.posting import Record
from comity.errors import Halted, KeyShredded, NotFound
from comity.ports import (
    Block,
    Candidates,
    Edition,
    EventLog,
    KeyVault,
    LedgerView,
    Marks,
    Rejection,
    Rejections,
    StoredTemplate,
    TemplateStore,
)
from comity.wire import sealing
from comity.wire.codec import Undecodable
from comity.wire.envelope import from_entry
from comity.wire.signing import BadSignature

logger = structlog.get_logger(__name__)

NAME = "gallery"
DIMENSION = 128  # of a template, as the port says
UNIT_TOLERANCE = 1e-3  # float32 of a normalised vector is far nearer; what the scan refuses is farther
PARTITION_BITS, PHOTO_BITS = 48, 3  # a template's id: partition, position, number of its photograph (0-7)


def template_id(placed: Placed, photo: int) -> int:
    """Return the id of a photograph's template: where its event stands, so that a replay gives the same one."""
    return placed.stream.partition << PARTITION_BITS | placed.position << PHOTO_BITS | photo


@dataclass(frozen=True, slots=True)
class _Extracted:
    """An event that may be put, and the edition that it is."""

    placed: Placed
    event: e.TemplatesExtracted

    @property
    def edition(self) -> Edition:
        return Edition(self.event.version, template_id(self.placed, (1 << PHOTO_BITS) - 1))


class GalleryProjection:
    """Follows the templates."""

    def __init__(
        self,
        log: EventLog,
        ledger: LedgerView,
        vault: KeyVault,
        store: TemplateStore,
        scan: Candidates,
        rejections: Rejections,
        alarms: Alarms,
    ) -> None:
        self._log, self._ledger, self._vault = log, ledger, vault
        self._store, self._scan, self._rejections = store, scan, rejections
        self._alarms = alarms
        self._marks = Marks(1, "", {})

    def load(self) -> None:
        """Fill the resident scan from the store, at start.

        Where a record is there in two editions, or in an older version than was admitted, the store is of several ages: its
        records go, and the log is read anew.
        """
        doubtful: set[RecordId] = set()
        for batch in self._store.all():
            doubtful |= self._mixed(batch)
            self._scan.put(batch)
        doubtful |= self._outdated()
        if doubtful:
            logger.warning("older versions in the gallery: the log is read anew", kind="gallery")
            if (marks := self._store.marks()) is not None:
                self._store.mark(Marks(marks.generation, marks.source, {}))
            self._store.forget(doubtful)
            self._scan.forget(doubtful)
        self._forget_erased()

    def _forget_erased(self) -> None:
        """Forget whatever of erased records came back with an older store: the vault knows every key that was shredded."""
        names = self._vault.shredded(record_key(RecordId("")))
        erased = [RecordId(name.rpartition("/")[2]) for name in names]
        if came_back := [record for record in erased if self._scan.edition(record) is not None]:
            self._store.forget(came_back)
            self._scan.forget(came_back)

    def _outdated(self) -> set[RecordId]:
        """Return the corrected records of which another version is held than the newest that counts.

        Only a correction leaves an older one; and a key that was stolen, one that never counted.
        """
        corrected = {row.record_id for row in self._ledger.every(Record) if row.version > 1}
        newest = dict.fromkeys(corrected, 0)
        for row in self._ledger.admitted(corrected):
            newest[row.record_id] = max(row.version, newest[row.record_id])
        held = {record: self._scan.edition(record) for record in newest}
        return {record for record, edition in held.items() if edition is not None and edition.version != newest[record]}

    def starts(self) -> Mapping[Stream, int]:
        """Say where to go on. Raises Halted where the store was read from another log, or is ahead of this one."""
        source, marks = self._log.identity(Topic.TEMPLATES), self._store.marks()
        if marks is None:  # whatever it holds, nobody knows from where
            self._store.clear()
            self._scan.clear()
            marks = self._store.marks() or Marks(1, "", {})
        streams = self._log.streams(Topic.TEMPLATES)
        starts = {stream: marks.next.get(_name(stream), 0) for stream in streams}
        ahead = any(at > self._log.end(stream) for stream, at in starts.items())
        if ahead or (marks.source not in ("", source)):
            raise Halted(
                "The gallery was made from another log than this one, or from more of it.",
                advice="Restore the log that belongs to it; else make it anew: comity rebuild gallery.",
            )
        self._marks = Marks(marks.generation, source, marks.next)
        return starts

    def apply(self, stream: Stream, batch: Batch) -> None:
        """Put a batch's templates, then remember the position."""
        newest: dict[RecordId, _Extracted] = {}
        for placed in batch.entries:
            read = self._read(placed)
            if read is None:
                continue
            before = newest.get(read.event.record_id)
            if before is None or before.edition <= read.edition:
                newest[read.event.record_id] = read
        self._put([read for read in newest.values() if self._stands(read)])
        marks = self._marks
        self._marks = Marks(marks.generation, marks.source, {**marks.next, _name(stream): batch.next})
        self._store.mark(self._marks)

    def _mixed(self, batch: Sequence[StoredTemplate]) -> set[RecordId]:
        """Return the records of a batch of which the scan, or the batch itself, has another edition."""
        held: dict[RecordId, Edition] = {}
        found: set[RecordId] = set()
        for template in batch:
            own = Edition(template.version, template.template_id | (1 << PHOTO_BITS) - 1)
            before = held.get(template.record_id) or _whole(self._scan.edition(template.record_id))
            if before is not None and before != own:
                found.add(template.record_id)
            held[template.record_id] = own
        return found

    def _put(self, extracted: list[_Extracted]) -> None:
        older = [r.event.record_id for r in extracted if (held := self._held(r)) is not None and held < r.edition]
        if older:
            self._store.forget(older)
            self._scan.forget(older)
        fresh = [template for read in extracted for template in self._open(read)]
        if fresh:
            self._store.put(fresh)
            self._scan.put(fresh)
            self._forget_shredded({template.record_id for template in fresh})

    def _stands(self, read: _Extracted) -> bool:
        """Say whether no newer edition is held, nor a newer version admitted."""
        held = self._held(read)
        if held is not None and held > read.edition:
            return False
        versions = [row.version for row in self._ledger.admitted([read.event.record_id])]
        return read.event.version >= max(versions, default=0)

    def _held(self, read: _Extracted) -> Edition | None:
        return _whole(self._scan.edition(read.event.record_id))

    def _forget_shredded(self, records: set[RecordId]) -> None:
        """Forget again what an erasure overtook: it shreds the key first, so either it or this comes after the put."""
        if gone := [record for record in records if self._vault.wrapped(record_key(record)) is None]:
            self._store.forget(gone)
            self._scan.forget(gone)

    def _read(self, placed: Placed) -> _Extracted | None:
        if placed.entry.value is None:
            return None
        try:
            envelope = from_entry(placed.entry)
            verify_own(self._ledger, envelope, placed)
        except (Undecodable, BadSignature):
            logger.warning("template entry passed over", topic=placed.stream.topic, position=placed.position)
            return None
        event = envelope.event
        if isinstance(event, e.EnrolmentRejected):
            self._rejections.add(Rejection(event.record_id, event.owner, event.version, event.photo, event.reason, event.advice))
        return _Extracted(placed, event) if isinstance(event, e.TemplatesExtracted) else None

    def _open(self, read: _Extracted) -> list[StoredTemplate]:
        try:
            key = self._vault.open(record_key(read.event.record_id))
            opened = [self._template(read, sealed, key) for sealed in read.event.templates]
            return [template for template in opened if template is not None]
        except KeyShredded:
            return []
        except (NotFound, sealing.Unsealable):
            what = "Templates could not be decrypted: the vault lacks their records' keys, so these records cannot be found."
            self._alarms.sound("templates", what, "Restore the newest vault.db, then: comity rebuild gallery.")
            return []

    def _template(self, read: _Extracted, sealed: e.SealedTemplate, key: bytes) -> StoredTemplate | None:
        event = read.event
        context = template_context(event.record_id, event.version, sealed.photo)
        octets = sealing.unseal(key, sealed.ciphertext, context=context)
        if not _is_template(octets):  # whoever held the keys: what no store takes must not stop all that follows
            logger.warning("no template: passed over", topic=read.placed.stream.topic, position=read.placed.position)
            return None
        vector = np.frombuffer(octets, dtype=np.float32)
        block = Block(event.owner, str(event.record_class))
        return StoredTemplate(template_id(read.placed, sealed.photo), event.record_id, block, sealed.photo, vector, event.version)


def _is_template(octets: bytes) -> bool:
    """Say whether bytes are a template of this gallery: float32 of the one dimension, finite, of unit length."""
    if len(octets) != DIMENSION * np.dtype(np.float32).itemsize:
        return False
    length = float(np.linalg.norm(np.frombuffer(octets, dtype=np.float32).astype(np.float64)))
    return abs(length - 1.0) <= UNIT_TOLERANCE


def _name(stream: Stream) -> str:
    return f"{stream.topic}/{stream.partition}"


def _whole(edition: Edition | None) -> Edition | None:
    """Return the edition whichever of its photographs' templates was asked for."""
    return None if edition is None else Edition(edition.version, edition.template_id | (1 << PHOTO_BITS) - 1)
