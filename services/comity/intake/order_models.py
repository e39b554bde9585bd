"""What a clerk previews, what is told of an order and of an erasure, and what ends an order or a key."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from comity.domain.entries import IndexKind
from comity.domain.ids import Ori
from comity.domain.policy import STATUTES
from comity.intake.models import Number, OriText, Sent, Word, words


class NumbersIn(Sent):
    """A number to find records by."""

    booking_number: Number | None = Field(default=None, description="Name the agency too.")
    court_case: Number | None = None
    atn: Number | None = None
    agency: OriText | None = None

    def by_kind(self) -> dict[IndexKind, str]:
        """Return the numbers that were given."""
        named = {IndexKind.BOOKING: self.booking_number, IndexKind.COURT_CASE: self.court_case, IndexKind.ATN: self.atn}
        return {kind: number for kind, number in named.items() if number}

    def whose(self) -> Ori | None:
        """Return the agency that the booking number belongs to."""
        return Ori(self.agency) if self.agency else None


class PreviewIn(NumbersIn):
    """The order that a clerk is about to enter: the statute, and a number to find the records by."""

    what: Literal["seal", "provisional", "expunge"]
    statute: Annotated[Word, words(*STATUTES)] = Field(examples=["wi-165.84"])
    until: date | None = Field(
        default=None,
        description="The last day of a provisional seal, a year ahead at most; it stands to that day's end in every time zone.",
        examples=["2027-03-01"],
    )


class CoveredOut(BaseModel):
    """A record that the order would cover."""

    record_id: str
    owner: str
    record_class: str
    state: str
    named: bool = Field(
        description="Whether the order names it, or it bears the number; else it is kin to one that does: hidden, not destroyed."
    )


class FoundOut(BaseModel):
    """The records that a number finds, and where each stands."""

    covers: list[CoveredOut]
    per_agency: dict[str, int]


class PreviewOut(BaseModel):
    """What the order would cover, and the token that binds pressing to exactly this for 15 minutes."""

    what: str
    statute: str
    mode: str
    covers: list[CoveredOut]
    per_agency: dict[str, int]
    notes: list[str]
    lapses_at: datetime | None = Field(description="Of a provisional seal; what is pressed lapses then, and not otherwise.")
    token: str


class LiftIn(BaseModel):
    """The end of an order."""

    model_config = ConfigDict(extra="forbid")

    authority: str = Field(
        default="", max_length=200, description="The decision that ends another party's order; empty for one's own."
    )


class RevocationIn(BaseModel):
    """The end of a key, and from where on what it loosened is void."""

    model_config = ConfigDict(extra="forbid")

    void_from: int | None = Field(default=None, ge=0, le=2**62, description="A position; null: only what comes from here on.")


class EndedOut(BaseModel):
    """How an order ended."""

    how: str = Field(description="`lifted` or `lapsed`.")
    at: datetime
    by: str | None = Field(description="The party that lifted it; null where it lapsed.")
    lift_id: str | None
    authority: str = Field(description="What a court named for ending another party's order; empty for its own.")
    clerk: str | None = Field(description="Who entered the lift, by pseudonym.")
    position: int | None


class OrderOut(BaseModel):
    """An order of my party, as it stands now."""

    party: str
    order_id: str
    kind: str = Field(description="`seal`, `provisional` or `expungement`.")
    statute: str
    law: str
    mode: str
    numbers: dict[str, str] = Field(description="As they were typed; empty for an order that came as a signed event.", repr=False)
    clerk: str | None = Field(description="Who entered it, by pseudonym.")
    position: int
    entered_at: datetime = Field(description="By the log's clock.")
    key: str = Field(description="The id of the key that signed it.")
    document: str | None = Field(description="The keyed digest of the court's document; null where none came with it.")
    state: str = Field(description="`stands`, `lifted` or `lapsed`.")
    now: str = Field(description="The same for a person to read, with the day: `Lifted on …`.")
    lapses_at: datetime | None
    due: bool = Field(description="Its day to lapse has come, and it stands until the clock has confirmed that.")
    ended: EndedOut | None
    notes: list[str] = Field(description="What it does not reach, and what becomes of the bytes.")


class CertificateOut(BaseModel):
    """What was destroyed for an order, what was looked for and where, and what was found; more than 0 found is no success."""

    certificate_id: str
    party: str
    order_id: str
    part: int
    scope: str = Field(description="`directed`: the files in which the bytes lay; `sweep`: every file.")
    records: list[str]
    keys_shredded: int
    templates_erased: int
    sought: dict[str, int]
    files_scanned: int
    bytes_scanned: int
    found: int
    not_scanned: list[str]
    checked_at: datetime


class OrderReceiptOut(OrderOut):
    """A whole receipt: the order, what it covers by itself per agency, and the certificates of its erasure."""

    sha256: str = Field(description="Of the very bytes in the journal.")
    covers: dict[str, int] = Field(description="Records that it names, or that bear its numbers, per agency.")
    covers_kin: dict[str, int] = Field(description="Hidden with those: they share a booking number or a photograph.")
    covered: str = Field(description="The same for a person to read; an order that ended covers nothing that comes.")
    hidden_with_it: str = Field(description="Likewise of those; empty where there are none.")
    erasure: str | None = Field(description="How far its erasure is proven; null for an order that destroys nothing.")
    certificates: list[CertificateOut]
