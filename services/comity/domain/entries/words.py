"""The words that entries are made of: classes, kinds of index, roles, names."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RecordClass(StrEnum):
    """What a record is; applicants' photographs have no class here, they are refused (R3)."""

    BOOKING = "booking"
    MINOR = "minor"
    MISSING = "missing"
    UNKNOWN_DECEASED = "unknown-deceased"


class IndexKind(StrEnum):
    """What a blind index stands for; booking and agency case under the agency's key, the others under the exchange's."""

    BOOKING = "booking"
    AGENCY_CASE = "agency-case"
    COURT_CASE = "court-case"
    ATN = "atn"
    PHOTOGRAPH = "photograph"


class Role(StrEnum):
    """What a signing key may stand for."""

    ADMINISTRATOR = "administrator"
    EXCHANGE = "exchange"
    COURT = "court"
    AGENCY = "agency"


@dataclass(frozen=True, slots=True)
class BlindIndex:
    """A keyed tag (HMAC-SHA-256, hex) that finds equal numbers without showing them; names its key's version."""

    kind: IndexKind
    key_version: int
    tag: str
