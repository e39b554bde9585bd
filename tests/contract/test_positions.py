"""How far each follower is, as the ledger's database keeps it."""

from __future__ import annotations

from pathlib import Path

from comity.adapters.sql.engine import open_engine
from comity.adapters.sql.positions import SqlPositions


def test_positions_are_kept_by_name_and_stream(tmp_path: Path) -> None:
    """DESIGN §7: a consumer is a name, what it follows, and how far it is."""
    engine = open_engine(tmp_path / "ledger.db")
    positions = SqlPositions(engine)
    positions.save("purge", "s/0", 3)
    positions.save("purge", "s/1", 4)
    positions.save("purge", "s/0", 5)
    positions.save("encoder", "s/0", 9)
    assert positions.load("purge") == {"s/0": 5, "s/1": 4}
    positions.clear("purge")
    assert (positions.load("purge"), positions.load("encoder")) == ({}, {"s/0": 9})
    engine.dispose()
