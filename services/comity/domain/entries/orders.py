"""What courts and owners order: seals, expungements, lifts, grants."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from comity.domain.entries.words import BlindIndex, RecordClass
from comity.domain.ids import GrantId, OrderId, OrderName, Ori, RecordId, UserId


@dataclass(frozen=True, slots=True)
class RecordsSealed:
    """A sealing order: nobody finds these records as the mode says, now and when they come later (by blind index).

    ``document`` is the keyed digest of the court's paper, ``numbers`` what the clerk typed, encrypted; both may be empty.
    """

    order_id: OrderId
    mode: str
    statute: str
    records: tuple[RecordId, ...]
    indexes: tuple[BlindIndex, ...]
    issued_at: datetime
    document: bytes = b""
    clerk: UserId | None = None
    numbers: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class RecordsProvisionallySealed:
    """A petition is pending: hidden from all until it lapses or is lifted."""

    order_id: OrderId
    statute: str
    records: tuple[RecordId, ...]
    indexes: tuple[BlindIndex, ...]
    lapses_at: datetime
    document: bytes = b""
    clerk: UserId | None = None
    numbers: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class ProvisionalSealLifted:
    """Provisional seals end before they lapse; the orders that end are named.

    Ending another party's order is for courts alone, and names the ``authority`` (empty where all are the signer's own).
    """

    order_id: OrderId
    ends: tuple[OrderName, ...]
    authority: str = ""
    clerk: UserId | None = None


@dataclass(frozen=True, slots=True)
class RecordsUnsealed:
    """Sealing orders end, by name and with the authority as for a lift; an expungement has no end."""

    order_id: OrderId
    ends: tuple[OrderName, ...]
    authority: str = ""
    clerk: UserId | None = None


@dataclass(frozen=True, slots=True)
class RecordsExpunged:
    """Hidden for ever, and destroyed: this alone shreds keys (rule 9)."""

    order_id: OrderId
    statute: str
    records: tuple[RecordId, ...]
    indexes: tuple[BlindIndex, ...]
    issued_at: datetime
    document: bytes = b""
    clerk: UserId | None = None
    numbers: bytes = field(default=b"", repr=False)


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
    act_id: str = ""  # drawn: what was refused once, before its grant came, can be said again
