"""A judgement's rows in one statement, which is one snapshot, the position included (rule 4).

Everything comes as one JSON object in one row: each row that a thread fetches hands the interpreter to another, and a release
that fetched two hundred of them spent most of its time waiting for its turn. The text is built from the tables' own columns.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable
from dataclasses import fields
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Engine, LargeBinary
from sqlalchemy.dialects import sqlite

from comity.adapters.sql.columns import Moment, Word, Words
from comity.adapters.sql.tables import TABLES
from comity.domain import posting as p
from comity.domain.ids import RecordId
from comity.domain.judge import Facts

DIALECT = sqlite.dialect()
# The newest row carries the clock (rule 8): as of the place, and as of all that is applied.
TICKS = "(SELECT max(entered) FROM tick WHERE entered < :as_of), (SELECT max(entered) FROM tick)"
IDS = "json_each(:records) AS id"
# A record is covered by itself, by its indexes, and by its kin's: records with the same booking number or photograph file. Each
# way from a record to an order that names it, whenever it was entered, comes with its indexes and with what lifts the order.
# Sealed or never there, it is this one statement, and but for a row or two the same work. Nothing but nested loops: each
# temporary table costs SQLite as much as the rest of the statement.
OWN = f"{IDS} CROSS JOIN blind_index AS own ON own.record_id = id.value"
KIN = f"{OWN} AND own.kin CROSS JOIN blind_index AS kin ON kin.target = own.target AND kin.kin AND kin.record_id <> id.value"
FURTHER = f"{KIN} CROSS JOIN blind_index AS further ON further.record_id = kin.record_id"
ORDER = "CROSS JOIN suppression AS cover ON cover.target ="
# A revocation comes along where it voids something that is read here: thousands of keys may have been revoked at once.
LIFT = (
    "LEFT JOIN lift ON lift.party = cover.entered_by AND lift.order_id = cover.order_id "
    "LEFT JOIN revocation ON revocation.key_id = lift.kid AND revocation.void_from <= lift.entered"
)
VOIDED = "CROSS JOIN revocation AS row ON row.key_id = signed.kid AND row.void_from <= signed.entered"
WAYS: dict[str, tuple[str, tuple[str, ...]]] = {
    "by_itself": (f"{IDS} {ORDER} 'record:' || id.value {LIFT}", ()),
    "by_index": (f"{OWN} {ORDER} own.target {LIFT}", ("own",)),
    "by_kin": (f"{KIN} {ORDER} 'record:' || kin.record_id {LIFT}", ("own", "kin")),
    "by_kins_index": (f"{FURTHER} {ORDER} further.target {LIFT}", ("own", "kin", "further")),
}
PLAIN: dict[str, tuple[type[p.Row], str]] = {
    "records": (p.Record, f"{IDS} CROSS JOIN record AS row ON row.record_id = id.value"),
    "revocations": (p.Revocation, f"{IDS} CROSS JOIN record AS signed ON signed.record_id = id.value {VOIDED}"),
    "revoked_grants": (p.Revocation, f"share_grant AS signed {VOIDED} WHERE signed.grantee = :requester"),
    "keys": (p.Key, "signing_key AS row WHERE role = 'exchange'"),
    "grants": (p.Grant, "share_grant AS row WHERE grantee = :requester"),
    "agencies": (p.Agency, "agency AS row WHERE ori = :requester"),
    "ticks": (p.Tick, f"tick AS row WHERE entered IN ({TICKS})"),
}
KINDS = {*(kind for kind, _ in PLAIN.values()), p.Suppression, p.Lift, p.Index}


RowT = TypeVar("RowT", bound=p.Row)


def _read(kind: type[p.Row], name: str) -> tuple[str, Callable[[Any], Any]]:
    """Return a column of ``{row}`` as SQL gives it to JSON, and what makes the value of it again."""
    column = TABLES[kind].c[name]
    if isinstance(column.type, LargeBinary):
        return f"hex({{row}}.{name})", bytes.fromhex
    if isinstance(column.type, Words):
        return f"json({{row}}.{name})", tuple
    if isinstance(column.type, Moment | Word):
        return f"{{row}}.{name}", partial(column.type.process_result_value, dialect=DIALECT)
    return f"{{row}}.{name}", lambda value: value


COLUMNS = {kind: [(f.name, *_read(kind, f.name)) for f in fields(kind)] for kind in KINDS}


def _json(kind: type[p.Row], row: str) -> str:
    return f"json_array({', '.join(sql.format(row=row) for _, sql, _ in COLUMNS[kind])})"


def _statement() -> str:
    parts = ["'applied', coalesce((SELECT next FROM applied), 0)"]
    for name, (kind, source) in PLAIN.items():
        parts.append(f"'{name}', (SELECT json_group_array({_json(kind, 'row')}) FROM {source})")  # noqa: S608
    for name, (source, indexes) in WAYS.items():
        told = [
            _json(p.Suppression, "cover"),
            _json(p.Lift, "lift"),
            _json(p.Revocation, "revocation"),
            *(_json(p.Index, row) for row in indexes),
        ]
        parts.append(f"'{name}', (SELECT json_group_array(json_array({', '.join(told)})) FROM {source})")  # noqa: S608
    return f"SELECT json_object({', '.join(parts)})"


STATEMENT = _statement()
ENDS = """SELECT EXISTS (SELECT 1 FROM share_grant WHERE expires_at > :after AND expires_at <= :until)
  OR EXISTS (SELECT 1 FROM suppression WHERE lapses_at > :after AND lapses_at <= :until)"""


def comes_to_an_end(engine: Engine, after: datetime, until: datetime) -> bool:
    """Say whether a grant or a provisional seal ends between two times: asked by each release, so without SQLAlchemy's share."""
    moment = Moment()
    values = {name: moment.process_bind_param(at, DIALECT) for name, at in (("after", after), ("until", until))}
    return bool(_fetched(engine, ENDS, values))


