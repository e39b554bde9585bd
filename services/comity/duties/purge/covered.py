"""Which records an expungement reaches: those that it names, by id or by an index that they bear.

Kin, which share a booking number or a photograph's file with them, are hidden too, but nobody ordered them destroyed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from comity.acts.enrol import covering
from comity.domain.entries import RecordEnrolled
from comity.domain.ids import OrderId, OrderName, Ori, RecordId
from comity.domain.judge import Facts
from comity.domain.posting import Record, Suppression, record_target
from comity.duties.purge import rejected
from comity.ports import LedgerView, PhotoStore

EXPUNGEMENT = "expungement"
CHUNK = 1_000  # records judged at once: what one admission may hold


@dataclass(frozen=True, slots=True)
class Reached:
    """Records that an order reaches, with their owners, and where they came up: at the order, or at an admission behind it."""

    order: OrderName
    ordered: int
    place: int
    owners: Mapping[RecordId, Ori]


def by_order(ledger: LedgerView, photos: PhotoStore, order_id: OrderId, ordered: int) -> Reached | None:
    """Return what the order of this id at this place reaches now; None where it was refused, for then it has no rows."""
    rows = ledger.rows(Suppression, entered=ordered, kind=EXPUNGEMENT)
    if not rows:
        return None
    name = OrderName(rows[0].entered_by, order_id)
    named = ledger.found({row.target for row in rows})
    owners = {record.record_id: record.owner for record, orders in _naming(ledger, named) if (name, ordered) in orders}
    never = {
        record: owner
        for record, owner in rejected.bearing(photos, {row.target for row in rows}).items()
        if rows[0].owner_only in (None, owner) and not ledger.rows(Record, record_id=record)
    }
    return Reached(name, ordered, ordered, owners | never)


def by_admission(ledger: LedgerView, records: Collection[RecordId], place: int) -> list[Reached]:
    """Return the orders before an admission that reach what it admitted."""
    reached: dict[tuple[OrderName, int], dict[RecordId, Ori]] = {}
    for record, orders in _naming(ledger, records):
        for name, ordered in orders:
            if ordered < place:
                reached.setdefault((name, ordered), {})[record.record_id] = record.owner
    return [Reached(name, ordered, place, found) for (name, ordered), found in sorted(reached.items())]


def by_names(ledger: LedgerView, event: RecordEnrolled) -> list[tuple[OrderName, int]]:
    """Return the orders that destroy an enrolment which had no effect, and where they stand.

    Of a record that stands, those that name it: what came behind them goes with it. Of one that was never admitted, those
    that cover what it would be, by its kin too: the person's photograph does not come back under another number.
    """
    standing = [orders for _, orders in _naming(ledger, [event.record_id])]
    if standing:
        return sorted(standing[0])
    rows = covering(ledger, event.owner, event.record_id, event.indexes)
    return sorted({(OrderName(row.entered_by, row.order_id), row.entered) for row in rows if row.kind == EXPUNGEMENT})


def _naming(ledger: LedgerView, records: Collection[RecordId]) -> Iterator[tuple[Record, set[tuple[OrderName, int]]]]:
    """Yield these records, each with the expungements that name it or an index that it bears, and where these stand."""
    ordered = sorted(set(records))
    for start in range(0, len(ordered), CHUNK):
        part = ordered[start : start + CHUNK]
        facts = ledger.facts("", part, ledger.progress().next)
        standing = _standing(facts)
        targets = {record: {record_target(record)} for record in part}
        for row in facts.indexes:
            targets.get(row.record_id, set()).add(row.target)
        for record in part:
            held = facts.record(record, facts.applied) or _void(facts, record)
            if held is not None:
                yield held, _orders(targets[record], held.owner, standing)


def _void(facts: Facts, record: RecordId) -> Record | None:
    """Return the newest version of a record of which none counts: its bytes are there all the same."""
    return max((row for row in facts.records if row.record_id == record), key=lambda row: row.version, default=None)


def _standing(facts: Facts) -> dict[str, list[Suppression]]:
    """Return the expungements that stand, by target."""
    standing: dict[str, list[Suppression]] = {}
    for row in facts.suppressions:
        if row.kind == EXPUNGEMENT and row.holds(facts.applied):
            standing.setdefault(row.target, []).append(row)
    return standing


def _orders(targets: Iterable[str], owner: Ori, standing: Mapping[str, list[Suppression]]) -> set[tuple[OrderName, int]]:
    orders: set[tuple[OrderName, int]] = set()
    for target in targets:
        for row in standing.get(target, ()):
            if row.owner_only in (None, owner):
                orders.add((OrderName(row.entered_by, row.order_id), row.entered))
    return orders
