"""The ledger on SQL: executes what ``domain/posting`` says, and reads one snapshot for ``domain/judge``.

It writes in one place only: ``apply`` executes a batch's changes, then moves ``applied.next`` where it still is what the caller
saw, in one transaction. A crash before the commit leaves the batch to be applied again; a writer of an older epoch rolls back.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import fields
from datetime import datetime
from itertools import product
from typing import Any, TypeVar

from sqlalchemy import (
    Connection,
    Engine,
    RowMapping,
    Select,
    Table,
    and_,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.dialects.sqlite import insert as insert_or_nothing

from comity.adapters.sql import ages
from comity.adapters.sql.snapshot import comes_to_an_end, snapshot
from comity.adapters.sql.statements import (
    FOUND,
    KEYS,
    KIN,
    LIFTS,
    NAMES,
    OWN_INDEXES,
    RECORDS,
    REFUSE,
    REVOCATIONS,
    SUPPRESSIONS,
    TICKS,
    TICKS_BEFORE,
    TICKS_FROM,
    columns,
)
from comity.adapters.sql.tables import APPLIED, REFUSED, SEEN, TABLES
from comity.domain import posting as p
from comity.domain.authority import REPEATED, Refusal
from comity.domain.clock import Stretch
from comity.domain.entries import Role
from comity.domain.ids import END, OrderName, RecordId
from comity.domain.judge import Facts
from comity.domain.merkle import Frontier
from comity.domain.standing import counted
from comity.errors import Halted
from comity.ports import Posted, Progress, Taken

NAME = "ledger"
NEWEST = struct.Struct(">q32s")  # a position and its leaf's hash
ROWS_MAX, REFUSALS_MAX, REPEATS_MAX = 10_000, 1_000, 100
CHUNK = 500  # values in one IN list; SQLite takes 32,766 parameters in a statement

Row = TypeVar("Row", bound=p.Row)
S, T = (TABLES[kind] for kind in (p.Suppression, p.Tick))


class SqlLedger:
    """The ledger of one database. Reading is thread-safe; ``apply`` belongs to the projector."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    # --- reading: each method is one transaction, so one snapshot ---

    def facts(self, requester: str, records: Collection[RecordId], as_of: int) -> Facts:
        """Return the rows that bear on these records for this requester, and the position they are from."""
        return snapshot(self._engine, requester, records, as_of)

    def prospect(self, targets: Collection[str]) -> Facts:
        """Return the rows that bear on a record not admitted yet."""
        with self._engine.begin() as connection:
            applied = _progress(connection).next
            kin = _strings(connection, KIN, targets=targets)
            own = _fetch(connection, OWN_INDEXES, p.Index, records=kin)
            names = {*targets, *(p.record_target(RecordId(r)) for r in kin), *(row.target for row in own)}
            lifts = _fetch(connection, LIFTS, p.Lift, targets=names)
            return Facts(
                applied=applied,
                indexes=own,
                suppressions=_fetch(connection, SUPPRESSIONS, p.Suppression, targets=names),
                lifts=lifts,
                revocations=_revocations(connection, lifts),
                ticks=_fetch(connection, TICKS, p.Tick, as_of=applied),
            )

    def reach(self, targets: Collection[str], as_of: int) -> Facts:
        """Return the rows that bear on what an order of these targets would bind: its bearers, and what shares kin with them."""
        with self._engine.begin() as connection:
            applied = _progress(connection).next  # first: it fixes the snapshot
            named = {RecordId(t.removeprefix("record:")) for t in targets if t.startswith("record:")}
            near = named | {RecordId(r) for r in _strings(connection, FOUND, targets=targets)}
            near |= _kin(connection, near)
            beside = near | _kin(connection, near)  # whose orders bear on where the records stand now
            indexes = _fetch(connection, OWN_INDEXES, p.Index, records=beside)
            names = {*(row.target for row in indexes), *map(p.record_target, beside)}
            records = _fetch(connection, RECORDS, p.Record, records=near)
            lifts = _fetch(connection, LIFTS, p.Lift, targets=names)
            return Facts(
                applied=applied,
                records=records,
                indexes=indexes,
                suppressions=_fetch(connection, SUPPRESSIONS, p.Suppression, targets=names),
                lifts=lifts,
                revocations=_revocations(connection, (*records, *lifts)),
                keys=_fetch(connection, KEYS, p.Key, role=Role.EXCHANGE),
                ticks=_fetch(connection, TICKS, p.Tick, as_of=as_of),
            )

    def orders(self, party: str, *, before: int | None = None, count: int) -> tuple[p.Suppression, ...]:
        """Return one row of each of a party's newest covering orders, newest first."""
        own = (S.c.entered_by == party, S.c.entered < (END if before is None else before))
        newest = select(S.c.entered).where(*own).distinct().order_by(S.c.entered.desc()).limit(count)
        first = select(func.min(S.c.place)).where(S.c.entered.in_(newest)).group_by(S.c.entered)
        query = select(*columns(p.Suppression)).where(S.c.place.in_(first)).order_by(S.c.entered.desc())
        with self._engine.begin() as connection:
            return tuple(p.Suppression(**row) for row in connection.execute(query).mappings())

    def found(self, targets: Collection[str]) -> tuple[RecordId, ...]:
        """Return the records that bear one of these targets."""
        ids = [RecordId(t.removeprefix("record:")) for t in targets if t.startswith("record:")]
        with self._engine.begin() as connection:
            named = {row.record_id for row in _fetch(connection, RECORDS, p.Record, records=ids)}
            return tuple(sorted(named | {RecordId(r) for r in _strings(connection, FOUND, targets=targets)}))

    def rows(self, kind: type[Row], /, **where: str | int) -> tuple[Row, ...]:
        """Return the rows of one kind with these values, oldest first."""
        return tuple(self.every(kind, **where))

    def every(self, kind: type[Row], /, **where: str | int) -> Iterator[Row]:
        """Yield the rows of one kind with these values, oldest first, in parts, so that no reader holds a snapshot for long."""
        table, last = TABLES[kind], 0
        named = and_(True, *(table.c[k] == v for k, v in where.items()))
        while True:
            after = select(table.c.place, *columns(kind)).where(table.c.place > last, named)
            query = after.order_by(table.c.place).limit(ROWS_MAX)
            with self._engine.begin() as connection:
                rows = [dict(row) for row in connection.execute(query).mappings()]
            if not rows:
                return
            last = rows[-1]["place"]
            yield from (kind(**{k: v for k, v in row.items() if k != "place"}) for row in rows)

    def newest(self, kind: type[Row], count: int) -> tuple[Row, ...]:
        """Return the newest rows of one kind, newest first."""
        table = TABLES[kind]
        with self._engine.begin() as connection:
            query = select(*columns(kind)).order_by(table.c.place.desc()).limit(count)
            return tuple(kind(**row) for row in connection.execute(query).mappings())

    def ticks_before(self, position: int, count: int) -> tuple[p.Tick, ...]:
        """Return the newest ticks and rulings' rows entered before a position, oldest first."""
        with self._engine.begin() as connection:
            return _fetch(connection, TICKS_BEFORE.limit(count), p.Tick, position=position)[::-1]

    def ticks_from(self, position: int, count: int) -> tuple[p.Tick, ...]:
        """Return the first ticks and rulings' rows entered at a position or after it, oldest first."""
        with self._engine.begin() as connection:
            return _fetch(connection, TICKS_FROM.limit(count), p.Tick, position=position)

    def signing_keys(self) -> tuple[p.Key, ...]:
        """Return every signing key."""
        return self.rows(p.Key)

    def order(self, name: OrderName) -> p.Suppression | None:
        """Return one row of a covering order, or None where there is none of this name."""
        own = (S.c.entered_by == name.party, S.c.order_id == name.order_id)
        with self._engine.begin() as connection:
            row = connection.execute(select(*columns(p.Suppression)).where(*own).limit(1)).mappings().one_or_none()
            return None if row is None else p.Suppression(**row)

    def ticked(self, kid: str, at: datetime) -> int | None:
        """Return the position at which this key entered a tick of this time, or None."""
        query = select(T.c.entered).where(T.c.at == at, T.c.kid == kid, T.c.tick).order_by(T.c.entered).limit(1)
        with self._engine.begin() as connection:
            return connection.execute(query).scalar_one_or_none()

    def ends(self, after: datetime, until: datetime) -> bool:
        """Say whether a grant or a provisional seal comes to its end after one time, and no later than another."""
        return comes_to_an_end(self._engine, after, until)

    def versions(self, records: Collection[RecordId]) -> tuple[p.Record, ...]:
        """Return every version of these records, void ones too."""
        with self._engine.begin() as connection:
            return _fetch(connection, RECORDS, p.Record, records=records)

    def admitted(self, records: Collection[RecordId]) -> tuple[p.Record, ...]:
        """Return the versions of these records that count now."""
        with self._engine.begin() as connection:
            applied = _progress(connection).next  # first: it fixes the snapshot
            versions = _fetch(connection, RECORDS, p.Record, records=records)
            return tuple(counted(versions, _revocations(connection, versions), applied))

    def seen(self, signer: str, event_id: str) -> Taken | None:
        """Return the digest, the position and the key of what was taken under this id."""
        query = select(SEEN.c.value_sha256, SEEN.c.position, SEEN.c.kid, SEEN.c.refused).where(
            SEEN.c.signer == signer, SEEN.c.event_id == event_id
        )
        with self._engine.begin() as connection:
            row = connection.execute(query).one_or_none()
            return None if row is None else Taken(*row)

    def refusals(self, signer: str | None = None) -> tuple[Posted, ...]:
        """Return the newest entries that had no effect; of repeats fewer, since anybody can append them again."""
        query = select(REFUSED).order_by(REFUSED.c.position.desc())
        query = query if signer is None else query.where(REFUSED.c.signer == signer)
        again = REFUSED.c.again
        found = self._refused(query.where(~again).limit(REFUSALS_MAX)) + self._refused(query.where(again).limit(REPEATS_MAX))
        return tuple(sorted(found, key=lambda one: one.position, reverse=True))

    def refusals_between(self, first: int, next_: int) -> tuple[Posted, ...]:
        """Return the entries without effect at these positions."""
        return self._refused(select(REFUSED).where(REFUSED.c.position >= first, REFUSED.c.position < next_))

    def _refused(self, query: Select[Any]) -> tuple[Posted, ...]:
        with self._engine.begin() as connection:
            rows = connection.execute(query).mappings()
            return tuple(_refused_row(r) for r in rows)

    def progress(self) -> Progress:
        """Return how far the ledger is."""
        with self._engine.begin() as connection:
            return _progress(connection)

    # --- writing: the projector's ---

    def claim(self, topic_id: str) -> Progress:
        """Take a new epoch of this journal's ledger."""
        with self._engine.begin() as connection:
            connection.execute(
                insert_or_nothing(APPLIED)
                .values(name=NAME, next=0, epoch=0, topic_id=topic_id, leaves=0, frontier=b"", newest=b"")
                .on_conflict_do_nothing()
            )
            connection.execute(update(APPLIED).values(epoch=APPLIED.c.epoch + 1))
            ages.opened(connection)
            progress = _progress(connection)
        ages.settle(self._engine)
        if progress.topic_id != topic_id:
            raise Halted(
                "The ledger was made from another journal than this one.",
                advice="Restore the journal that belongs to it; if that one is lost for good: comity anchor accept.",
            )
        return progress

    def apply(self, seen: Progress, after: Progress, posted: Sequence[Posted]) -> None:
        """Execute changes and move the position, in one transaction."""
        with self._engine.begin() as connection:
            moved = connection.execute(
                update(APPLIED)
                .where(APPLIED.c.next == seen.next, APPLIED.c.epoch == seen.epoch)
                .values(
                    next=after.next,
                    leaves=after.frontier.size,
                    frontier=after.frontier.to_bytes(),
                    newest=b"".join(NEWEST.pack(position, digest) for position, digest in after.newest),
                    led_from=after.stretch and after.stretch.first,
                    led_to=after.stretch and after.stretch.last,
                )
            )
            if moved.rowcount != 1:
                raise Halted("Another projector moved the ledger.", advice="Run one `comity up` on one home.")
            _execute(connection, posted)

    def reset(self) -> None:
        """Forget every row."""
        with self._engine.begin() as connection:
            for table in (*TABLES.values(), SEEN, REFUSED, APPLIED):
                connection.execute(delete(table))


