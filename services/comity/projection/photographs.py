"""Puts photographs and particulars back from the log: the ciphertexts of the very enrolments that were admitted.

What was erased stays so: a key that was shredded meanwhile takes its photographs along again.
"""

from __future__ import annotations

import hashlib

from comity.domain import entries as e
from comity.domain.ids import particulars_name, photo_name, record_key
from comity.domain.log import Placed, Stream, Topic
from comity.ports import EventLog, KeyVault, LedgerView, PhotoStore
from comity.wire.codec import Undecodable
from comity.wire.envelope import from_entry

READ_SECONDS = 5.0
ENTRIES_MAX = 20  # some 60 MB of photographs at most


def rebuild_photographs(log: EventLog, ledger: LedgerView, vault: KeyVault, photos: PhotoStore) -> int:
    """Put back what is missing or differs; return how many records' photographs were."""
    return sum(_of_stream(stream, log, ledger, vault, photos) for stream in log.streams(Topic.ENROLMENTS))


def _of_stream(stream: Stream, log: EventLog, ledger: LedgerView, vault: KeyVault, photos: PhotoStore) -> int:
    end, at, mended = log.end(stream), 0, 0
    with log.open({stream: at}) as reader:
        while at < end:
            batch = reader.poll(timeout_seconds=READ_SECONDS, entries_max=ENTRIES_MAX).get(stream)
            if batch is None or batch.next <= at:
                break
            at = batch.next
            mended += sum(_mended(placed, ledger, vault, photos) for placed in batch.entries)
    return mended


def _mended(placed: Placed, ledger: LedgerView, vault: KeyVault, photos: PhotoStore) -> bool:
    event = _admitted(placed, ledger)
    if event is None or vault.wrapped(record_key(event.record_id)) is None:
        return False
    wanted = {photo_name(event.record_id, event.version, n): data for n, data in enumerate(event.photographs)}
    wanted[particulars_name(event.record_id, event.version)] = event.particulars
    missing = {name: data for name, data in wanted.items() if photos.get(name) != data}
    for name, data in missing.items():
        photos.put(name, data)
    if missing and vault.wrapped(record_key(event.record_id)) is None:  # an erasure came between: it shreds first
        photos.delete(f"record/{event.record_id}")
    return bool(missing)


def _admitted(placed: Placed, ledger: LedgerView) -> e.RecordEnrolled | None:
    """Return the enrolment of an entry, if it is the one that was admitted, byte for byte."""
    if placed.entry.value is None:
        return None
    try:
        event = from_entry(placed.entry).event
    except Undecodable:
        return None
    if not isinstance(event, e.RecordEnrolled):
        return None
    digest = hashlib.sha256(placed.entry.value).digest()
    rows = ledger.admitted([event.record_id])
    return event if any(row.version == event.version and row.enrolment_sha256 == digest for row in rows) else None
