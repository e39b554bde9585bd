"""What can be said in the log: frozen facts in the past tense, and who may enter each (DESIGN.md §3).

Pure descriptions, no behaviour. ``schemas/comity.v1`` holds the same shapes in Avro, a test keeps the two equal. Nothing here
holds a name, a case number, a face or a photograph's digest in clear (R35): only blind indexes and ciphertexts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from comity.domain.ids import GrantId, KeyId, OrderId, Ori, PartyId, RecordId, SearchId, UserId


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


# --- comity.enrolments -------------------------------------------------------------------------------------------------


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


# --- comity.templates --------------------------------------------------------------------------------------------------


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


# --- comity.journal: records, by the exchange ----------------------------------------------------------------------------


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


# --- comity.journal: orders, by a court or the owner --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RecordsSealed:
    """A sealing order: nobody finds these records as the mode says, now and when they come later (by blind index)."""

    order_id: OrderId
    mode: str
    statute: str
    records: tuple[RecordId, ...]
    indexes: tuple[BlindIndex, ...]
    issued_at: datetime
    document: bytes


@dataclass(frozen=True, slots=True)
class RecordsProvisionallySealed:
    """A petition is pending: hidden from all until it lapses or is lifted."""

    order_id: OrderId
    statute: str
    records: tuple[RecordId, ...]
    indexes: tuple[BlindIndex, ...]
    lapses_at: datetime


@dataclass(frozen=True, slots=True)
class ProvisionalSealLifted:
    """Provisional seals end before they lapse; the orders that end are named."""

    order_id: OrderId
    ends: tuple[OrderId, ...]


@dataclass(frozen=True, slots=True)
class RecordsUnsealed:
    """A court ends sealing orders, by name; an expungement has no end."""

    order_id: OrderId
    ends: tuple[OrderId, ...]


@dataclass(frozen=True, slots=True)
class RecordsExpunged:
    """Hidden for ever, and destroyed: this alone shreds keys (rule 9)."""

    order_id: OrderId
    statute: str
    records: tuple[RecordId, ...]
    indexes: tuple[BlindIndex, ...]
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class ShareGranted:
    """An owner lets one grantee do what is named, until it expires; never transitive (R19, R20, R55)."""

    grant_id: GrantId
    owner: Ori
    grantee: Ori
    classes: tuple[RecordClass, ...]
    purposes: tuple[str, ...]
    rights: tuple[str, ...]
    expires_at: datetime
    in_return: str


@dataclass(frozen=True, slots=True)
class ShareRevoked:
    """An owner takes a grant back, from here on."""

    grant_id: GrantId


# --- comity.journal: parties and policy, by an administrator ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AgencyRegistered:
    """An agency may take part; its class is set here (R21)."""

    ori: Ori
    name: str
    requester_class: str


@dataclass(frozen=True, slots=True)
class CourtRegistered:
    """A court may enter orders."""

    court_id: PartyId
    name: str


@dataclass(frozen=True, slots=True)
class KeyRegistered:
    """A party's public signing key (Ed25519, 32 bytes) holds from here on. Position 0 is the administrator's own."""

    kid: KeyId
    party: PartyId
    role: Role
    public_key: bytes


@dataclass(frozen=True, slots=True)
class KeyRevoked:
    """A key ends here."""

    kid: KeyId


@dataclass(frozen=True, slots=True)
class PolicyAdopted:
    """The digest of the role, purpose and mode tables in force from here on."""

    sha256: bytes


# --- comity.journal: disclosures, by the services -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SearchPerformed:
    """An attempt to answer a search: candidates encrypted under the search's own key, salted commitments in clear.

    ``authority`` (who allowed it) may name a person, so it is encrypted likewise. ``shown_max`` is k: the answer is the first k
    that stand as of this entry's own position. ``reopens`` names the search whose kept page is shown again.
    """

    search_id: SearchId
    attempt: int
    requester: Ori
    user: UserId
    purpose: str
    threshold: str
    offence: str
    authority: bytes = field(repr=False)
    case: BlindIndex
    classes: tuple[RecordClass, ...]
    shown_max: int
    model: str
    commitments: tuple[bytes, ...]
    candidates: bytes = field(repr=False)
    reopens: SearchId | None


@dataclass(frozen=True, slots=True)
class SearchWithheld:
    """A search was given up: nothing of it was released."""

    search_id: SearchId
    attempts: int
    reason: str


@dataclass(frozen=True, slots=True)
class RecordRevealed:
    """One candidate's identity was asked for, by one person, for a reason (encrypted under the search's key)."""

    reveal_id: str
    search_id: SearchId
    attempt: int
    requester: Ori
    user: UserId
    purpose: str
    commitment: bytes
    reason: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReviewRecorded:
    """An examiner compared the probe with one candidate; the finding is encrypted under the search's key."""

    review_id: str
    search_id: SearchId
    attempt: int
    requester: Ori
    user: UserId
    purpose: str
    commitment: bytes
    finding: bytes = field(repr=False)


