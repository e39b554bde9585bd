"""Entry → ledger rows: what a journal entry changes, as data (rules 1, 2, 8, 10).

The SQL ledger and ``MemoryLedger`` both execute these changes; tests compare them on generated histories.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import cast

from comity.domain import entries as e
from comity.domain import provisional
from comity.domain.ids import END, KeyId, OrderName, Ori, PartyId, RecordId
from comity.domain.rows import (
    IDENTITY,
    Agency,
    Certificate,
    Court,
    Exchange,
    Grant,
    Index,
    IndexKey,
    Key,
    Lift,
    Preview,
    Record,
    Reveal,
    Review,
    Revocation,
    Row,
    RowT,
    Ruling,
    Search,
    Suppression,
    Tick,
    Withheld,
)
from comity.domain.standing import registered_by

__all__ = [
    "IDENTITY",
    "Agency",
    "Certificate",
    "Change",
    "Court",
    "End",
    "Enter",
    "Exchange",
    "Grant",
    "Index",
    "IndexKey",
    "Key",
    "Lift",
    "MemoryLedger",
    "Preview",
    "Record",
    "Reveal",
    "Review",
    "Revocation",
    "Row",
    "RowT",
    "Ruling",
    "Search",
    "Signer",
    "Suppression",
    "Tick",
    "Withheld",
    "admitted_indexes",
    "ended",
    "index_target",
    "post",
    "record_target",
]


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
    """Whose verified signature an entry bears, and by which key."""

    party: PartyId
    role: e.Role
    kid: KeyId


def record_target(record_id: RecordId) -> str:
    """Return the target that stands for a record itself."""
    return f"record:{record_id}"


def index_target(index: e.BlindIndex) -> str:
    """Return the target that stands for a blind index, its key's version included."""
    return f"{index.kind}:{index.key_version}:{index.tag}"


def post(entry: e.JournalEntry, at: int, signer: Signer, appended_at: datetime, keys: Collection[Key] = ()) -> tuple[Change, ...]:
    """Return what this entry changes at its position, given that ``signer`` may enter it (see ``authority``).

    ``appended_at``: the log's own time of the entry. Every row that is entered carries it, and the signer's key.
    ``keys``: every key that was registered before, in force or not: a revocation reaches those that the revoked key registered.
    Ticks, and rulings on them, are posted by ``domain/clock``, which knows those before.
    """
    return tuple(
        Enter(replace(change.row, kid=signer.kid, entered_at=appended_at)) if isinstance(change, Enter) else change
        for change in (_revoke(entry, at, keys) if isinstance(entry, e.KeyRevoked) else _changes(entry, at, signer))
    )


def _changes(entry: e.JournalEntry, at: int, signer: Signer) -> Iterator[Change]:
    match entry:
        case e.RecordsAdmitted():
            for record in entry.records:
                yield from _admit(record, at)
        case e.RecordsSealed() | e.RecordsProvisionallySealed() | e.RecordsExpunged():
            yield from _cover(entry, at, signer)
        case e.ProvisionalSealLifted() | e.RecordsUnsealed():
            yield from _lift(entry, at, signer)
        case e.ShareGranted():
            yield _grant(entry, at)
        case e.ShareRevoked():
            yield End(Grant, {"grant_id": (entry.grant_id,), "owner": (signer.party,)})
        case _:
            yield from _parties(entry, at)
            yield from _disclosures(entry, at)


def _grant(entry: e.ShareGranted, at: int) -> Change:
    return Enter(
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


def _parties(entry: e.JournalEntry, at: int) -> Iterator[Change]:
    match entry:
        case e.ExchangeFounded(exchange_id, key_id, public_key):
            yield Enter(Exchange(entered=at, exchange_id=exchange_id))
            role = e.Role.ADMINISTRATOR
            yield Enter(Key(entered=at, key_id=key_id, party=PartyId(role), role=role, public_key=public_key))
        case e.AgencyRegistered(ori, name, requester_class):
            yield Enter(Agency(entered=at, ori=ori, name=name, requester_class=requester_class))
        case e.CourtRegistered(court_id, name):
            yield Enter(Court(entered=at, court_id=court_id, name=name))
        case e.KeyRegistered(key_id, party, role, public_key):
            yield Enter(Key(entered=at, key_id=key_id, party=party, role=role, public_key=public_key))
        case e.IndexKeyIssued(name, version, check):
            yield Enter(IndexKey(entered=at, name=name, version=version, check=check))
        case _:
            return


def _revoke(entry: e.KeyRevoked, at: int, keys: Collection[Key]) -> Iterator[Change]:
    """End a key; and where its words are void from a place on, each key that it registered from there on, as though never."""
    void: dict[KeyId, int | None] = {entry.kid: entry.void_from, **registered_by(entry.kid, entry.void_from, keys)}
    yield End(Key, {"key_id": tuple(void)})
    for key_id, void_from in void.items():
        yield Enter(Revocation(entered=at, key_id=key_id, void_from=void_from))


def _disclosures(entry: e.JournalEntry, at: int) -> Iterator[Change]:
    match entry:
        case e.SearchPerformed():
            yield _search(entry, at)
        case e.SearchWithheld(search_id):
            yield Enter(Withheld(entered=at, search_id=search_id))
        case e.ReviewRecorded(review_id, attempt, search_id):
            review = Review(
                entered=at,
                review_id=review_id,
                attempt=attempt,
                search_id=search_id,
                user=entry.user,
                commitment=entry.commitment,
            )
            yield Enter(review)
        case e.RecordRevealed(reveal_id, attempt, search_id):
            reveal = Reveal(
                entered=at,
                reveal_id=reveal_id,
                attempt=attempt,
                search_id=search_id,
                user=entry.user,
                commitment=entry.commitment,
            )
            yield Enter(reveal)
        case e.OrderPreviewed(preview_id, attempt, party, user):
            yield Enter(Preview(entered=at, preview_id=preview_id, attempt=attempt, party=party, user=user))
        case e.ErasureCertified():
            yield _certificate(entry, at)
        case _:  # OrderRefused, PolicyAdopted and their like: said for the journal's reader, nothing to judge by
            return


def _search(entry: e.SearchPerformed, at: int) -> Change:
    return Enter(
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


def _certificate(entry: e.ErasureCertified, at: int) -> Change:
    return Enter(
        Certificate(
            entered=at,
            certificate_id=entry.certificate_id,
            party=entry.order.party,
            order_id=entry.order.order_id,
            part=entry.part,
            scope=entry.scope,
            found=entry.found,
            said=said_of(entry),
        )
    )


def said_of(certificate: e.ErasureCertified) -> bytes:
    """Return a digest of what a certificate says, whenever it says so: another one of the same says nothing new."""
    said = [[(what.kind, what.count) for what in certificate.sought], certificate.found, certificate.not_scanned]
    return hashlib.sha256(json.dumps(said).encode()).digest()


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
        kind, mode, lapses_at = "provisional", provisional.MODE, order.lapses_at
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
                clerk=order.clerk,
            )
        )


