"""The ledger's rows: facts with the position at which they were entered, the key that signed them, and the log's own time.

A row holds as of N iff ``entered < N <= ended``. Nothing is ever updated but ``ended``, once, and that only of grants and keys:
what loosens (a lift) is a row of its own, so that a key's revocation can void it (rule 13).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from comity.domain import entries as e
from comity.domain.ids import (
    END,
    ExchangeId,
    GrantId,
    KeyId,
    OrderId,
    Ori,
    PartyId,
    PreviewId,
    RecordId,
    SearchId,
    UserId,
)
from comity.domain.log import EPOCH

UNSIGNED = KeyId("")  # rows that a test makes by hand


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A fact: entered at a position by a key, at the log's own time; ended at another position or not yet."""

    entered: int
    ended: int = END
    kid: KeyId = UNSIGNED
    entered_at: datetime = EPOCH

    def holds(self, as_of: int) -> bool:
        """Say whether the fact holds as of a position (rule 1)."""
        return self.entered < as_of <= self.ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Agency(Row):
    """An agency that takes part."""

    ori: Ori
    name: str
    requester_class: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Court(Row):
    """A court that may enter orders."""

    court_id: PartyId
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange(Row):
    """The exchange itself: the id that every signature names."""

    exchange_id: ExchangeId


@dataclass(frozen=True, slots=True, kw_only=True)
class Key(Row):
    """A public signing key and whom it speaks for; ``kid`` is who registered it, ``key_id`` its own."""

    key_id: KeyId
    party: PartyId
    role: e.Role
    public_key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation(Row):
    """A key was revoked; where ``void_from`` is given, what it loosened from that position on never counted (rule 13)."""

    key_id: KeyId
    void_from: int | None

    def voids(self, row: Row, as_of: int) -> bool:
        """Say whether, as of a position, this makes a loosening row void."""
        return self.void_from is not None and self.key_id == row.kid and row.entered >= self.void_from and self.holds(as_of)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexKey(Row):
    """An index key that was made, and the value by which it is known again."""

    name: str
    version: int
    check: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Record(Row):
    """One version of a record, as one key of the exchange admitted it; of those that count, the highest version is shown."""

    record_id: RecordId
    owner: Ori
    record_class: e.RecordClass
    version: int
    enrolment_sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Index(Row):
    """A blind index of a record; it never ends, so no re-enrolment shakes off an order."""

    record_id: RecordId
    target: str
    kin: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression(Row):
    """One target of one covering order. ``owner_only`` limits an owner's order to its own records; courts have none."""

    order_id: OrderId
    kind: str
    target: str
    owner_only: Ori | None
    mode: str
    statute: str
    entered_by: PartyId
    lapses_at: datetime | None
    clerk: UserId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lift(Row):
    """One order that an unseal or a lift ends, named by whose it is and its id; a row of its own, for it may be void."""

    lift_id: OrderId
    lifted_by: PartyId
    party: PartyId
    order_id: OrderId
    provisional_only: bool
    authority: str
    clerk: UserId | None = None

    def ends(self, order: Suppression, as_of: int) -> bool:
        """Say whether this names an order that stood before it and can end; void or not is for the caller."""
        endable = order.kind == "provisional" or (order.kind == "seal" and not self.provisional_only)
        named = self.party == order.entered_by and self.order_id == order.order_id
        return endable and named and order.entered < self.entered and self.holds(as_of)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant(Row):
    """What one owner lets one grantee do."""

    grant_id: GrantId
    owner: Ori
    grantee: Ori
    classes: tuple[e.RecordClass, ...]
    purposes: tuple[str, ...]
    rights: tuple[str, ...]
    expires_at: datetime
    in_return: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick(Row):
    """What a tick, or a ruling on ticks, comes to: the clock right after it, so that a judgement reads one row.

    ``at``: what this tick said; after a ruling, what the newest tick said that counts. ``led_from``, ``led_to``: the append times
    that lead up to a tick. The rest is told in ``domain/clock``.
    """

    at: datetime | None
    tick: bool = True
    led_from: datetime | None = None
    led_to: datetime | None = None
    latest: datetime | None = None
    settled: datetime | None = None
    reached: datetime | None = None
    alarm: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling(Row):
    """An administrator's word on ticks: void from first to last, or the one at ``first`` confirmed."""

    voids: bool
    first: int
    last: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Search(Row):
    """An attempt to answer a search; the last one of a search counts as disclosed unless it was withheld (rule 5)."""

    search_id: SearchId
    attempt: int
    requester: Ori
    user: UserId
    purpose: str
    shown_max: int
    reopens: SearchId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld(Row):
    """A search that was given up."""

    search_id: SearchId


@dataclass(frozen=True, slots=True, kw_only=True)
class Review(Row):
    """An attempt of an examiner to look at one candidate of a search; the last one counts."""

    review_id: str
    attempt: int
    search_id: SearchId
    user: UserId
    commitment: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reveal(Row):
    """An attempt to see an identity; the last one counts."""

    reveal_id: str
    attempt: int
    search_id: SearchId
    user: UserId
    commitment: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview(Row):
    """An attempt to show a clerk what an order would bind; the last one counts as shown."""

    preview_id: PreviewId
    attempt: int
    party: PartyId
    user: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate(Row):
    """An erasure was certified, in part or whole, by what was looked through; ``found`` above 0 is no success.

    ``said``: a digest of what was looked for, what was found, and where nobody could look.
    """

    certificate_id: str
    party: PartyId
    order_id: OrderId
    part: int
    scope: str
    found: int
    said: bytes


# What makes two rows the same fact: entering it again changes nothing.
RowT = TypeVar("RowT", bound=Row)

IDENTITY: dict[type[Row], tuple[str, ...]] = {
    Agency: ("ori",),
    Court: ("court_id",),
    Exchange: ("exchange_id",),
    Key: ("key_id",),
    Revocation: ("key_id", "entered"),
    IndexKey: ("name", "version"),
    Record: ("record_id", "version", "kid"),  # what a stolen key admitted is admitted again by the next
    Index: ("record_id", "target"),
    Suppression: ("entered_by", "order_id", "target"),  # another signer's order of the same number is another order (rule 10)
    Lift: ("party", "order_id", "kid"),  # of one key's lifts of an order the first alone can ever matter
    Grant: ("owner", "grant_id"),
    Tick: ("entered",),
    Ruling: ("entered",),
    Search: ("search_id", "attempt"),
    Withheld: ("search_id",),
    Review: ("review_id", "attempt"),
    Reveal: ("reveal_id", "attempt"),
    Preview: ("preview_id", "attempt"),
    Certificate: ("certificate_id", "kid"),  # as with versions: the next key attests anew
}
