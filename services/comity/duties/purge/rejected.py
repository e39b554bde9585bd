"""Finds enrolments that were rejected and never admitted by what orders name: their ciphertexts are kept in the log all the same.

The ledger knows nothing of them. So the encoder leaves a mark for each index that they bear, which goes with the record.
Of a rejected correction, too, it notes whose photographs it brought: probes are copies of these as of any other.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable

from comity.domain.entries import IndexKind, RecordEnrolled
from comity.domain.ids import Ori, RecordId
from comity.ports import PhotoStore

FOLDER = "rejected"
MARK = b"."


def _told(record: RecordId) -> str:
    return f"record/{record}/{FOLDER}"


def remember(photos: PhotoStore, event: RecordEnrolled) -> None:
    """Leave the marks of a rejected enrolment: what they say first, then each of them. Twice changes nothing.

    Those of an earlier one go first: this one pushes it out of the log, and nothing would know of them any more.
    """
    names = sorted({str(event.record_id), *(index.tag for index in event.indexes)})
    _unmark(photos, event.record_id, keep=names)
    photos.put(_told(event.record_id), json.dumps([event.owner, names]).encode())
    for name in names:
        photos.put(f"{FOLDER}/{name}/{event.record_id}", str(event.owner).encode())


def remember_photographs(photos: PhotoStore, event: RecordEnrolled) -> None:
    """Note the tags of a rejected enrolment's photographs beside its record, with which they go."""
    for index in event.indexes:
        if index.kind is IndexKind.PHOTOGRAPH:
            photos.put(f"{_told(event.record_id)}/{IndexKind.PHOTOGRAPH}/{index.tag}", MARK)


def photographs(photos: PhotoStore, record: RecordId) -> tuple[str, ...]:
    """Return the tags of the photographs that a record's rejected enrolments brought."""
    return tuple(name.rsplit("/", 1)[1] for name in photos.under(f"{_told(record)}/{IndexKind.PHOTOGRAPH}"))


def bearing(photos: PhotoStore, targets: Iterable[str]) -> dict[RecordId, Ori]:
    """Return the rejected records, and whose they are, that bear one of these targets of orders."""
    names = {target.rsplit(":", 1)[1] for target in targets}
    found: dict[RecordId, Ori] = {}
    for name in sorted(names):
        for path in photos.under(f"{FOLDER}/{name}"):
            owner = photos.get(path)
            if owner is not None:
                found[RecordId(path.rsplit("/", 1)[1])] = Ori(owner.decode())
    return found


def forget(photos: PhotoStore, record: RecordId) -> None:
    """Take the marks of a record away, before the record's own folder goes."""
    _unmark(photos, record)


def _unmark(photos: PhotoStore, record: RecordId, keep: Collection[str] = ()) -> None:
    told = photos.get(_told(record))
    for name in json.loads(told)[1] if told is not None else ():
        if name not in keep:
            photos.delete(f"{FOLDER}/{name}/{record}")
