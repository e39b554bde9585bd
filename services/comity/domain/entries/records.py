"""What agencies publish of a record, what the encoder makes of it, and its admission."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from comity.domain.entries.words import BlindIndex, RecordClass
from comity.domain.ids import Ori, RecordId


@dataclass(frozen=True, slots=True)
class RecordEnrolled:
    """An agency published a record: photographs and particulars encrypted under the record's own key."""

    record_id: RecordId
    owner: Ori
    record_class: RecordClass
    legal_basis: str
    captured_at: datetime
    version: int
    indexes: tuple[BlindIndex, ...]
    photographs: tuple[bytes, ...] = field(repr=False)
    particulars: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SealedTemplate:
    """One photograph's template, encrypted under the record's key, with its quality (0-100)."""

    photo: int
    ciphertext: bytes = field(repr=False)
    quality: float


@dataclass(frozen=True, slots=True)
class TemplatesExtracted:
    """The encoder found one face in each photograph of this version of the record."""

    record_id: RecordId
    owner: Ori
    record_class: RecordClass
    version: int
    model: str
    templates: tuple[SealedTemplate, ...]


@dataclass(frozen=True, slots=True)
class EnrolmentRejected:
    """The encoder could not use this version of the record, for a reason that the agency can act on (R6)."""

    record_id: RecordId
    owner: Ori
    version: int
    photo: int | None
    reason: str
    advice: str


@dataclass(frozen=True, slots=True)
class AdmittedRecord:
    """What the ledger must know of a record to judge it."""

    record_id: RecordId
    owner: Ori
    record_class: RecordClass
    version: int
    indexes: tuple[BlindIndex, ...]
    enrolment_sha256: bytes


@dataclass(frozen=True, slots=True)
class RecordsAdmitted:
    """Records can be found from here on (up to 1,000)."""

    records: tuple[AdmittedRecord, ...]