def _lift(order: e.Lift, at: int, signer: Signer) -> Iterator[Change]:
    for name in dict.fromkeys(order.ends):
        yield Enter(
            Lift(
                entered=at,
                lift_id=order.order_id,
                lifted_by=signer.party,
                party=name.party,
                order_id=name.order_id,
                provisional_only=isinstance(order, e.ProvisionalSealLifted),
                authority=order.authority,
                clerk=order.clerk,
            )
        )


class MemoryLedger:
    """The pure reference: the same changes, executed on lists."""

    def __init__(self) -> None:
        self.rows: dict[type[Row], dict[tuple[object, ...], Row]] = {kind: {} for kind in IDENTITY}
        self._versions: dict[RecordId, list[Record]] = {}
        self._orders: dict[OrderName, Suppression] = {}
        self._ticked: dict[tuple[KeyId, datetime], int] = {}

    def execute(self, changes: tuple[Change, ...], at: int) -> None:
        """Apply the changes of the entry at this position."""
        for change in changes:
            if isinstance(change, Enter):
                kind = type(change.row)
                key = tuple(getattr(change.row, name) for name in IDENTITY[kind])
                if self.rows[kind].setdefault(key, change.row) is change.row:
                    self._known_by_name(change.row)
            else:
                self._end(change, at)

    def those(self, kind: type[RowT], /, **where: str | int) -> tuple[RowT, ...]:
        """Return the rows of one kind with these values, oldest first."""
        held = cast("tuple[RowT, ...]", tuple(self.rows[kind].values()))
        return tuple(row for row in held if all(getattr(row, name) == value for name, value in where.items()))

    def ticked(self, kid: KeyId, at: datetime) -> int | None:
        """Return the position at which this key entered a tick of this time, or None."""
        return self._ticked.get((kid, at))

    def order(self, name: OrderName) -> Suppression | None:
        """Return one row of a covering order, or None."""
        return self._orders.get(name)

    def versions(self, records: Collection[RecordId]) -> tuple[Record, ...]:
        """Return every version of these records, void ones too."""
        return tuple(row for record in records for row in self._versions.get(record, ()))

    def _known_by_name(self, row: Row) -> None:
        """Keep by its name what is asked for at each entry; neither ever ends."""
        if isinstance(row, Record):
            self._versions.setdefault(row.record_id, []).append(row)
        elif isinstance(row, Suppression):
            self._orders.setdefault(OrderName(row.entered_by, row.order_id), row)
        elif isinstance(row, Tick) and row.tick and row.at is not None:
            self._ticked.setdefault((row.kid, row.at), row.entered)

    def ticks_before(self, position: int, count: int) -> tuple[Tick, ...]:
        """Return the newest ticks and rulings' rows entered before a position, oldest first."""
        return tuple(row for row in self._ticks() if row.entered < position)[-count:]

    def ticks_from(self, position: int, count: int) -> tuple[Tick, ...]:
        """Return the first ticks and rulings' rows entered at a position or after it, oldest first."""
        return tuple(row for row in self._ticks() if row.entered >= position)[:count]

    def _ticks(self) -> tuple[Tick, ...]:
        return cast("tuple[Tick, ...]", tuple(self.rows[Tick].values()))

    def _end(self, change: End, at: int) -> None:
        for key, row in self.rows[change.kind].items():
            named = all(getattr(row, name) in values for name, values in change.where.items())
            if named and row.ended == END and row.entered < at:
                self.rows[change.kind][key] = ended(row, at)


def ended(row: RowT, at: int) -> RowT:
    """Return the same fact, ended at a position."""
    return replace(row, ended=at)
