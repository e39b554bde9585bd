"""The verdict: may this requester be shown this record, as of a place in the journal? (rules 1-4; the pure reference)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import TypeVar

from comity.domain import posting as p
from comity.domain.entries import RecordClass, Role
from comity.domain.ids import KeyId, Ori, RecordId
from comity.domain.policy import MODES
from comity.domain.standing import counted


class Verdict(StrEnum):
    """The verdict's reason, for auditors; a caller sees only whether a record is there (R32)."""

    STANDS = "stands"
    NOT_ADMITTED = "not-admitted"
    SUPPRESSED = "suppressed"
    NOT_REGISTERED = "not-registered"
    NOT_GRANTED = "not-granted"


@dataclass(frozen=True, slots=True)
class Question:
    """Who asks, for what, with which right, among which classes of record."""

    requester: Ori
    purpose: str
    right: str
    classes: frozenset[RecordClass]


@dataclass(frozen=True)
class Facts:
    """The rows that bear on a judgement, from one snapshot of the ledger, whose position (``applied``) is part of it."""

    applied: int
    records: tuple[p.Record, ...] = ()
    indexes: tuple[p.Index, ...] = ()
    suppressions: tuple[p.Suppression, ...] = ()
    lifts: tuple[p.Lift, ...] = ()
    revocations: tuple[p.Revocation, ...] = ()
    keys: tuple[p.Key, ...] = ()  # the exchange's own
    grants: tuple[p.Grant, ...] = ()
    agencies: tuple[p.Agency, ...] = ()
    ticks: tuple[p.Tick, ...] = ()

    @cached_property
    def _versions(self) -> dict[RecordId, list[p.Record]]:
        return _grouped(self.records, lambda row: row.record_id)

    @cached_property
    def _of_record(self) -> dict[RecordId, list[p.Index]]:
        return _grouped(self.indexes, lambda row: row.record_id)

    @cached_property
    def _of_target(self) -> dict[str, list[p.Index]]:
        return _grouped(self.indexes, lambda row: row.target)

    def clock(self, as_of: int) -> p.Tick | None:
        """Return the clock as the newest tick, or ruling on ticks, before a position left it (rule 8)."""
        return max((tick for tick in self.ticks if tick.entered < as_of), key=lambda tick: tick.entered, default=None)

    def record(self, record_id: RecordId, as_of: int) -> p.Record | None:
        """Return the record's highest version admitted by then, by a key that was not revoked from before it (rule 13)."""
        held = counted(self._versions.get(record_id, ()), self.revocations, as_of)
        return max(held, key=lambda row: (row.version, -row.entered), default=None)

    def own(self, record_id: RecordId, as_of: int) -> frozenset[str]:
        """Return the targets that are this record's own: itself and its indexes, without its kin's."""
        held = (row.target for row in self._of_record.get(record_id, ()) if row.holds(as_of))
        return frozenset(held) | {p.record_target(record_id)}

    def targets(self, record_id: RecordId, as_of: int) -> frozenset[str]:
        """Return all that an order may name to cover this record: itself, its indexes, and its kin's.

        Kin are records with the same booking number or photograph file: a sealed record must not come back under another id.
        """
        own = [row for row in self._of_record.get(record_id, ()) if row.holds(as_of)]
        bearers = (row for one in own if one.kin for row in self._of_target[one.target] if row.holds(as_of))
        kin = {row.record_id for row in bearers} | {record_id}
        held = (row.target for r in kin for row in self._of_record.get(r, ()) if row.holds(as_of))
        return frozenset(map(p.record_target, kin)).union(held)

    def covering(self, record: p.Record, as_of: int) -> tuple[p.Suppression, ...]:
        """Return the orders that cover this record as of a position."""
        if not self.suppressions:
            return ()
        names = self.targets(record.record_id, as_of)
        return tuple(
            row
            for row in self.suppressions
            if row.target in names and row.owner_only in (None, record.owner) and self.stands(row, as_of)
        )

    def stands(self, order: p.Suppression, as_of: int) -> bool:
        """Say whether an order stands as of a position: entered, not lifted, not lapsed."""
        return order.holds(as_of) and self.lifted(order, as_of) is None and not self.lapsed(order, as_of)

    def lifted(self, order: p.Suppression, as_of: int) -> p.Lift | None:
        """Return what ended an order by then; a lift by a key whose revocation reaches back to it never counted (rule 13)."""
        ending = (row for row in self.lifts if row.ends(order, as_of) and not self.void(row, as_of))
        return min(ending, key=lambda row: row.entered, default=None)

    def lapsed(self, order: p.Suppression, as_of: int) -> bool:
        """Say whether a provisional seal's time was up by then: by what is settled, so that one wrong tick opens nothing."""
        if order.lapses_at is None:
            return False
        now = self.clock(as_of)
        return now is not None and now.settled is not None and order.lapses_at <= now.settled

    def in_force(self, grant: p.Grant, as_of: int) -> bool:
        """Say whether a grant holds as of a position: not revoked, its key not void, and not expired by any tick that counts."""
        now = self.clock(as_of)
        expired = now is None or now.latest is None or grant.expires_at <= now.latest
        return not expired and grant.holds(as_of) and not self.void(grant, as_of)

    def void(self, row: p.Row, as_of: int) -> bool:
        """Say whether a loosening row never counted, as of a position: its key was revoked from before it (rule 13)."""
        return any(revocation.voids(row, as_of) for revocation in self.revocations)

    def speaks(self, kid: KeyId, as_of: int) -> bool:
        """Say whether this key is the exchange's own as of a position."""
        return any(key.key_id == kid and key.role is Role.EXCHANGE and key.holds(as_of) for key in self.keys)


