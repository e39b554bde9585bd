"""What the certificates of an order come to, in one word; "found" is never done."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import StrEnum

from comity.domain.entries import ErasureCertified
from comity.domain.ids import RecordId

SWEEP = "sweep"


class Erasure(StrEnum):
    """How far an order's erasure is proven."""

    NOTHING = "It names no record here yet, so there is nothing to destroy; what comes is destroyed as it comes."
    UNDER_WAY = "Under way: the certificate follows, or another order destroyed these records before and holds it."
    PART = "In part: of some records the certificate follows, or another order destroyed these before and holds it."
    FOUND = "Bytes still found; it is tried again."
    CHECKED = "Keys destroyed, and the files that held the bytes were checked; the check of every file follows."
    CERTIFIED = "Certified: keys destroyed, every file was checked."


def erasure(certificates: Iterable[ErasureCertified], named: Collection[RecordId]) -> Erasure:
    """Return how far an order's erasure is proven: of each of its parts by the newest certificate, of all by the worst.

    ``certificates``: oldest first. ``named``: the records that the order names now. What no certificate holds is not proven: a
    further part of a large order, and what came after the first certificate.
    """
    newest = {one.part: one for one in certificates}
    if not newest:
        return Erasure.UNDER_WAY if named else Erasure.NOTHING
    if any(one.found for one in newest.values()):
        return Erasure.FOUND
    if not {record for one in newest.values() for record in one.records}.issuperset(named):
        return Erasure.PART
    return Erasure.CERTIFIED if all(one.scope == SWEEP for one in newest.values()) else Erasure.CHECKED
