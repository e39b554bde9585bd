"""What intake takes and answers, with limits and examples: the OpenAPI document is made from these."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from comity.acts.grant import IN_RETURN_CHARS_MAX
from comity.domain.entries import IndexKind, RecordClass
from comity.domain.ids import ORI_FORM, PARTY_FORM
from comity.domain.policy import REQUESTER_CLASSES, RIGHTS
from comity.domain.sharing import LAWFUL_PURPOSES, SHARED_CLASSES
from comity.wire.limits import CODES_MAX, PHOTOGRAPHS_MAX, SMALL_INT_MAX
from comity.wire.sealing import NUMBER_CHARS_MAX
from comity.wire.signing import KID_CHARS_MAX

CHARGES_MAX = 100  # an indictment of some pages
AGE_MAX = 130

OriText = Annotated[str, StringConstraints(pattern=rf"^{ORI_FORM}$"), Field(examples=["WI0130000"])]
PartyText = Annotated[str, StringConstraints(pattern=rf"^{PARTY_FORM}$"), Field(examples=["WI-MILWAUKEE-CC"])]
Number = Annotated[str, StringConstraints(min_length=1, max_length=NUMBER_CHARS_MAX)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=64)]


def words(*known: str) -> Any:  # noqa: ANN401 - pydantic's fields have no type
    """Document the words of a table; the act refuses others, with a sentence that a bare enumeration could not say."""
    return Field(json_schema_extra={"enum": list(known)})


Sentence = Annotated[str, StringConstraints(max_length=1_000)]
Sha256Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
PublicKey = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{43}=$"), Field(description="Ed25519, 32 raw bytes in base64.")
]

OwnKeyId = Annotated[
    str | None,
    Field(
        default=None,
        min_length=1,
        max_length=KID_CHARS_MAX,
        description="The id that the party's signatures name as kid; without one, the key's JWK thumbprint.",
        examples=["lakeside-2026-01"],
    ),
]


class Sent(BaseModel):
    """What is sent: unknown members are refused, so that a mistyped one is noticed."""

    model_config = ConfigDict(extra="forbid")


class RecordIn(Sent):
    """The numbers of a booking and its photographs' digests: enough to issue its id, key and indexes."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"owner": "WI0130000", "booking_number": "2026-004711", "photograph_sha256": ["ab" * 32]}},
    )
    owner: OriText
    booking_number: Number
    agency_case: Number | None = None
    court_case: Number | None = None
    atn: Number | None = Field(default=None, description="Arrest tracking number.")
    photograph_sha256: list[Sha256Hex] = Field(min_length=1, max_length=PHOTOGRAPHS_MAX)


class IndexOut(BaseModel):
    """A blind index, as it goes into the event."""

    kind: IndexKind
    key_version: int
    tag: str


class IssuedOut(BaseModel):
    """What the agency encrypts and names the record with."""

    record_id: str
    data_key: str = Field(description="32 bytes in base64. Encrypt with it, then forget it.", repr=False)
    indexes: list[IndexOut]


class ReceiptOut(BaseModel):
    """Where an event stands: its place, its time there, and the digest of the very bytes."""

    event_id: str
    topic: str
    partition: int
    position: int
    sha256: str
    appended_at: datetime | None = Field(description="By the log's clock; null where the event stood already.")
    repeated: bool = Field(
        description="Whether it stood already. Of an order this is then its first place; of an enrolment, whose version was "
        "admitted or whose very bytes were sent before, it is the place of this sending, which changes nothing."
    )


class ChargeIn(Sent):
    """One charge of a booking."""

    offence: Name = Field(examples=["Burglary"])
    severity: Word = Field(examples=["felony"])
    disposition: Word | None = Field(default=None, examples=["dismissed"])


class ParticularsIn(Sent):
    """A booking's particulars, as a person types them."""

    booking_number: Number
    record_class: Annotated[Word, words(*RecordClass)] = Field(examples=["booking"], description="Never an applicant.")
    age_at_capture: int | None = Field(default=None, ge=0, le=AGE_MAX, description="Unknown counts as under 18.")
    legal_basis: Sentence = Field(min_length=1, examples=["Arrest on probable cause"])
    captured_at: AwareDatetime
    version: int = Field(default=1, ge=0, le=SMALL_INT_MAX, description="A correction has a higher one.")
    charges: list[ChargeIn] = Field(default=[], max_length=CHARGES_MAX)
    agency_case: Number | None = None
    court_case: Number | None = None
    atn: Number | None = None
    name: Name | None = None


class EnrolledOut(BaseModel):
    """An upload's receipt; it says who signed."""

    record_id: str
    receipt: ReceiptOut
    signed_by: Literal["intake on behalf"] = "intake on behalf"


class StandingOut(BaseModel):
    """Where a record of mine stands."""

    record_id: str
    state: Literal["waiting", "admitted", "rejected", "suppressed"]
    reason: str | None = None
    advice: str
    version: int | None = Field(default=None, description="Of an admitted record: which version can be found.")
    enrolment_sha256: str | None = Field(
        default=None, description="Of an admitted record: the digest of the very bytes it was admitted from, as in the receipt."
    )


class RejectionOut(BaseModel):
    """An enrolment that could not be used, and what to do."""

    record_id: str
    version: int
    photograph: int | None = Field(description="Which one, counted from 0; null where it was not one photograph's fault.")
    reason: str
    advice: str