def snapshot(engine: Engine, requester: str, records: Collection[RecordId], as_of: int) -> Facts:
    """Return the rows that bear on a judgement, and the position that they are of."""
    values = {"records": json.dumps(sorted(records)), "requester": requester, "as_of": as_of}
    found = json.loads(_fetched(engine, STATEMENT, values))
    plain: dict[str, Any] = {name: tuple(_row(kind, values) for values in found[name]) for name, (kind, _) in PLAIN.items()}
    ways = _ways(found)
    revocations = (*plain.pop("revocations"), *plain.pop("revoked_grants"), *ways.pop("revocations"))
    return Facts(applied=found["applied"], revocations=_ordered(dict.fromkeys(revocations)), **plain, **ways)


def _fetched(engine: Engine, statement: str, values: dict[str, Any]) -> Any:  # noqa: ANN401 - whatever SQL holds
    raw = engine.raw_connection()  # no transaction: a single statement reads one snapshot by itself
    try:
        cursor = raw.cursor()
        try:
            cursor.execute(statement, values)
            ((told,),) = cursor.fetchall()
        finally:
            cursor.close()
    finally:
        raw.close()
    return told


def _ways(found: dict[str, Any]) -> dict[str, Any]:
    """Return the orders that lead to the records, what lifts these and voids that, and the indexes on the way; each row once."""
    covers, lifts, revocations, indexes = dict[p.Row, None](), dict[p.Row, None](), dict[p.Row, None](), dict[p.Row, None]()
    for name in WAYS:
        for cover, lift, revocation, *ways in found[name]:
            covers[_row(p.Suppression, cover)] = None
            if lift[0] is not None:  # an outer join's nothing is a row of nulls
                lifts[_row(p.Lift, lift)] = None
            if revocation[0] is not None:
                revocations[_row(p.Revocation, revocation)] = None
            for way in ways:
                indexes[_row(p.Index, way)] = None
    rows = {"suppressions": covers, "lifts": lifts, "revocations": revocations, "indexes": indexes}
    return {name: _ordered(held) for name, held in rows.items()}


def _ordered(rows: Iterable[RowT]) -> tuple[RowT, ...]:
    return tuple(sorted(rows, key=lambda row: row.entered))


def _row(kind: type[p.Row], values: list[Any]) -> p.Row:
    return kind(**{name: make(value) for (name, _, make), value in zip(COLUMNS[kind], values, strict=True)})
