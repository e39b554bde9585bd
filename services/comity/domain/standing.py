"""What an entry is about must be there, and be its own: a verdict over the rows of the journal before it (rule 7)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Protocol

from comity.domain import entries as e
from comity.domain.authority import REPEATED, Refusal
from comity.domain.ids import END, KeyId, OrderName, PartyId, RecordId
from comity.domain.rows import Certificate, Grant, Key, Lift, Record, Revocation, Row, RowT, Suppression

ENDED_BEFORE = "ended-before"
LOOSENING = (*e.Lift.__args__, e.ShareGranted)  # what a revocation that reaches back makes void (rule 13)


class Held(Protocol):
    """The rows that stand before an entry: the ledger's, and what is not committed yet."""

    def order(self, name: OrderName) -> Suppression | None:
        """Return one row of a covering order, or None where there is none of this name."""
        ...

    def versions(self, records: Collection[RecordId]) -> Sequence[Record]:
        """Return every version of these records, void ones too."""
        ...

    def ticked(self, kid: KeyId, at: datetime) -> int | None:
        """Return the position at which this key entered a tick of this time, or None."""
        ...

    def rows(self, kind: type[RowT], /, **where: str | int) -> Sequence[RowT]:
        """Return all rows of one kind with these values: grants, lifts, keys and revocations are asked for."""
        ...


def voided(kid: KeyId, position: int, revocations: Iterable[Revocation]) -> bool:
    """Say whether what this key entered at a position never counted: it was revoked from before it."""
    return any(r.void_from is not None and r.key_id == kid and position >= r.void_from for r in revocations)


def never_counted(entry: e.Event, name: OrderName, by: tuple[KeyId, int], held: Held) -> bool:
    """Say whether what bears this loosening entry's id, entered by a key at a position, was void from the start.

    A covering order of that id counts whatever became of its key: only what loosens falls with it (rule 13).
    """
    if not isinstance(entry, LOOSENING) or held.order(name) is not None:
        return False
    return voided(*by, held.rows(Revocation, key_id=by[0]))


def refuse_named(entry: e.Event, party: PartyId, kid: KeyId, held: Held, at: int) -> Refusal | None:
    """Return why an entry at this position would do nothing, or would take a record from its owner; None for any other.

    ``party``, ``kid``: who signed it. A tick is known by its time: no key ticks twice in one millisecond.
    """
    match entry:
        case e.ClockTicked():
            before = held.ticked(kid, entry.at)
            return None if before is None else Refusal(REPEATED, f"This tick stands already, at position {before}.")
        case e.ShareRevoked():
            return _refuse_taking_back(held.rows(Grant, owner=party, grant_id=entry.grant_id), at)
        case e.KeyRevoked():
            return _refuse_revocation(entry, kid, held)
        case e.ProvisionalSealLifted() | e.RecordsUnsealed():
            refused = next(filter(None, (_refuse_end(entry, name, held) for name in entry.ends)), None)
            return refused or _refuse_again(entry, kid, held)
        case e.RecordsAdmitted():
            return _refuse_owner(entry, held, at)
        case _:
            return None


def counted(versions: Iterable[Record], revocations: Collection[Revocation], as_of: int) -> list[Record]:
    """Return the versions, of any records, that count as of a position: not by a key that was revoked from before (rule 13).

    Where a version of a record is void, those beside it count only if they were admitted since: the void one may have been an
    honest correction that made somebody a minor, so nothing older opens by its fall. The encoder admits them again.
    """
    held = [row for row in versions if row.holds(as_of)]
    reaching = [row for row in revocations if row.void_from is not None and row.holds(as_of)]
    since: dict[RecordId, int] = {}
    for revocation in reaching:
        for row in held:
            if revocation.voids(row, as_of):
                since[row.record_id] = max(revocation.entered, since.get(row.record_id, -1))
    return [row for row in held if row.entered > since.get(row.record_id, -1) and not _void(row, reaching, as_of)]


def certificates(held: Held, order: OrderName) -> list[Certificate]:
    """Return an order's certificates that count: a key of the exchange that was revoked from before attested nothing."""
    rows = held.rows(Certificate, party=order.party, order_id=order.order_id)
    revocations = revocations_of(held, rows)
    return [row for row in rows if not _void(row, revocations, END)]