class RefusalOut(BaseModel):
    """An entry of my party that had no effect, where it stands, and why."""

    topic: str
    partition: int
    position: int
    event_id: str | None
    reason: str
    message: str


class AgencyIn(Sent):
    """An agency to register with its first public key."""

    ori: OriText
    name: Name
    requester_class: Annotated[Word, words(*REQUESTER_CLASSES)] = Field(examples=["municipal"])
    public_key: PublicKey
    kid: OwnKeyId


class AgencyOut(BaseModel):
    """An agency that takes part."""

    ori: str
    name: str
    requester_class: str


class CourtIn(Sent):
    """A court to register with its first public key."""

    court_id: PartyText
    name: Name
    public_key: PublicKey
    kid: OwnKeyId


class CourtOut(BaseModel):
    """A court that may enter orders."""

    court_id: str
    name: str


class KeyIn(Sent):
    """A further public key of a party that is registered."""

    party: PartyText
    role: Literal["agency", "court"]
    public_key: PublicKey
    kid: OwnKeyId


class KeyOut(BaseModel):
    """A public signing key: whose it is, and whether what it signs now counts."""

    kid: str
    party: str
    role: str
    public_key: str = Field(description="Ed25519, 32 raw bytes in base64.")
    in_force: bool


class SigningOut(BaseModel):
    """How a signature is made that is good here."""

    form: str
    algorithms: list[str]
    header: dict[str, str] = Field(description="What the protected header holds, and what each member is.")


class ExchangeOut(BaseModel):
    """The exchange: its id, its own keys, and what a signer puts where."""

    exchange_id: str = Field(description="Put it as aud into every signature's header: elsewhere the signature is not good.")
    keys: list[KeyOut] = Field(description="Of the exchange and its administrator.")
    signing: SigningOut
    headers: dict[str, str] = Field(description="The event's headers over HTTP; in Kafka a hyphen after ce is an underscore.")


class RegisteredOut(BaseModel):
    """Where a registration stands in the journal, and the key's id."""

    position: int
    kid: str


class GrantIn(Sent):
    """What my agency lets another do."""

    grantee: OriText
    classes: list[Annotated[Word, words(*sorted(SHARED_CLASSES))]] = Field(
        min_length=1, max_length=CODES_MAX, examples=[["booking"]]
    )
    purposes: list[Annotated[Word, words(*LAWFUL_PURPOSES)]] = Field(
        min_length=1, max_length=CODES_MAX, examples=[["serious-crime"]]
    )
    rights: list[Annotated[Word, words(*RIGHTS)]] = Field(min_length=1, max_length=CODES_MAX, examples=[["search", "view"]])
    expires_at: AwareDatetime = Field(description="Required: nothing is shared for ever by being forgotten.")
    in_return: str = Field(default="", max_length=IN_RETURN_CHARS_MAX, description="What is given in return (public).")


class GrantOut(BaseModel):
    """One line of the public register of grants."""

    grant_id: str
    owner: str
    grantee: str
    classes: list[str]
    purposes: list[str]
    rights: list[str]
    expires_at: datetime
    in_return: str = Field(description="What is given in return; empty where nothing was said.")
    in_force: bool
    now: str = Field(description="Whether it is in force, and what ended it, for a person to read.")
    granted_at_position: int
    revoked_at_position: int | None


class StatuteOut(BaseModel):
    """A statute, and the mode that follows; without a mode it reaches no police record."""

    slug: str
    title: str
    mode: str | None
    mode_title: str | None
    why: str


class SchemaOut(BaseModel):
    """The schema of an event's type, as it is read here; its id stands in Confluent's framing."""

    schema_id: int
    name: str
    avro: dict[str, Any]


class PurposeOut(BaseModel):
    """A purpose of search: what carries it, what it reaches, and the law that says so."""

    slug: str
    title: str
    thresholds: list[str]
    classes: list[str]
    why: str
    source: str


class PurposesOut(BaseModel):
    """The tables that a search is measured by."""

    purposes: list[PurposeOut]
    thresholds: dict[str, str]
    offences: dict[str, str]
    rights: list[str]
    requester_classes: list[str]


class LinkIn(Sent):
    """A one-time link's token."""

    link: str = Field(min_length=1, max_length=200)


class AssertionIn(Sent):
    """A machine's signed assertion: a JWT (RFC 7523), by its own Ed25519 key.

    `iss` and `sub`: the machine's id; `aud`: this exchange's id; `exp`: within five minutes; `jti`: new each time.
    """

    assertion: str = Field(min_length=1, max_length=4_096)


class MachineIn(Sent):
    """A records system to let in."""

    name: Name = Field(examples=["Records management"])
    roles: list[Word] = Field(min_length=1, max_length=CODES_MAX, examples=[["agency-writer"]])
    public_key: PublicKey
    party: PartyText | None = Field(default=None, description="For the exchange's administrator; else my own.")


class MachineOut(BaseModel):
    """A records system that signs in by its own key."""

    machine_id: str
    name: str
    party: str
    roles: list[str]
    public_key: str
    revoked: bool
    exchange_id: str = Field(description="The exchange that its assertions are for: their `aud`.")


class WhoOut(BaseModel):
    """Who is signed in."""

    user_id: str
    party: str
    roles: list[str]


class SessionOut(BaseModel):
    """A session: send its token as `Authorization: Bearer`."""

    token: str = Field(repr=False)
    expires_in_seconds: int
    user_id: str
    party: str
    roles: list[str]
