"""What the encoder rejected, in the ledger's database."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import Engine, select
from sqlalchemy.dialects.sqlite import insert

from comity.adapters.sql.tables import REJECTED
from comity.domain.ids import Ori, RecordId
from comity.ports import Rejection

ROWS_MAX = 1_000


class SqlRejections:
    """Rejections by record and version."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, rejection: Rejection) -> None:
        """Remember a rejection; the same record and version again replaces it."""
        values = asdict(rejection)
        row = insert(REJECTED).values(**values)
        with self._engine.begin() as connection:
            connection.execute(row.on_conflict_do_update(index_elements=["record_id", "version"], set_=values))

    def of(self, owner: Ori, record: RecordId | None = None) -> tuple[Rejection, ...]:
        """Return an agency's newest rejections, or one record's."""
        query = select(REJECTED).where(REJECTED.c.owner == owner).limit(ROWS_MAX)
        if record is not None:
            query = query.where(REJECTED.c.record_id == record)
        with self._engine.begin() as connection:
            return tuple(Rejection(**row) for row in connection.execute(query).mappings())
