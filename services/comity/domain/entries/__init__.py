"""What can be said in the log: frozen facts in the past tense, and who may enter each (DESIGN.md §3).

Pure descriptions, no behaviour. ``schemas/comity.v1`` holds the same shapes in Avro, a test keeps the two equal. Nothing here
holds a name, a case number, a face or a photograph's digest in clear (R35): only blind indexes and ciphertexts.
"""

from __future__ import annotations

from comity.domain.entries.disclosures import (
    OrderPreviewed,
    PersonAdministered,
    RecordRevealed,
    ReviewRecorded,
    SearchPerformed,
    SearchWithheld,
)
from comity.domain.entries.duties import ClockTicked, ErasureCertified, IndexKeyIssued, OrderRefused, Sought
from comity.domain.entries.orders import (
    ProvisionalSealLifted,
    RecordsExpunged,
    RecordsProvisionallySealed,
    RecordsSealed,
    RecordsUnsealed,
    ShareGranted,
    ShareRevoked,
)
from comity.domain.entries.parties import (
    AgencyRegistered,
    ClockConfirmed,
    CourtRegistered,
    ExchangeFounded,
    KeyRegistered,
    KeyRevoked,
    LossAccepted,
    PolicyAdopted,
    TicksVoided,
)
from comity.domain.entries.records import (
    AdmittedRecord,
    EnrolmentRejected,
    RecordEnrolled,
    RecordsAdmitted,
    SealedTemplate,
    TemplatesExtracted,
)
from comity.domain.entries.words import BlindIndex, IndexKind, RecordClass, Role
from comity.domain.ids import OrderName

__all__ = [
    "MAY_ENTER",
    "Act",
    "AdmittedRecord",
    "AgencyRegistered",
    "BlindIndex",
    "ClockConfirmed",
    "ClockTicked",
    "CourtRegistered",
    "Cover",
    "Duty",
    "EnrolmentRejected",
    "ErasureCertified",
    "Event",
    "ExchangeFounded",
    "IndexKeyIssued",
    "IndexKind",
    "JournalEntry",
    "KeyRegistered",
    "KeyRevoked",
    "Lift",
    "LossAccepted",
    "Order",
    "OrderName",
    "OrderPreviewed",
    "OrderRefused",
    "Party",
    "PersonAdministered",
    "PolicyAdopted",
    "ProvisionalSealLifted",
    "RecordClass",
    "RecordEnrolled",
    "RecordRevealed",
    "RecordsAdmitted",
    "RecordsExpunged",
    "RecordsProvisionallySealed",
    "RecordsSealed",
    "RecordsUnsealed",
    "ReviewRecorded",
    "Role",
    "SealedTemplate",
    "SearchPerformed",
    "SearchWithheld",
    "ShareGranted",
    "ShareRevoked",
    "Sought",
    "TemplatesExtracted",
    "TicksVoided",
]

Cover = RecordsSealed | RecordsProvisionallySealed | RecordsExpunged
Lift = ProvisionalSealLifted | RecordsUnsealed
Order = Cover | Lift | ShareGranted | ShareRevoked
Party = (
    AgencyRegistered | CourtRegistered | KeyRegistered | KeyRevoked | PolicyAdopted | TicksVoided | ClockConfirmed | LossAccepted
)
Act = SearchPerformed | SearchWithheld | RecordRevealed | ReviewRecorded | OrderPreviewed | PersonAdministered
Duty = ClockTicked | OrderRefused | IndexKeyIssued | ErasureCertified
JournalEntry = ExchangeFounded | RecordsAdmitted | Order | Party | Act | Duty
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
    ExchangeFounded: _BY_ADMINISTRATOR,
    AgencyRegistered: _BY_ADMINISTRATOR,
    CourtRegistered: _BY_ADMINISTRATOR,
    KeyRegistered: _BY_ADMINISTRATOR,
    KeyRevoked: _BY_ADMINISTRATOR,
    PolicyAdopted: _BY_ADMINISTRATOR,
    TicksVoided: _BY_ADMINISTRATOR,
    ClockConfirmed: _BY_ADMINISTRATOR,
    LossAccepted: _BY_ADMINISTRATOR,
    SearchPerformed: _BY_EXCHANGE,
    SearchWithheld: _BY_EXCHANGE,
    RecordRevealed: _BY_EXCHANGE,
    ReviewRecorded: _BY_EXCHANGE,
    OrderPreviewed: _BY_EXCHANGE,
    PersonAdministered: _BY_EXCHANGE,
    ClockTicked: _BY_EXCHANGE,
    OrderRefused: _BY_EXCHANGE,
    IndexKeyIssued: _BY_EXCHANGE,
    ErasureCertified: _BY_EXCHANGE,
}
