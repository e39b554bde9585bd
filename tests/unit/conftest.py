"""Ledgers for tests of the rules: each rule is asked of plain lists and of SQL alike."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from comity.adapters.sql.engine import open_engine
from comity.adapters.sql.ledger import SqlLedger
from journals import Core, PureLedger


@pytest.fixture(scope="module")
def sql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlLedger]:
    """Return one ledger for the module; whoever uses it empties it first."""
    engine = open_engine(tmp_path_factory.mktemp("ledger") / "ledger.db")
    yield SqlLedger(engine)
    engine.dispose()


@pytest.fixture(params=["pure", "sql"])
def founded(request: pytest.FixtureRequest, sql: SqlLedger) -> Core:
    """Return a journal with its founding entries: over lists, and over SQL."""
    sql.reset()
    return Core(PureLedger() if request.param == "pure" else sql).found()
