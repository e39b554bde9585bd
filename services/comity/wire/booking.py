"""A booking as its agency knows it, and the event that it becomes: all that is clear is encrypted here, before it travels."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from comity.domain.entries import BlindIndex, IndexKind, RecordClass, RecordEnrolled
from comity.domain.ids import Ori, RecordId, particulars_name, photo_name
from comity.domain.record import effective_class
from comity.errors import InvalidInput
from comity.wire import sealing

APPLICANT = "applicant"


def ciphertexts(event: RecordEnrolled) -> dict[str, bytes]:
    """Return what an enrolment carries encrypted, by the names under which it is kept: photographs, then the particulars."""
    held = {photo_name(event.record_id, event.version, number): data for number, data in enumerate(event.photographs)}
    held[particulars_name(event.record_id, event.version)] = event.particulars
    return held


@dataclass(frozen=True, slots=True)
class Charge:
    """One charge: what, how severe, and how it ended, if that is known."""

    offence: str
    severity: str
    disposition: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """One booking by one agency, in clear: what an agency's own system holds of it (R1)."""

    owner: Ori
    booking_number: str = field(repr=False)
    record_class: RecordClass
    age_at_capture: int | None
    legal_basis: str
    captured_at: datetime
    version: int
    photographs: tuple[bytes, ...] = field(repr=False)
    charges: tuple[Charge, ...] = field(default=(), repr=False)
    agency_case: str | None = field(default=None, repr=False)
    court_case: str | None = field(default=None, repr=False)
    atn: str | None = field(default=None, repr=False)
    name: str | None = field(default=None, repr=False)

    def numbers(self) -> dict[IndexKind, str]:
        """Return the numbers by which an order may find this record, without empty ones."""
        named = {
            IndexKind.BOOKING: self.booking_number,
            IndexKind.AGENCY_CASE: self.agency_case,
            IndexKind.COURT_CASE: self.court_case,
            IndexKind.ATN: self.atn,
        }
        return {kind: number for kind, number in named.items() if number}

    def digests(self) -> list[str]:
        """Return the photographs' SHA-256 digests in hex: a sealed file is known again under any number."""
        return [hashlib.sha256(photograph).hexdigest() for photograph in self.photographs]

    def particulars(self) -> bytes:
        """Return everything but the photographs as JSON: what a reveal shows."""
        clear = {
            "booking_number": self.booking_number,
            "agency_case": self.agency_case,
            "court_case": self.court_case,
            "atn": self.atn,
            "name": self.name,
            "record_class": self.record_class,
            "age_at_capture": self.age_at_capture,
            "legal_basis": self.legal_basis,
            "captured_at": self.captured_at.isoformat(),
            "charges": [asdict(charge) for charge in self.charges],
        }
        return json.dumps(clear, ensure_ascii=False).encode()


def sealed(booking: Booking, record: RecordId, data_key: bytes, indexes: Sequence[BlindIndex]) -> RecordEnrolled:
    """Return the event, its photographs and particulars encrypted under the record's key, each for its own place.

    Its class follows the age (R3), as the exchange will see to again: under 18, or of unknown age, is a minor.
    """
    photographs = tuple(
        sealing.seal(data_key, photograph, context=photo_name(record, booking.version, number).encode())
        for number, photograph in enumerate(booking.photographs)
    )
    context = particulars_name(record, booking.version).encode()
    return RecordEnrolled(
        record_id=record,
        owner=booking.owner,
        record_class=effective_class(booking.record_class, booking.age_at_capture),
        legal_basis=booking.legal_basis,
        captured_at=booking.captured_at,
        version=booking.version,
        indexes=tuple(indexes),
        photographs=photographs,
        particulars=sealing.seal(data_key, booking.particulars(), context=context),
    )


def opened_particulars(event: RecordEnrolled, data_key: bytes) -> dict[str, Any]:
    """Return the particulars of an event. Raises ValueError where they were not made with this key for this record."""
    context = particulars_name(event.record_id, event.version).encode()
    try:
        particulars = json.loads(sealing.unseal(data_key, event.particulars, context=context))
    except RecursionError:  # nested too deep
        raise ValueError("the particulars are no JSON") from None
    if not isinstance(particulars, dict):
        raise ValueError("the particulars are no JSON object")  # noqa: TRY004  # whoever sent them meets one kind of error
    return particulars


def record_class(said: str) -> RecordClass:
    """Read a record class. Raises InvalidInput; for applicants' photographs with the reason (R3)."""
    if said.strip().lower().startswith(APPLICANT):
        raise InvalidInput(
            "Applicants' photographs are not taken in: nobody who applied for a job or a licence is searched among suspects.",
            advice="Leave applicants out of the sharing feed.",
        )
    try:
        return RecordClass(said)
    except ValueError:
        raise InvalidInput("There is no such record class.", advice=f"Use one of: {', '.join(RecordClass)}.") from None
