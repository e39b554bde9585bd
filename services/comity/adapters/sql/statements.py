"""The ledger's statements: what is asked for again and again, made once."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from sqlalchemy import BigInteger, Boolean, Exists, FromClause, bindparam, func, or_, select
from sqlalchemy.dialects.sqlite import insert as insert_or_nothing

from comity.adapters.sql.tables import REFUSED, SEEN, TABLES
from comity.domain import posting as p

R, X, S, L, V, T, K = (TABLES[k] for k in (p.Record, p.Index, p.Suppression, p.Lift, p.Revocation, p.Tick, p.Key))
NAMES = {kind: tuple(f.name for f in fields(kind)) for kind in TABLES}


def columns(kind: type[p.Row]) -> list[Any]:
    """Return a kind's own columns, in the order of its fields."""
    return [TABLES[kind].c[f.name] for f in fields(kind)]


def _some(name: str) -> Any:  # noqa: ANN401 (SQLAlchemy's expression types)
    return bindparam(name, expanding=True)


RECORDS = select(*columns(p.Record)).where(R.c.record_id.in_(_some("records")))
OWN_INDEXES = select(*columns(p.Index)).where(X.c.record_id.in_(_some("records")))
KIN = select(X.c.record_id).where(X.c.kin, X.c.target.in_(_some("targets"))).distinct()
SUPPRESSIONS = select(*columns(p.Suppression)).where(S.c.target.in_(_some("targets")))
LIFTS = select(*columns(p.Lift)).where(
    select(S.c.place).where(S.c.entered_by == L.c.party, S.c.order_id == L.c.order_id, S.c.target.in_(_some("targets"))).exists()
)
REVOCATIONS = select(*columns(p.Revocation)).where(V.c.void_from.is_not(None), V.c.key_id.in_(_some("keys")))
# The newest row carries the clock (rule 8): as of the place, and as of all that is applied.
NEWEST_TICK = select(func.max(T.c.entered)).scalar_subquery()
TICK_THEN = select(func.max(T.c.entered)).where(T.c.entered < bindparam("as_of")).scalar_subquery()
TICKS = select(*columns(p.Tick)).where(T.c.entered.in_([NEWEST_TICK, TICK_THEN]))
TICKS_BEFORE = select(*columns(p.Tick)).where(T.c.entered < bindparam("position")).order_by(T.c.entered.desc())
TICKS_FROM = select(*columns(p.Tick)).where(T.c.entered >= bindparam("position")).order_by(T.c.entered)
KEYS = select(*columns(p.Key)).where(K.c.role == bindparam("role"))
FOUND = select(X.c.record_id).where(X.c.target.in_(_some("targets"))).distinct()


def _stood(table: FromClause) -> Exists:
    """Say whether its signer's same bytes stand before a refused entry: anybody can append them again."""
    same = (table.c[name] == bindparam(name, type_=table.c[name].type) for name in ("signer", "value_sha256"))
    before = table.c.position < bindparam("position", type_=BigInteger)
    return select(table.c.position).where(*same, before).exists()


AGAIN = or_(bindparam("repeats", type_=Boolean), _stood(SEEN), _stood(REFUSED.alias("before")))
TOLD = {c.name: bindparam(c.name, type_=c.type) for c in REFUSED.c if c.name != "again"}
REFUSE = insert_or_nothing(REFUSED).values(**TOLD, again=AGAIN).on_conflict_do_nothing()
