"""Entry → ledger rows: what a journal entry changes, as data (rules 1, 2, 8, 10).

Every row is a fact with the position at which it was entered and the one at which it ended: it holds as of N iff
``entered < N <= ended``. Nothing is ever updated but ``ended``, once. The SQL ledger and ``MemoryLedger`` both execute these
changes; tests compare them on generated histories.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from comity.domain import entries as e
from comity.domain.ids import END, GrantId, KeyId, OrderId, Ori, PartyId, RecordId, SearchId, UserId

TICK_AHEAD_MAX = timedelta(seconds=5)  # a tick further ahead of its own append time is void (rule 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A fact: entered at a position, ended at another or not yet."""

    entered: int
    ended: int = END

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
class Key(Row):
    """A public signing key and whom it speaks for."""

    kid: KeyId
    party: PartyId
    role: e.Role
    public_key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Record(Row):
    """One version of a record; of those that hold, the highest version counts."""

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
    """It was at least this late."""

    at: datetime


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
    """An examiner looked at one candidate of a search."""

    review_id: str
    search_id: SearchId
    user: UserId
    commitment: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reveal(Row):
    """An identity was asked for."""

    reveal_id: str
    search_id: SearchId
    user: UserId
    commitment: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate(Row):
    """An erasure was certified."""

    certificate_id: str
    order_id: OrderId


# What makes two rows the same fact: entering it again changes nothing.
IDENTITY: dict[type[Row], tuple[str, ...]] = {
    Agency: ("ori",),
    Court: ("court_id",),
    Key: ("kid",),
    Record: ("record_id", "version"),
    Index: ("record_id", "target"),
    Suppression: ("entered_by", "order_id", "target"),  # another signer's order of the same number is another order (rule 10)
    Grant: ("grant_id",),
    Tick: ("entered",),
    Search: ("search_id", "attempt", "entered"),
    Withheld: ("search_id",),
    Review: ("review_id",),
    Reveal: ("reveal_id",),
    Certificate: ("certificate_id",),
}


@dataclass(frozen=True, slots=True)
class Enter:
    """Insert a fact, or nothing where it stands already."""

    row: Row


@dataclass(frozen=True, slots=True)
class End:
    """End the facts of one kind that stand, were entered before, and have one of these values in each named field."""

    kind: type[Row]
    where: dict[str, tuple[str, ...]]


Change = Enter | End


@dataclass(frozen=True, slots=True)
class Signer:
    """Whose verified signature an entry bears."""

    party: PartyId
    role: e.Role


def record_target(record_id: RecordId) -> str:
    """Return the target that stands for a record itself."""
    return f"record:{record_id}"


def index_target(index: e.BlindIndex) -> str:
    """Return the target that stands for a blind index, its key's version included."""
    return f"{index.kind}:{index.key_version}:{index.tag}"


def post(entry: e.JournalEntry, at: int, signer: Signer, appended_at: datetime) -> tuple[Change, ...]:
    """Return what this entry changes at its position, given that ``signer`` may enter it (see ``authority``)."""
    return tuple(_changes(entry, at, signer, appended_at))


def _changes(entry: e.JournalEntry, at: int, signer: Signer, appended_at: datetime) -> Iterator[Change]:
    match entry:
        case e.RecordsAdmitted():
            for record in entry.records:
                yield from _admit(record, at)
        case e.RecordsSealed() | e.RecordsProvisionallySealed() | e.RecordsExpunged():
            yield from _cover(entry, at, signer)
        case e.ProvisionalSealLifted() | e.RecordsUnsealed():
            yield _lift(entry, signer)
        case e.ShareGranted():
            yield Enter(
                Grant(
                    entered=at,
                    grant_id=entry.grant_id,
                    owner=entry.owner,
                    grantee=entry.grantee,
                    classes=entry.classes,
                    purposes=entry.purposes,
                    rights=entry.rights,
                    expires_at=entry.expires_at,
                    in_return=entry.in_return,
                )
            )
        case e.ShareRevoked():
            yield End(Grant, {"grant_id": (entry.grant_id,), "owner": (signer.party,)})
        case e.ClockTicked():
            if entry.at <= appended_at + TICK_AHEAD_MAX:
                yield Enter(Tick(entered=at, at=entry.at))
        case _:
            yield from _parties_and_disclosures(entry, at)