def _refused_row(row: RowMapping) -> Posted:
    refusal = Refusal(row["reason"], row["message"])
    return Posted(row["position"], row["signer"], refused=refusal, event_id=row["event_id"])


def _progress(connection: Connection) -> Progress:
    row = connection.execute(select(APPLIED)).mappings().one_or_none()
    if row is None:
        return Progress(0, 0, "", Frontier())
    frontier = Frontier.from_bytes(row["leaves"], row["frontier"])
    newest = tuple(NEWEST.iter_unpack(row["newest"]))
    stretch = Stretch(row["led_from"], row["led_to"]) if row["led_from"] else None
    return Progress(row["next"], row["epoch"], row["topic_id"], frontier, newest, stretch)


def _fetch(connection: Connection, query: Select[Any], kind: type[Row], **values: Any) -> tuple[Row, ...]:  # noqa: ANN401
    ((name, value),) = values.items()
    parts = [value] if isinstance(value, str | int) else _parts(value)
    names = NAMES[kind]  # rows come as plain tuples, by far the cheapest way: a release reads some two hundred
    rows = (row for part in parts for row in connection.execute(query, {name: part}))
    return tuple(kind(**dict(zip(names, row, strict=True))) for row in rows)


def _revocations(connection: Connection, signed: Iterable[p.Row]) -> tuple[p.Revocation, ...]:
    """Return the revocations that reach back, of the keys that signed these rows."""
    return _fetch(connection, REVOCATIONS, p.Revocation, keys={row.kid for row in signed})


