"""What an event may hold at most, checked on the way out and on the way in alike; every limit with its reason."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from comity.domain import entries, ids

MIB = 1024 * 1024

RECORDS_PER_ENTRY_MAX = 1_000  # one posting stays under a second, and one entry under a broker's message
INDEXES_PER_RECORD_MAX = 64  # 8 photographs, a booking, a case, and dozens of court cases and ATNs
INDEXES_PER_ORDER_MAX = 8_000  # eight for each of 1,000 records: 600 KB
PHOTOGRAPHS_MAX = 8  # R1
CODES_MAX = 64  # purposes, rights, classes: the tables have a dozen
VALUE_BYTES_MAX = 16 * MIB  # eight photographs of 2 MiB; a broker's message.max.bytes must be above it
SMALL_VALUE_BYTES_MAX = 8 * MIB  # anything without photographs: 1,000 admitted records with all their indexes
ID_CHARS_MAX = 128  # a UUID has 36, a court's own order number some 60
TEXT_CHARS_MAX = 1_000  # a reason, an advice, a statute: what fits on a page
DIGEST_BYTES = 32  # SHA-256 and Ed25519 public keys
SMALL_INT_MAX = 2**31 - 1  # counters that SQL holds in four bytes
INT_MAX = 2**53 - 1  # what JSON's readers keep exactly
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)  # before any booking photograph that is still lent
LATEST = datetime(2200, 1, 1, tzinfo=UTC)  # later ones overflow when moved to another zone

_IDENTIFIER = re.compile(rf"[!-~]{{1,{ID_CHARS_MAX}}}")  # what the header ce_id can repeat
_TAG = re.compile(r"[0-9a-f]{64}")


class OutOfLimits(ValueError):
    """A field breaks a limit or its form; the message names the field, never what stood in it."""


@dataclass(frozen=True, slots=True)
class Span:
    """From ``least`` to ``most``, both included: a number, a length in characters or bytes, or a count of items."""

    least: float
    most: float


_SMALL = Span(0, SMALL_INT_MAX)
_PHOTO = Span(0, PHOTOGRAPHS_MAX - 1)
_DIGEST = Span(DIGEST_BYTES, DIGEST_BYTES)
_RECORDS = Span(0, RECORDS_PER_ENTRY_MAX)
_INDEXES = Span(0, INDEXES_PER_ORDER_MAX)
_CODES = Span(0, CODES_MAX)
_DOCUMENT = Span(0, 1024)  # a digest or a name, never the document
_NUMBERS = Span(0, 4096)  # three numbers of 128 characters, encrypted

DEFAULTS: dict[type, Span] = {
    int: Span(0, INT_MAX),
    float: Span(-1e308, 1e308),  # finite: a NaN compares with nothing
    str: Span(0, TEXT_CHARS_MAX),
    bytes: Span(1, VALUE_BYTES_MAX),
    tuple: _RECORDS,
}

# By "Type.field". Where a tuple's items need a bound of their own, it is under "Type.field[]".
SPANS: dict[str, Span] = {
    "AdmittedRecord.enrolment_sha256": _DIGEST,
    "AdmittedRecord.indexes": Span(0, INDEXES_PER_RECORD_MAX),
    "BlindIndex.key_version": _SMALL,
    "EnrolmentRejected.photo": _PHOTO,
    "ErasureCertified.part": _SMALL,
    "ErasureCertified.sought": _CODES,
    "ExchangeFounded.public_key": _DIGEST,
    "IndexKeyIssued.check": _DIGEST,
    "IndexKeyIssued.version": _SMALL,
    "KeyRegistered.public_key": _DIGEST,
    "LossAccepted.head": _DIGEST,
    "OrderPreviewed.attempt": _SMALL,
    "OrderPreviewed.commitments[]": _DIGEST,
    "OrderPreviewed.covers": Span(0, MIB),
    "PersonAdministered.roles": _CODES,
    "PolicyAdopted.sha256": _DIGEST,
    "ProvisionalSealLifted.ends": Span(1, RECORDS_PER_ENTRY_MAX),
    "RecordEnrolled.indexes": Span(0, INDEXES_PER_RECORD_MAX),
    "RecordEnrolled.photographs": Span(1, PHOTOGRAPHS_MAX),
    "RecordEnrolled.particulars": Span(1, MIB),
    "RecordRevealed.attempt": _SMALL,
    "RecordRevealed.search_attempt": _SMALL,
    "RecordRevealed.commitment": _DIGEST,
    "RecordRevealed.reason": Span(1, 64 * 1024),
    "RecordsAdmitted.records": Span(1, RECORDS_PER_ENTRY_MAX),
    "RecordsExpunged.document": _DOCUMENT,
    "RecordsExpunged.indexes": _INDEXES,
    "RecordsExpunged.numbers": _NUMBERS,
    "RecordsProvisionallySealed.document": _DOCUMENT,
    "RecordsProvisionallySealed.indexes": _INDEXES,
    "RecordsProvisionallySealed.numbers": _NUMBERS,
    "RecordsSealed.document": _DOCUMENT,
    "RecordsSealed.indexes": _INDEXES,
    "RecordsSealed.numbers": _NUMBERS,
    "RecordsUnsealed.ends": Span(1, RECORDS_PER_ENTRY_MAX),
    "ReviewRecorded.attempt": _SMALL,
    "ReviewRecorded.search_attempt": _SMALL,
    "ReviewRecorded.commitment": _DIGEST,
    "ReviewRecorded.finding": Span(1, 64 * 1024),
    "SealedTemplate.ciphertext": Span(1, 64 * 1024),
    "SealedTemplate.photo": _PHOTO,
    "SealedTemplate.quality": Span(0, 100),
    "SearchPerformed.attempt": _SMALL,
    "SearchPerformed.authority": Span(1, 1024),
    "SearchPerformed.candidates": Span(0, MIB),
    "SearchPerformed.classes": _CODES,
    "SearchPerformed.commitments[]": _DIGEST,
    "SearchPerformed.shown_max": _SMALL,
    "SearchWithheld.attempts": _SMALL,
    "ShareGranted.classes": _CODES,
    "ShareGranted.purposes": _CODES,
    "ShareGranted.rights": _CODES,
    "TemplatesExtracted.templates": Span(1, PHOTOGRAPHS_MAX),
}

_KEY_ID = re.compile(r"[!-~]([ -~]{0,126}[!-~])?")  # as a signature's header names it: a party's own word for its key
_FORMS = {ids.RecordId: ids.record_id, ids.Ori: ids.ori}


def span(where: str, kind: type) -> Span:
    """Return the bound of a field, by its own name or else by its kind."""
    return SPANS.get(where, DEFAULTS[kind])


def value_bytes_max(event: type) -> int:
    """Return the most bytes that an event of this type may take, its frame included."""
    return VALUE_BYTES_MAX if event is entries.RecordEnrolled else SMALL_VALUE_BYTES_MAX


def identifier(where: str, kind: Any) -> Any:  # noqa: ANN401 - NewTypes have no common type
    """Return a check of an identifier: the form where its kind has one, else 1 to 128 printable ASCII characters."""
    form = _FORMS.get(kind)
    pattern, spaces = (_KEY_ID, "no space around it") if kind is ids.KeyId else (_IDENTIFIER, "no space")

    def check(value: object) -> object:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise OutOfLimits(f"{where}: an identifier has 1 to {ID_CHARS_MAX} printable ASCII characters and {spaces}")
        if form is not None:
            _formed(where, form, value)
        return value

    return check


def _formed(where: str, form: Any, value: str) -> None:  # noqa: ANN401 - NewTypes have no common type
    try:
        form(value)
    except ValueError:
        # Not chained, and the value not told: what is wrong may be a name where an id should be.
        raise OutOfLimits(f"{where}: not of the form of its kind") from None


def text(where: str) -> Any:  # noqa: ANN401 - see identifier
    """Return a check of free text; no NUL, which PostgreSQL cannot hold: one would stop every ledger."""
    most = int(span(where, str).most)

    def check(value: object) -> object:
        if not isinstance(value, str) or len(value) > most:
            raise OutOfLimits(f"{where}: text of at most {most} characters")
        if "\0" in value:
            raise OutOfLimits(f"{where}: text without NUL")
        return value

    return check


def tag(where: str) -> Any:  # noqa: ANN401 - see identifier
    """Return a check of a blind index's tag: a tag of another form would make an order that finds nothing."""

    def check(value: object) -> object:
        if not isinstance(value, str) or not _TAG.fullmatch(value):
            raise OutOfLimits(f"{where}: 64 lower-case hex digits")
        return value

    return check