Name = TypeVar("Name", bound=str)
Row = TypeVar("Row", bound=p.Row)


def _grouped(rows: Iterable[Row], name: Callable[[Row], Name]) -> dict[Name, list[Row]]:
    groups: dict[Name, list[Row]] = {}
    for row in rows:
        groups.setdefault(name(row), []).append(row)
    return groups


def verdict(facts: Facts, question: Question, record_id: RecordId, as_of: int) -> Verdict:
    """Judge one record as of a position; unknown facts withhold."""
    if not any(row.ori == question.requester and row.holds(as_of) for row in facts.agencies):
        return Verdict.NOT_REGISTERED
    record = facts.record(record_id, as_of)
    if record is None:
        return Verdict.NOT_ADMITTED
    own = record.owner == question.requester
    for order in facts.covering(record, as_of):
        mode = MODES.get(order.mode)
        if not own or mode is None or not mode.owner_searches:
            return Verdict.SUPPRESSED
    if record.record_class not in question.classes:
        return Verdict.NOT_GRANTED
    if own or granted(facts, question, record.owner, record.record_class, as_of):
        return Verdict.STANDS
    return Verdict.NOT_GRANTED


def granted(facts: Facts, question: Question, owner: Ori, record_class: RecordClass, as_of: int) -> bool:
    """Say whether a grant of this owner lets the requester do this, as of a position; minors are never shared (R3)."""
    return record_class is not RecordClass.MINOR and any(
        row.owner == owner
        and row.grantee == question.requester
        and record_class in row.classes
        and question.purpose in row.purposes
        and question.right in row.rights
        and facts.in_force(row, as_of)
        for row in facts.grants
    )


def blocks(facts: Facts, question: Question, as_of: int) -> frozenset[tuple[Ori, RecordClass]]:
    """Return which agencies' records of which class the requester may search: what the gallery is asked."""
    own = {(question.requester, c) for c in question.classes}
    owners = {row.owner for row in facts.grants if row.grantee == question.requester}
    shared = {(o, c) for o in owners for c in question.classes if granted(facts, question, o, c, as_of)}
    return frozenset(own | shared)


def bound(facts: Facts, order: Sequence[p.Suppression], as_of: int) -> tuple[p.Record, ...]:
    """Return the records that an order of these rows, entered at ``as_of``, would bind by itself: what a preview shows.

    It is the computation that withholds a record once the order stands, on facts in which no other order does.
    """
    alone = replace(facts, suppressions=tuple(order), lifts=())
    versions = (alone.record(record_id, as_of) for record_id in sorted({row.record_id for row in facts.records}))
    return tuple(record for record in versions if record is not None and alone.covering(record, as_of + 1))