def revocations_of(held: Held, signed: Iterable[Row]) -> list[Revocation]:
    """Return the revocations of the keys that signed these rows: whoever judges rows by facts that were not read with them."""
    return [row for kid in sorted({row.kid for row in signed}) for row in held.rows(Revocation, key_id=kid)]


def _void(row: Row, revocations: Collection[Revocation], as_of: int) -> bool:
    return any(revocation.voids(row, as_of) for revocation in revocations)


def _refuse_taking_back(grants: Sequence[Grant], at: int) -> Refusal | None:
    if not grants:
        return Refusal("no-such-grant", "You made no grant of this number.")
    if not any(grant.holds(at) for grant in grants):
        return Refusal(ENDED_BEFORE, "You took this grant back before: it ended then.")
    return None


def _refuse_revocation(entry: e.KeyRevoked, kid: KeyId, held: Held) -> Refusal | None:
    if not held.rows(Key, key_id=entry.kid):
        return Refusal("no-such-key", "No key of this id was registered before.")
    if entry.kid != kid and kid in registered_by(entry.kid, entry.void_from, held.rows(Key)):
        return Refusal("ends-its-signer", "The key that signs this was registered by the other since then: it would end with it.")
    before = held.rows(Revocation, key_id=entry.kid)
    if before and entry.void_from is None:
        return Refusal(ENDED_BEFORE, f"This key was revoked before, at position {before[0].entered}.")
    further = (row for row in before if row.void_from is not None and row.void_from <= (entry.void_from or 0))
    if (row := next(further, None)) is not None:
        return Refusal(ENDED_BEFORE, f"What it said from {row.void_from} on is void already: name an earlier place, or none.")
    return None


def registered_by(key_id: KeyId, void_from: int | None, keys: Collection[Key]) -> dict[KeyId, int]:
    """Return the keys that a key registered from a position on, and those that these registered, each with its own place."""
    if void_from is None:
        return {}
    registered: dict[KeyId, list[Key]] = {}
    for key in keys:
        registered.setdefault(key.kid, []).append(key)
    found: dict[KeyId, int] = {}
    waiting = [(key_id, void_from)]
    while waiting:  # each key is registered once, so it comes up once
        by, since = waiting.pop()
        new = [key for key in registered.get(by, ()) if key.entered >= since and key.key_id not in found and key.key_id != key_id]
        found |= {key.key_id: key.entered for key in new}
        waiting += [(key.key_id, key.entered) for key in new]
    return found


def _refuse_end(lift: e.Lift, name: OrderName, held: Held) -> Refusal | None:
    order = held.order(name)
    if order is None:
        return Refusal("no-such-order", f"{name.party} entered no order {name.order_id} before.")
    if order.kind == "expungement":
        return Refusal("has-no-end", f"{name.order_id} is an expungement: it has no end.")
    if order.kind == "seal" and isinstance(lift, e.ProvisionalSealLifted):
        return Refusal("not-provisional", f"{name.order_id} is no provisional seal: an unseal ends it.")
    return None


def _refuse_again(lift: e.Lift, kid: KeyId, held: Held) -> Refusal | None:
    """Refuse what this key ended before, all of it: every row of it would be read by each judgement of a record."""
    before = [row for name in lift.ends for row in held.rows(Lift, party=name.party, order_id=name.order_id, kid=kid)]
    if {(row.party, row.order_id) for row in before} != {(name.party, name.order_id) for name in lift.ends}:
        return None
    return Refusal(ENDED_BEFORE, f"This key ended it before, by {before[-1].lift_id}: another lift would do nothing.")


def _refuse_owner(entry: e.RecordsAdmitted, held: Held, at: int) -> Refusal | None:
    """Refuse a version under another owner than the record's: an owner's orders must not be shaken off."""
    owners = {record.record_id: record.owner for record in entry.records}
    if any(owners[record.record_id] != record.owner for record in entry.records):
        return Refusal("another-owner", "An admission names two owners of one record.")
    versions = held.versions(owners)
    revocations = revocations_of(held, versions)
    sound = (row for row in versions if not _void(row, revocations, at))
    if any(row.owner != owners[row.record_id] for row in sound):
        return Refusal("another-owner", "A record keeps its owner in every version.")
    return None