# --- comity.journal: duties, by the exchange ----------------------------------------------------------------------------


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
class ErasureCertified:
    """What was destroyed for an order, what was scanned, and what was not."""

    certificate_id: str
    order_id: OrderId
    records: tuple[RecordId, ...]
    keys_shredded: int
    templates_erased: int
    files_scanned: int
    bytes_scanned: int
    found: int
    not_scanned: tuple[str, ...]
    checked_at: datetime


Cover = RecordsSealed | RecordsProvisionallySealed | RecordsExpunged
Lift = ProvisionalSealLifted | RecordsUnsealed
Order = Cover | Lift | ShareGranted | ShareRevoked
Party = AgencyRegistered | CourtRegistered | KeyRegistered | KeyRevoked | PolicyAdopted
Act = SearchPerformed | SearchWithheld | RecordRevealed | ReviewRecorded
Duty = ClockTicked | OrderRefused | ErasureCertified
JournalEntry = RecordsAdmitted | Order | Party | Act | Duty
Event = JournalEntry | RecordEnrolled | TemplatesExtracted | EnrolmentRejected

_BY_EXCHANGE = frozenset({Role.EXCHANGE})
_BY_OWNER_OR_COURT = frozenset({Role.AGENCY, Role.COURT})
_BY_ADMINISTRATOR = frozenset({Role.ADMINISTRATOR})
_BY_AGENCY = frozenset({Role.AGENCY})

# The closed table: a type that is not here has no effect, whoever signed it.
MAY_ENTER: dict[type, frozenset[Role]] = {
    RecordsAdmitted: _BY_EXCHANGE,
    RecordsSealed: _BY_OWNER_OR_COURT,
    RecordsProvisionallySealed: _BY_OWNER_OR_COURT,
    ProvisionalSealLifted: _BY_OWNER_OR_COURT,
    RecordsUnsealed: _BY_OWNER_OR_COURT,
    RecordsExpunged: _BY_OWNER_OR_COURT,
    ShareGranted: _BY_AGENCY,
    ShareRevoked: _BY_AGENCY,
    AgencyRegistered: _BY_ADMINISTRATOR,
    CourtRegistered: _BY_ADMINISTRATOR,
    KeyRegistered: _BY_ADMINISTRATOR,
    KeyRevoked: _BY_ADMINISTRATOR,
    PolicyAdopted: _BY_ADMINISTRATOR,
    SearchPerformed: _BY_EXCHANGE,
    SearchWithheld: _BY_EXCHANGE,
    RecordRevealed: _BY_EXCHANGE,
    ReviewRecorded: _BY_EXCHANGE,
    ClockTicked: _BY_EXCHANGE,
    OrderRefused: _BY_EXCHANGE,
    ErasureCertified: _BY_EXCHANGE,
}
