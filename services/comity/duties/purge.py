"""Destroys what an expungement covers, and certifies it (rule 9): ``RecordsExpunged`` alone leads here.

The order of writing. The position is saved last, so after a crash all of it is done again, which changes nothing:

1. fingerprints of what is to go are taken into memory, for the scan at the end;
2. the record's key is shredded: from here on no ciphertext of it can be read, wherever a copy lies;
3. templates leave the resident scan and the template store's files, photographs the photo store;
4. tombstones are appended to both compacted topics, and compaction is pushed along;
5. every file is scanned for the fingerprints; ``ErasureCertified`` says what was scanned, what was not, and what was found;
6. the position.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from comity.acts.journal import Journal
from comity.domain import entries as e
from comity.domain.ids import OrderId, OrderName, RecordId, particulars_name, photo_name, record_key
from comity.domain.log import Batch, Entry, Placed, Stream, Topic
from comity.domain.posting import Certificate, Record, Suppression
from comity.duties.scan import Scanned, scan
from comity.ports import Candidates, EventLog, KeyVault, LedgerView, PhotoStore, Positions, TemplateStore, Watch
from comity.wire.codec import Undecodable
from comity.wire.envelope import from_entry
from comity.wire.limits import PHOTOGRAPHS_MAX

logger = structlog.get_logger(__name__)

NAME = "purge"
WAIT_SECONDS = 60.0
SETTLE_SECONDS = 30.0  # how long compaction may take before the certificate says that it was not seen
SCAN_TRIES, SCAN_PAUSE_SECONDS = 20, 0.5
ERASED = (Topic.ENROLMENTS, Topic.TEMPLATES)


@dataclass(frozen=True, kw_only=True)
class PurgeDuty:
    """Follows the journal behind the ledger."""

    journal: Journal
    log: EventLog
    ledger: LedgerView
    watch: Watch
    vault: KeyVault
    photos: PhotoStore
    store: TemplateStore
    gallery: Candidates
    positions: Positions
    roots: Sequence[Path]
    elsewhere: tuple[str, ...] = ()
    certified: Callable[[e.ErasureCertified], None] = field(default=lambda _: None)

    def again(self) -> int:
        """Destroy once more whatever an expungement covers: a restored vault or gallery must not serve it (rule 9)."""
        records = self._covered(self._expungements())
        came_back = self.gallery.forget(records)  # it was just loaded from the store: what is not in it is not there either
        if came_back:
            self.store.forget(records)
        for record in records:
            self.photos.delete(f"record/{record}")
        return self.vault.shred([record_key(record) for record in records])

    def apply(self, stream: Stream, batch: Batch) -> None:
        """Carry out the expungements of a batch."""
        orders = [(placed, order) for placed in batch.entries if (order := _expungement(placed)) is not None]
        for placed, order in orders:
            if not self.watch.wait(placed.position + 1, WAIT_SECONDS):
                raise TimeoutError("the ledger did not reach the order")
            rows = [row for row in self._expungements(order.order_id) if row.entered == placed.position]
            if rows:  # a refused order has none
                self._carry_out(order, placed.position, rows)
        self.positions.save(NAME, str(stream.topic), batch.next, acted=bool(orders))

    def fingerprints(self, records: Sequence[RecordId]) -> dict[str, list[bytes]]:
        """Return what the scan looks for: templates as stored, ciphertexts, wrapped keys. For memory alone."""
        templates = [vector.tobytes() for vector in self.gallery.held(records)]
        rows = [row for record in records for row in self.ledger.rows(Record, record_id=record)]
        names = [photo_name(r.record_id, r.version, n) for r in rows for n in range(PHOTOGRAPHS_MAX)]
        names += [particulars_name(r.record_id, r.version) for r in rows]
        photographs = [ciphertext for name in names if (ciphertext := self.photos.get(name)) is not None]
        keys = [k for record in records if (k := self.vault.wrapped(record_key(record))) is not None]
        return {"template": templates, "ciphertext": photographs, "wrapped key": keys}

    def scan(self, fingerprints: dict[str, list[bytes]]) -> Scanned:
        """Look for fingerprints in every file that comity keeps."""
        return scan(self.roots, fingerprints)

    def _carry_out(self, order: e.RecordsExpunged, position: int, rows: Sequence[Suppression]) -> None:
        certificate = f"certificate-{position}-{order.order_id}"  # by its place: two courts may use one number
        if self.ledger.rows(Certificate, certificate_id=certificate):
            return
        records, signer = self._covered(rows), rows[0].entered_by
        fingerprints = self.fingerprints(records)
        shredded = self.vault.shred([record_key(record) for record in records])
        erased = self.gallery.forget(records)
        self.store.forget(records)
        for record in records:
            self.photos.delete(f"record/{record}")
        unsettled = [f"compaction of {topic} not seen yet" for topic in ERASED for r in records if not self._tombstone(topic, r)]
        scanned = self._scan_until_clean(fingerprints)
        event = e.ErasureCertified(
            certificate_id=certificate,
            order=OrderName(signer, order.order_id),
            part=0,
            scope="sweep",
            records=tuple(records),
            keys_shredded=shredded,
            templates_erased=erased,
            sought=tuple(e.Sought(kind, len(needles)) for kind, needles in fingerprints.items()),
            files_scanned=scanned.files,
            bytes_scanned=scanned.bytes,
            found=sum(map(len, scanned.found.values())),
            not_scanned=(
                *self.elsewhere,
                *dict.fromkeys(unsettled),
                *(f"unreadable: {len(scanned.unreadable)} files",) * bool(scanned.unreadable),
            ),
            checked_at=self.journal.now(),
        )
        self.journal.enter(event, key=order.order_id)
        self.certified(event)

    def _tombstone(self, topic: Topic, record: RecordId) -> bool:
        self.journal.append(topic, Entry(record.encode(), None))
        return self.log.settle(topic, record.encode(), timeout_seconds=SETTLE_SECONDS)

    def _scan_until_clean(self, fingerprints: dict[str, list[bytes]]) -> Scanned:
        """Scan until nothing is found: an engine may take a moment to unlink what it rewrote."""
        for _ in range(SCAN_TRIES):
            scanned = self.scan(fingerprints)
            if scanned.clean:
                return scanned
            time.sleep(SCAN_PAUSE_SECONDS)
        logger.error("bytes found after an erasure", kinds=sorted(scanned.found), files=sum(map(len, scanned.found.values())))
        return scanned

    def _expungements(self, order: OrderId | None = None) -> tuple[Suppression, ...]:
        named = {} if order is None else {"order_id": order}
        return self.ledger.rows(Suppression, kind="expungement", **named)

    def _covered(self, expungements: Sequence[Suppression]) -> list[RecordId]:
        """Return the records that these orders name, by id or index, and cover as the judgement says.

        Kin, which share a booking number or a photograph's file with them, are hidden too, but nobody ordered them destroyed.
        """
        orders = {(row.entered_by, row.order_id) for row in expungements}
        targets = {row.target for row in expungements}
        named = self.ledger.found(targets)
        facts = self.ledger.facts("", named, self.ledger.progress().next)
        records = [row for r in named if isinstance(row := facts.record(r, facts.applied), Record)]
        return sorted(
            r.record_id
            for r in records
            if any(o.kind == "expungement" and (o.entered_by, o.order_id) in orders for o in facts.covering(r, facts.applied))
        )


def _expungement(placed: Placed) -> e.RecordsExpunged | None:
    try:
        event = from_entry(placed.entry).event
    except Undecodable:
        return None
    return event if isinstance(event, e.RecordsExpunged) else None
