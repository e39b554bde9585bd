"""What the projector has read and not committed yet, beside what the ledger holds: together the rows before the next entry."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import product

from comity.domain.ids import KeyId, OrderName, RecordId
from comity.domain.log import Placed
from comity.domain.posting import Enter, ended
from comity.domain.rows import Grant, Key, Lift, Record, Revocation, Row, RowT, Suppression, Tick
from comity.ports import Ledger, Posted, Taken


@dataclass
class Keys:
    """The keys and the revocations of the whole journal so far: few, and asked for at every entry."""

    of: dict[str, Key] = field(default_factory=dict)
    revocations: dict[KeyId, list[Revocation]] = field(default_factory=dict)

    def learn(self, revocation: Revocation) -> None:
        """Take a revocation."""
        self.revocations.setdefault(revocation.key_id, []).append(revocation)


class Pending:
    """One transaction's entries so far. It answers as the ledger will once they are committed (``domain.standing.Held``)."""

    def __init__(self, ledger: Ledger, keys: Keys) -> None:
        self._ledger, self._keys = ledger, keys
        self.done: list[tuple[Placed, Posted]] = []
        self.changes = 0
        self._taken: dict[tuple[str, str], Taken] = {}
        self._orders: dict[OrderName, Suppression] = {}
        self._grants: list[Grant] = []
        self._taken_back: dict[tuple[str, str], int] = {}  # by owner and id of a grant: where it was
        self._lifts: dict[tuple[str, str], list[Lift]] = {}
        self._ticks: dict[tuple[KeyId, datetime], int] = {}
        self._versions: dict[RecordId, list[Record]] = {}

    def expect(self, records: Collection[RecordId]) -> None:
        """Look up, all at once, records that entries admit: one query for each entry would take as long as all else."""
        new = [record for record in records if record not in self._versions]
        self._versions |= {record: [] for record in new}
        for row in self._ledger.versions(new) if new else ():
            self._versions[row.record_id].append(row)

    def add(self, placed: Placed, posted: Posted) -> None:
        """Take an entry, and what it comes to."""
        self.done.append((placed, posted))
        self.changes += len(posted.changes)
        if posted.taken is not None:
            taken = Taken(posted.value_sha256, posted.position, posted.kid, posted.refused is not None)
            self._taken[posted.signer, posted.taken] = taken
        for change in posted.changes:
            if isinstance(change, Enter):
                self._enter(change.row)
            elif change.kind is Grant:
                for name in product(change.where["owner"], change.where["grant_id"]):
                    self._taken_back.setdefault(name, posted.position)

    def taken(self, signer: str, event_id: str) -> Taken | None:
        """Return what stands under this id already."""
        return self._taken.get((signer, event_id)) or self._ledger.seen(signer, event_id)

    def ticked(self, kid: KeyId, at: datetime) -> int | None:
        """Return the position at which this key entered a tick of this time."""
        pending = self._ticks.get((kid, at))
        return self._ledger.ticked(kid, at) if pending is None else pending

    def order(self, name: OrderName) -> Suppression | None:
        """Return one row of a covering order."""
        return self._orders.get(name) or self._ledger.order(name)

    def versions(self, records: Collection[RecordId]) -> Sequence[Record]:
        """Return every version of these records, void ones too."""
        self.expect(records)
        return [row for record in records for row in self._versions[record]]

    def rows(self, kind: type[RowT], /, **where: str | int) -> Sequence[RowT]:
        """Return all rows of one kind with these values: of grants, lifts, keys and revocations alone."""
        held: Iterable[Row]
        if kind is Key:
            held = self._keys.of.values()
        elif kind is Revocation:
            held = self._keys.revocations.get(KeyId(str(where["key_id"])), ())
        elif kind is Grant:
            held = map(self._as_it_is, (*self._ledger.rows(Grant, **where), *self._grants))
        elif kind is Lift:
            held = (*self._ledger.rows(Lift, **where), *self._lifts.get((str(where["party"]), str(where["order_id"])), ()))
        else:
            raise TypeError(f"{kind.__name__} is not asked for before it is committed")
        return tuple(
            row for row in held if isinstance(row, kind) and all(getattr(row, name) == value for name, value in where.items())
        )

    def _as_it_is(self, grant: Grant) -> Grant:
        """Return a grant as taken back, where it was since the last commit."""
        at = self._taken_back.get((grant.owner, grant.grant_id))
        return grant if at is None or not grant.entered < at <= grant.ended else ended(grant, at)

    def _enter(self, row: Row) -> None:
        if isinstance(row, Suppression):
            self._orders.setdefault(OrderName(row.entered_by, row.order_id), row)
        elif isinstance(row, Grant):
            self._grants.append(row)
        elif isinstance(row, Lift):
            self._lifts.setdefault((row.party, row.order_id), []).append(row)
        elif isinstance(row, Tick) and row.tick and row.at is not None:
            self._ticks[row.kid, row.at] = row.entered
        elif isinstance(row, Record):
            self._versions[row.record_id].append(row)
