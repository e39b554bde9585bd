"""Puts photographs and particulars back from the log: the ciphertexts of the very enrolments that were admitted.

What was erased stays so: a key that was shredded meanwhile takes its photographs along again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

from comity.domain import entries as e
from comity.domain.ids import record_key
from comity.domain.log import Placed, Stream, Topic
from comity.ports import EventLog, KeyVault, LedgerView, PhotoStore
from comity.wire.booking import ciphertexts
from comity.wire.codec import Undecodable
from comity.wire.envelope import from_entry

READ_SECONDS = 5.0
ENTRIES_MAX = 20  # some 60 MB of photographs at most


def rebuild_photographs(
    log: EventLog, ledger: LedgerView, vault: KeyVault, photos: PhotoStore, keep: Callable[[Placed], None]
) -> int:
    """Put back what is missing or differs; return how many records' photographs were.

    ``keep`` is given every entry of the compacted topics then: what stands there is kept beside the photographs as well.
    """
    mended = 0
    for placed in _entries(log, Topic.ENROLMENTS):
        mended += _mended(placed, ledger, vault, photos)
        keep(placed)
    for placed in _entries(log, Topic.TEMPLATES):
        keep(placed)
    return mended


def _entries(log: EventLog, topic: Topic) -> Iterator[Placed]:
    """Yield what a topic holds up to its end as it is now, stream by stream."""
    for stream in log.streams(topic):
        yield from _of_stream(log, stream)


def _of_stream(log: EventLog, stream: Stream) -> Iterator[Placed]:
    end, at = log.end(stream), 0
    with log.open({stream: at}) as reader:
        while at < end:
            batch = reader.poll(timeout_seconds=READ_SECONDS, entries_max=ENTRIES_MAX).get(stream)
            if batch is None or batch.next <= at:
                break
            at = batch.next
            yield from batch.entries


def _mended(placed: Placed, ledger: LedgerView, vault: KeyVault, photos: PhotoStore) -> bool:
    event = _admitted(placed, ledger)
    if event is None or vault.wrapped(record_key(event.record_id)) is None:
        return False
    missing = {name: data for name, data in ciphertexts(event).items() if photos.get(name) != data}
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
