"""What the certificates of an order come to, in one word; "found" is never done."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from comity.domain.posting import Certificate

SWEEP = "sweep"


class Erasure(StrEnum):
    """How far an order's erasure is proven."""

    NOTHING = "It names no record here yet, so there is nothing to destroy; what comes is destroyed as it comes."
    UNDER_WAY = "Under way: the certificate follows, or another order destroyed these records before and holds it."
    FOUND = "Bytes still found; it is tried again."
    CHECKED = "Keys destroyed, and the files that held the bytes were checked; the check of every file follows."
    CERTIFIED = "Certified: keys destroyed, every file was checked."


def erasure(certificates: Iterable[Certificate], named: int) -> Erasure:
    """Return how far an order's erasure is proven: of each of its parts by the newest certificate, of all by the worst.

    ``named``: how many records it names now. A second order over records that are gone has nothing left to look for.
    """
    newest: dict[int, Certificate] = {}
    for row in sorted(certificates, key=lambda row: row.entered):
        newest[row.part] = row
    if not newest:
        return Erasure.UNDER_WAY if named else Erasure.NOTHING
    if any(row.found for row in newest.values()):
        return Erasure.FOUND
    return Erasure.CERTIFIED if all(row.scope == SWEEP for row in newest.values()) else Erasure.CHECKED
