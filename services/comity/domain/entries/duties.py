"""What the exchange does by itself, and says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from comity.domain.ids import OrderName, RecordId


@dataclass(frozen=True, slots=True)
class ClockTicked:
    """It is at least this late: expiries and lapses start here (rule 8)."""

    at: datetime


@dataclass(frozen=True, slots=True)
class OrderRefused:
    """What stands at that position of the journal had no effect, and why."""

    position: int
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class IndexKeyIssued:
    """An index key was made: a value by which it is known again, so that no other is ever made in its place."""

    name: str
    version: int
    check: bytes


@dataclass(frozen=True, slots=True)
class Sought:
    """How many pieces of one kind (template, ciphertext, wrapped key) were looked for."""

    kind: str
    count: int


@dataclass(frozen=True, slots=True)
class ErasureCertified:
    """What was destroyed for an order, what was looked for, where it was not found, and where nobody could look.

    ``scope``: ``directed`` (the files in which the bytes lay) or ``sweep`` (every file). ``part`` counts from 0: a certificate
    names at most 1,000 records. ``found`` above 0 is no success.
    """

    certificate_id: str
    order: OrderName
    part: int
    scope: str
    records: tuple[RecordId, ...]
    keys_shredded: int
    templates_erased: int
    sought: tuple[Sought, ...]
    files_scanned: int
    bytes_scanned: int
    found: int
    not_scanned: tuple[str, ...]
    checked_at: datetime