def _strings(connection: Connection, query: Select[Any], *, targets: Collection[str]) -> set[str]:
    return {row[0] for part in _parts(targets) for row in connection.execute(query, {"targets": part})}


def _kin(connection: Connection, records: Collection[RecordId]) -> set[RecordId]:
    """Return the records that share a booking number or a photograph's file with one of these."""
    targets = {row.target for row in _fetch(connection, OWN_INDEXES, p.Index, records=records) if row.kin}
    return {RecordId(r) for r in _strings(connection, KIN, targets=targets)}


def _parts(values: Collection[str]) -> Iterable[list[str]]:
    ordered = sorted(values)
    return (ordered[i : i + CHUNK] for i in range(0, len(ordered), CHUNK))


def _execute(connection: Connection, posted: Sequence[Posted]) -> None:
    """Execute changes in order: inserts are gathered per table and flushed before anything is ended."""
    waiting: dict[Table, list[dict[str, Any]]] = {}
    for entry in posted:
        for change in entry.changes:
            if isinstance(change, p.Enter):
                kind = type(change.row)
                values = {f.name: getattr(change.row, f.name) for f in fields(kind)}
                waiting.setdefault(TABLES[kind], []).append(values)
            else:
                _flush(connection, waiting)
                _end(connection, change, entry.position)
    _flush(connection, waiting)
    refused = [
        {
            "position": x.position,
            "signer": x.signer,
            "event_id": x.event_id,
            "reason": x.refused.reason,
            "message": x.refused.message,
            "value_sha256": x.value_sha256,
            "repeats": x.refused.reason == REPEATED,
        }
        for x in posted
        if x.refused
    ]
    taken = [
        {
            "signer": x.signer,
            "event_id": x.taken,
            "value_sha256": x.value_sha256,
            "position": x.position,
            "kid": x.kid,
            "refused": x.refused is not None,
        }
        for x in posted
        if x.taken
    ]
    if taken:
        connection.execute(insert_or_nothing(SEEN).on_conflict_do_nothing(), taken)
    if refused:
        connection.execute(REFUSE, refused)


def _flush(connection: Connection, waiting: dict[Table, list[dict[str, Any]]]) -> None:
    for table, rows in waiting.items():
        connection.execute(insert_or_nothing(table).on_conflict_do_nothing(), rows)
    waiting.clear()


def _end(connection: Connection, change: p.End, at: int) -> None:
    table = TABLES[change.kind]
    for parts in product(*(_parts(values) for values in change.where.values())):  # a stolen key may have registered thousands
        named = (table.c[name].in_(part) for name, part in zip(change.where, parts, strict=True))
        connection.execute(update(table).where(table.c.ended == END, table.c.entered < at, *named).values(ended=at))