def _parties_and_disclosures(entry: e.JournalEntry, at: int) -> Iterator[Change]:
    match entry:
        case e.AgencyRegistered(ori, name, requester_class):
            yield Enter(Agency(entered=at, ori=ori, name=name, requester_class=requester_class))
        case e.CourtRegistered(court_id, name):
            yield Enter(Court(entered=at, court_id=court_id, name=name))
        case e.KeyRegistered(kid, party, role, public_key):
            yield Enter(Key(entered=at, kid=kid, party=party, role=role, public_key=public_key))
        case e.KeyRevoked(kid):
            yield End(Key, {"kid": (kid,)})
        case e.SearchPerformed():
            yield Enter(
                Search(
                    entered=at,
                    search_id=entry.search_id,
                    attempt=entry.attempt,
                    requester=entry.requester,
                    user=entry.user,
                    purpose=entry.purpose,
                    shown_max=entry.shown_max,
                    reopens=entry.reopens,
                )
            )
        case e.SearchWithheld(search_id):
            yield Enter(Withheld(entered=at, search_id=search_id))
        case e.ReviewRecorded(review_id, search_id):
            yield Enter(
                Review(entered=at, review_id=review_id, search_id=search_id, user=entry.user, commitment=entry.commitment)
            )
        case e.RecordRevealed(reveal_id, search_id):
            yield Enter(
                Reveal(entered=at, reveal_id=reveal_id, search_id=search_id, user=entry.user, commitment=entry.commitment)
            )
        case e.ErasureCertified(certificate_id, order_id):
            yield Enter(Certificate(entered=at, certificate_id=certificate_id, order_id=order_id))
        case _:  # OrderRefused, PolicyAdopted: said for the reader of the journal, nothing to judge by
            return


def _admit(record: e.AdmittedRecord, at: int) -> Iterator[Change]:
    yield Enter(
        Record(
            entered=at,
            record_id=record.record_id,
            owner=record.owner,
            record_class=record.record_class,
            version=record.version,
            enrolment_sha256=record.enrolment_sha256,
        )
    )
    for index in admitted_indexes(record, at):
        yield Enter(index)


def admitted_indexes(record: e.AdmittedRecord, at: int) -> tuple[Index, ...]:
    """Return the index rows of an admitted record; those by which a record would be known again make kin."""
    kin = (e.IndexKind.BOOKING, e.IndexKind.PHOTOGRAPH)
    return tuple(
        Index(entered=at, record_id=record.record_id, target=index_target(index), kin=index.kind in kin)
        for index in record.indexes
    )


def _cover(order: e.Cover, at: int, signer: Signer) -> Iterator[Change]:
    kind, mode, lapses_at = "seal", "DESTROY", None
    if isinstance(order, e.RecordsSealed):
        mode = order.mode
    elif isinstance(order, e.RecordsProvisionallySealed):
        kind, mode, lapses_at = "provisional", "COURT_ORDER_ONLY", order.lapses_at
    else:
        kind = "expungement"
    owner_only = Ori(signer.party) if signer.role is e.Role.AGENCY else None
    for target in dict.fromkeys([*map(record_target, order.records), *map(index_target, order.indexes)]):
        yield Enter(
            Suppression(
                entered=at,
                order_id=order.order_id,
                kind=kind,
                target=target,
                owner_only=owner_only,
                mode=mode,
                statute=order.statute,
                entered_by=signer.party,
                lapses_at=lapses_at,
            )
        )


def _lift(order: e.Lift, signer: Signer) -> Change:
    kinds = ("provisional",) if isinstance(order, e.ProvisionalSealLifted) else ("seal", "provisional")
    where: dict[str, tuple[str, ...]] = {"order_id": order.ends, "kind": kinds}
    if signer.role is e.Role.AGENCY:  # an owner ends its own orders only; a court any
        where["entered_by"] = (signer.party,)
    return End(Suppression, where)


class MemoryLedger:
    """The pure reference: the same changes, executed on lists."""

    def __init__(self) -> None:
        self.rows: dict[type[Row], dict[tuple[object, ...], Row]] = {kind: {} for kind in IDENTITY}

    def execute(self, changes: tuple[Change, ...], at: int) -> None:
        """Apply the changes of the entry at this position."""
        for change in changes:
            if isinstance(change, Enter):
                kind = type(change.row)
                key = tuple(getattr(change.row, name) for name in IDENTITY[kind])
                self.rows[kind].setdefault(key, change.row)
            else:
                self._end(change, at)

    def _end(self, change: End, at: int) -> None:
        for key, row in self.rows[change.kind].items():
            named = all(getattr(row, name) in values for name, values in change.where.items())
            if named and row.ended == END and row.entered < at:
                self.rows[change.kind][key] = ended(row, at)


def ended(row: Row, at: int) -> Row:
    """Return the same fact, ended at a position."""
    fields = {name: getattr(row, name) for kind in type(row).__mro__ for name in getattr(kind, "__slots__", ())}
    return type(row)(**{**fields, "ended": at})
