"""What was put aside of each party's entries outside the journal, in the ledger's database."""

from __future__ import annotations

from dataclasses import asdict, fields

from sqlalchemy import Engine, delete, select
from sqlalchemy.dialects.sqlite import insert

from comity.adapters.sql.rejections import COVERED
from comity.adapters.sql.tables import PUT_ASIDE
from comity.ports import RefusedEntry

ROWS_MAX = 1_000  # of one party: more would be a feed run wild, whose newest say as much
COLUMNS = [PUT_ASIDE.c[field.name] for field in fields(RefusedEntry)]


class SqlRefusals:
    """Refusals by the entry's place."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, refusal: RefusedEntry) -> None:
        """Remember a refusal; the same place again replaces it, and so do the same bytes.

        The newest 1,000 of a party are kept: else anybody who appends a party's bytes again pushed out what it must mend.
        """
        values = asdict(refusal)
        row = insert(PUT_ASIDE).values(**values)
        mine = PUT_ASIDE.c.signer == refusal.signer
        same = (mine, PUT_ASIDE.c.topic == refusal.topic, PUT_ASIDE.c.value_sha256 == refusal.value_sha256)
        newest = select(PUT_ASIDE.c.place).where(mine).order_by(PUT_ASIDE.c.place.desc()).limit(ROWS_MAX)
        with self._engine.begin() as connection:
            connection.execute(delete(PUT_ASIDE).where(*same))
            connection.execute(row.on_conflict_do_update(index_elements=["topic", "partition", "position"], set_=values))
            connection.execute(delete(PUT_ASIDE).where(mine, PUT_ASIDE.c.place.not_in(newest)))

    def of(self, signer: str) -> tuple[RefusedEntry, ...]:
        """Return a party's refusals, newest first; what an order covers is told where the record stands."""
        query = (
            select(*COLUMNS)
            .where(PUT_ASIDE.c.signer == signer, PUT_ASIDE.c.reason != COVERED)
            .order_by(PUT_ASIDE.c.place.desc())
            .limit(ROWS_MAX)
        )
        with self._engine.begin() as connection:
            return tuple(RefusedEntry(**row) for row in connection.execute(query).mappings())
