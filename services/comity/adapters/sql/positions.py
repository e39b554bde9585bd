"""How far each follower is, in the ledger's database."""

from __future__ import annotations

from sqlalchemy import Engine, delete, select
from sqlalchemy.dialects.sqlite import insert

from comity.adapters.sql.tables import FOLLOWER

SAVED_EVERY = 500  # positions: so many entries without an effect may be read again after a crash


class SqlPositions:
    """Positions of duties and projections, by name and stream."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._saved: dict[tuple[str, str], int] = {}

    def load(self, name: str) -> dict[str, int]:
        """Return the next position of each stream that this follower has read."""
        query = select(FOLLOWER.c.stream, FOLLOWER.c.next).where(FOLLOWER.c.name == name)
        with self._engine.begin() as connection:
            return {row.stream: row.next for row in connection.execute(query)}

    def save(self, name: str, stream: str, position: int, *, acted: bool = True) -> None:
        """Remember the next position to read; where nothing was done on the way, only now and then."""
        if not acted and position - self._saved.get((name, stream), 0) < SAVED_EVERY:
            return
        self._saved[name, stream] = position
        row = insert(FOLLOWER).values(name=name, stream=stream, next=position)
        with self._engine.begin() as connection:
            connection.execute(row.on_conflict_do_update(index_elements=["name", "stream"], set_={"next": position}))

    def clear(self, name: str) -> None:
        """Start this follower from nothing."""
        with self._engine.begin() as connection:
            connection.execute(delete(FOLLOWER).where(FOLLOWER.c.name == name))
        self._saved.clear()

    def clear_all(self) -> None:
        """Start every follower from nothing."""
        with self._engine.begin() as connection:
            connection.execute(delete(FOLLOWER))
        self._saved.clear()