def octets(where: str) -> Any:  # noqa: ANN401 - see identifier
    """Return a check of bytes by their length."""
    bound = span(where, bytes)
    least, most = int(bound.least), int(bound.most)

    def check(value: object) -> object:
        if not isinstance(value, bytes) or not least <= len(value) <= most:
            raise OutOfLimits(f"{where}: {least} to {most} bytes")
        return value

    return check


def number(where: str, kind: type) -> Any:  # noqa: ANN401 - see identifier
    """Return a check of an int or a finite float; the bounds refuse infinities and NaN too."""
    bound = span(where, kind)
    least, most = bound.least, bound.most
    kinds = (int, float) if kind is float else (int,)

    def check(value: object) -> object:
        if not isinstance(value, kinds) or isinstance(value, bool) or not least <= value <= most:
            raise OutOfLimits(f"{where}: a finite {kind.__name__} from {least:g} to {most:g}")
        return value

    return check


def moment(where: str) -> Any:  # noqa: ANN401 - see identifier
    """Return a check of an aware time: fastavro would read a naive one in this machine's own zone."""

    def check(value: object) -> object:
        if not isinstance(value, datetime) or value.tzinfo is None or value.utcoffset() is None:
            raise OutOfLimits(f"{where}: a time with its zone")
        if not EARLIEST <= value < LATEST:
            raise OutOfLimits(f"{where}: a time from {EARLIEST.year} to {LATEST.year}")
        return value

    return check
