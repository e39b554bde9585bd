"""A judgement's rows in one statement, which is one snapshot, the position included (rule 4).

Everything comes as one JSON object in one row: each row that a thread fetches hands the interpreter to another, and a release
that fetched two hundred of them spent most of its time waiting for its turn. The text is built from the tables' own columns.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import fields
from functools import partial
from typing import Any

from sqlalchemy import Engine, LargeBinary
from sqlalchemy.dialects import sqlite

from comity.adapters.sql.tables import TABLES, Moment, Word, Words
from comity.domain import posting as p
from comity.domain.ids import RecordId
from comity.domain.judge import Facts

DIALECT = sqlite.dialect()
# Of the ticks before a place the latest time counts, which need not be the last one entered (rule 8).
# "+ 0" keeps SQLite on the index of ``at``: it walks down from the latest, and stops at once.
LATEST_TICK = "(SELECT at FROM tick WHERE entered + 0 < :as_of ORDER BY at DESC LIMIT 1)"
# A record is covered by itself, by its indexes, and by its kin's: records with the same booking number or photograph file. Only
# the indexes that lead to an order of any time are read. Sealed or never there, it is this one statement, and the same work.
LEADING = """
WITH ids(id) AS MATERIALIZED (SELECT value FROM json_each(:records)),
  own(target) AS MATERIALIZED (SELECT DISTINCT target FROM blind_index WHERE kin AND record_id IN (SELECT id FROM ids)),
  near(id) AS MATERIALIZED (
    SELECT id FROM ids UNION SELECT record_id FROM blind_index WHERE kin AND target IN (SELECT target FROM own)),
  named(id, target) AS (
    SELECT id, 'record:' || id FROM near
    UNION ALL SELECT record_id, target FROM blind_index WHERE record_id IN (SELECT id FROM near)),
  hit(id, target) AS MATERIALIZED (
    SELECT id, target FROM named WHERE EXISTS (SELECT 1 FROM suppression WHERE suppression.target = named.target)),
  orders(party, order_id) AS MATERIALIZED (
    SELECT DISTINCT entered_by, order_id FROM suppression WHERE target IN (SELECT target FROM hit)),
  kin(target) AS MATERIALIZED (
    SELECT DISTINCT target FROM blind_index WHERE kin AND record_id IN (SELECT id FROM hit))
"""
WANTED: dict[str, tuple[type[p.Row], str]] = {
    "records": (p.Record, "record_id IN (SELECT id FROM ids)"),
    "indexes": (
        p.Index,
        """record_id IN (SELECT id FROM hit) AND (kin OR target IN (SELECT target FROM hit))
            OR record_id IN (SELECT id FROM ids) AND kin AND target IN (SELECT target FROM kin)""",
    ),
    "suppressions": (p.Suppression, "target IN (SELECT target FROM hit)"),
    "lifts": (p.Lift, "(party, order_id) IN (SELECT party, order_id FROM orders)"),
    "revocations": (p.Revocation, "void_from IS NOT NULL"),
    "keys": (p.Key, "role = 'exchange'"),
    "grants": (p.Grant, "grantee = :requester"),
    "agencies": (p.Agency, "ori = :requester"),
    "ticks": (p.Tick, f"at = {LATEST_TICK} OR entered >= :as_of"),
}


def _read(kind: type[p.Row], name: str) -> tuple[str, Callable[[Any], Any]]:
    """Return a column as SQL gives it to JSON, and what makes the value of it again."""
    column = TABLES[kind].c[name]
    if isinstance(column.type, LargeBinary):
        return f"hex({name})", bytes.fromhex
    if isinstance(column.type, Words):
        return f"json({name})", tuple
    if isinstance(column.type, Moment | Word):
        return name, partial(column.type.process_result_value, dialect=DIALECT)
    return name, lambda value: value


COLUMNS = {kind: [(f.name, *_read(kind, f.name)) for f in fields(kind)] for kind, _ in WANTED.values()}


def _statement() -> str:
    parts = ["'applied', coalesce((SELECT next FROM applied), 0)"]
    for name, (kind, where) in WANTED.items():
        row = ", ".join(sql for _, sql, _ in COLUMNS[kind])
        parts.append(f"'{name}', (SELECT json_group_array(json_array({row})) FROM {TABLES[kind].name} WHERE {where})")  # noqa: S608
    return f"{LEADING} SELECT json_object({', '.join(parts)})"


STATEMENT = _statement()


def snapshot(engine: Engine, requester: str, records: Collection[RecordId], as_of: int) -> Facts:
    """Return the rows that bear on a judgement, and the position that they are of."""
    values = {"records": json.dumps(sorted(records)), "requester": requester, "as_of": as_of}
    raw = engine.raw_connection()  # no transaction: a single statement reads one snapshot by itself
    try:
        cursor = raw.cursor()
        try:
            cursor.execute(STATEMENT, values)
            ((told,),) = cursor.fetchall()
            found = json.loads(told)
        finally:
            cursor.close()
    finally:
        raw.close()
    rows: dict[str, Any]
    rows = {name: tuple(_row(kind, values) for values in found[name]) for name, (kind, _) in WANTED.items()}
    return Facts(applied=found["applied"], **rows)


def _row(kind: type[p.Row], values: list[Any]) -> p.Row:
    return kind(**{name: make(value) for (name, _, make), value in zip(COLUMNS[kind], values, strict=True)})
