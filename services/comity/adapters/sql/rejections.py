"""What the encoder rejected, in the ledger's database: newest first, without what was corrected since."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import ColumnElement, Connection, Engine, delete, or_, select
from sqlalchemy.dialects.sqlite import insert

from comity.adapters.sql.tables import REJECTED, TABLES
from comity.domain import posting as p
from comity.domain.ids import Ori, RecordId
from comity.ports import REJECTIONS_MAX, Rejection

SAME_VERSION = "same-version"  # the one reason that comes of an admission: that very admission corrects nothing
COVERED = "suppressed"  # told where the record stands, in one way for all orders: a list would tell one kind from another
RECORD = TABLES[p.Record]


class SqlRejections:
    """Rejections by record and version."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, rejection: Rejection) -> None:
        """Remember a rejection; another of the same owner, record and version replaces it, the same again does nothing."""
        values = {name: value for name, value in asdict(rejection).items() if name != "place"}
        with self._engine.begin() as connection:
            if not _stands(connection, values):
                one = [REJECTED.c[name] == values[name] for name in ("owner", "record_id", "version")]
                connection.execute(delete(REJECTED).where(*one))
                connection.execute(insert(REJECTED).values(**values).on_conflict_do_nothing())  # another thread was first

    def of(
        self, owner: Ori, record: RecordId | None = None, *, before: int | None = None, count: int = REJECTIONS_MAX
    ) -> tuple[Rejection, ...]:
        """Return an agency's newest rejections but for what orders cover, or one record's; without what was corrected since."""
        query = select(REJECTED).where(REJECTED.c.owner == owner, ~_corrected()).order_by(REJECTED.c.place.desc())
        query = query.where(REJECTED.c.reason != COVERED if record is None else REJECTED.c.record_id == record)
        if before is not None:
            query = query.where(REJECTED.c.place < before)
        with self._engine.begin() as connection:
            rows = connection.execute(query.limit(min(count, REJECTIONS_MAX))).mappings()
            return tuple(Rejection(**row) for row in rows)


def _stands(connection: Connection, values: dict[str, object]) -> bool:
    same = (REJECTED.c[name].is_not_distinct_from(value) for name, value in values.items())
    return connection.execute(select(REJECTED.c.place).where(*same)).first() is not None


def _corrected() -> ColumnElement[bool]:
    """Say, of a rejection, whether a later version was admitted, or this very one on a second try."""
    this_one = (RECORD.c.version == REJECTED.c.version) & (REJECTED.c.reason != SAME_VERSION)
    admitted = select(RECORD.c.place).where(
        RECORD.c.record_id == REJECTED.c.record_id,
        RECORD.c.owner == REJECTED.c.owner,
        or_(RECORD.c.version > REJECTED.c.version, this_one),
    )
    return admitted.exists()
