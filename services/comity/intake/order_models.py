"""What is told of an order and of an erasure, as a clerk downloads it; and what ends an order or a key."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field


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
    lapses_at: datetime | None
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
    erasure: str | None = Field(description="How far its erasure is proven; null for an order that destroys nothing.")
    certificates: list[CertificateOut]
