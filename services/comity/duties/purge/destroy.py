"""Destroys what is left once the keys are shredded: templates in files, photographs, and what the log still holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from comity.acts.journal import Journal
from comity.acts.probes import Probes
from comity.domain.entries import IndexKind
from comity.domain.ids import RecordId, SearchId
from comity.domain.log import Entry, Topic
from comity.domain.posting import Index
from comity.duties.purge import rejected
from comity.ports import Candidates, EventLog, LedgerView, PhotoStore, TemplateStore

READING_SECONDS = 6 * 3600.0  # of a night, in which a topic of a million bookings is read
SETTLE_SECONDS = 30.0  # how long compaction may take before the certificate says that it was not seen
ERASED = (Topic.ENROLMENTS, Topic.TEMPLATES)


def copies(ledger: LedgerView, photos: PhotoStore, probes: Probes, record: RecordId) -> tuple[SearchId, ...]:
    """Return the searches whose probe is one of the record's own photographs, byte for byte: admitted or rejected."""
    targets = (row.target for row in ledger.rows(Index, record_id=record))
    admitted = (target.rsplit(":", 1)[1] for target in targets if target.startswith(f"{IndexKind.PHOTOGRAPH}:"))
    return probes.copies((*admitted, *rejected.photographs(photos, record)))


@dataclass(frozen=True, kw_only=True)
class Destroyer:
    """Everywhere that a record's bytes lie, but for the vault. Doing it again changes nothing."""

    journal: Journal
    log: EventLog
    photos: PhotoStore
    store: TemplateStore
    gallery: Candidates
    ledger: LedgerView
    probes: Probes

    def __call__(self, records: Sequence[RecordId]) -> tuple[str, ...]:
        """Destroy, and return what could not be seen to be gone."""
        self.gallery.forget(records)
        self.store.forget(records)
        for record in records:
            self._destroy_probes(record)
            rejected.forget(self.photos, record)
            self.photos.delete(f"record/{record}")
        for topic in ERASED:  # all tombstones first: compaction then needs one turn for all of them
            for record in records:
                self.journal.append(topic, Entry(record.encode(), None))
        return self.unsettled(records)

    def _destroy_probes(self, record: RecordId) -> None:
        """Destroy the probes that are the record's photographs, while it is still noted which they are."""
        self.probes.keep_no_more(rejected.photographs(self.photos, record))  # first: whoever keeps one looks for this last
        for search in copies(self.ledger, self.photos, self.probes, record):
            self.probes.destroy(search)

    def unsettled(self, records: Sequence[RecordId], reading_seconds: float = 0.0) -> tuple[str, ...]:
        """Push compaction along, and return where old values could not be seen to be gone; reading may take longer beside."""
        keys = [record.encode() for record in records]
        patience = {"timeout_seconds": SETTLE_SECONDS, "reading_seconds": reading_seconds}
        settled = [topic for topic in ERASED if self.log.settle(topic, keys, **patience)]
        return tuple(f"compaction of {topic} not seen yet" for topic in ERASED if topic not in settled)
