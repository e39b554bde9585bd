"""The gallery's projection: ``comity.templates`` into the template store, then into the resident scan.

The store first, then the scan, then the position: a crash leaves entries to be put again, and the same ids again change nothing.
What an order covers may well be in the gallery: it proposes, the ledger disposes. A template whose key was shredded cannot be
put back, whatever is replayed.
"""

from __future__ import annotations

import numpy as np
import structlog

from comity.domain import entries as e
from comity.domain.ids import RecordId, record_key, template_context
from comity.domain.log import Batch, Placed, Stream
from comity.errors import KeyShredded, NotFound
from comity.ports import (
    Block,
    Candidates,
    KeyVault,
    LedgerView,
    Positions,
    Rejection,
    Rejections,
    StoredTemplate,
    TemplateStore,
)
from comity.wire import sealing
from comity.wire.codec import Undecodable
from comity.wire.envelope import Envelope, from_entry
from comity.wire.signing import BadSignature

logger = structlog.get_logger(__name__)

NAME = "gallery"
PARTITION_BITS, PHOTO_BITS = 48, 3  # a template's id: partition, position, number of its photograph (0-7)


def template_id(placed: Placed, photo: int) -> int:
    """Return the id of a photograph's template: where its event stands, so that a replay gives the same one."""
    return placed.stream.partition << PARTITION_BITS | placed.position << PHOTO_BITS | photo


class GalleryProjection:
    """Follows the templates."""

    def __init__(
        self,
        ledger: LedgerView,
        vault: KeyVault,
        store: TemplateStore,
        scan: Candidates,
        rejections: Rejections,
        positions: Positions,
    ) -> None:
        self._ledger, self._vault, self._store, self._scan = ledger, vault, store, scan
        self._rejections, self._positions = rejections, positions
        self._held: dict[str, int] = {}  # the newest version put, per record

    def load(self) -> None:
        """Fill the resident scan from the store, at start."""
        for batch in self._store.all():
            self._scan.put(batch)

    def apply(self, stream: Stream, batch: Batch) -> None:
        """Put a batch's templates, then remember the position."""
        fresh: list[StoredTemplate] = []
        for placed in batch.entries:
            fresh += self._read(placed, fresh)
        if fresh:
            self._store.put(fresh)
            self._scan.put(fresh)
            self._forget_shredded({template.record_id for template in fresh})
        self._positions.save(NAME, f"{stream.topic}/{stream.partition}", batch.next)

    def _forget_shredded(self, records: set[RecordId]) -> None:
        """Forget again what an erasure overtook: it shreds the key first, so either it or this comes after the put."""
        if gone := [record for record in records if self._vault.wrapped(record_key(record)) is None]:
            self._store.forget(gone)
            self._scan.forget(gone)

    def _read(self, placed: Placed, waiting: list[StoredTemplate]) -> list[StoredTemplate]:
        if placed.entry.value is None:
            return []
        try:
            envelope = from_entry(placed.entry)
            envelope.verify(self._public_key(envelope))
        except (Undecodable, BadSignature, NotFound):
            logger.warning("template entry passed over", topic=placed.stream.topic, position=placed.position)
            return []
        event = envelope.event
        if isinstance(event, e.EnrolmentRejected):
            self._rejections.add(Rejection(event.record_id, event.owner, event.version, event.photo, event.reason, event.advice))
        if not isinstance(event, e.TemplatesExtracted):
            return []
        if event.version < self._held.get(event.record_id, 0):
            return []  # an older version never stands beside a newer one (R2)
        self._replace_older(event, waiting)
        return self._open(placed, event)

    def _open(self, placed: Placed, event: e.TemplatesExtracted) -> list[StoredTemplate]:
        try:
            key = self._vault.open(record_key(event.record_id))
        except (KeyShredded, NotFound):
            return []
        block, opened = Block(event.owner, str(event.record_class)), []
        for sealed in event.templates:
            context = template_context(event.record_id, event.version, sealed.photo)
            vector = np.frombuffer(sealing.unseal(key, sealed.ciphertext, context=context), dtype=np.float32)
            opened.append(StoredTemplate(template_id(placed, sealed.photo), event.record_id, block, sealed.photo, vector))
        return opened

    def _replace_older(self, event: e.TemplatesExtracted, waiting: list[StoredTemplate]) -> None:
        """Forget an older version's templates before a newer one's are put."""
        before = self._held.get(event.record_id, 0)
        if event.version > 1 and event.version != before:
            waiting[:] = [t for t in waiting if t.record_id != event.record_id]
            self._store.forget([event.record_id])
            self._scan.forget([event.record_id])
        self._held[event.record_id] = event.version

    def _public_key(self, envelope: Envelope) -> bytes:
        for key in self._ledger.signing_keys():
            if key.key_id == envelope.kid and key.role is e.Role.EXCHANGE:
                return key.public_key
        raise NotFound("The templates' signer is not the exchange.")
