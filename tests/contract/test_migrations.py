"""The ledger's schema: what the migrations make is what the tables say (DESIGN §6)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect

from comity.adapters.sql.engine import MIGRATIONS, migrate, open_engine
from comity.adapters.sql.tables import METADATA, TABLES
from comity.domain import posting as p


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(tmp_path / "ledger.db")
    yield engine
    engine.dispose()


def config() -> Config:
    made = Config()
    made.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    return made


def test_nothing_drifts_between_migrations_and_tables(engine: Engine) -> None:
    """Alembic's own check, and the unique constraints, which it does not compare on SQLite."""
    alembic = config()
    with engine.begin() as connection:
        alembic.attributes["connection"] = connection
        command.check(alembic)
    found = inspect(engine)
    for kind, table in TABLES.items():
        unique = {tuple(c["column_names"]) for c in found.get_unique_constraints(table.name)}
        assert unique == {p.IDENTITY[kind]}, kind.__name__


def test_a_database_goes_down_and_up_again(engine: Engine) -> None:
    """Every step has its way back."""
    before = schema(engine)
    alembic = config()
    with engine.begin() as connection:
        alembic.attributes["connection"] = connection
        command.downgrade(alembic, "base")
    assert set(inspect(engine).get_table_names()) == {"alembic_version"}
    migrate(engine)
    assert schema(engine) == before
    assert set(inspect(engine).get_table_names()) == {*METADATA.tables, "alembic_version"}


def test_opening_again_changes_nothing(engine: Engine, tmp_path: Path) -> None:
    """A newer program upgrades in place; the same one finds nothing to do."""
    before = schema(engine)
    again = open_engine(tmp_path / "ledger.db")
    assert schema(again) == before
    again.dispose()


def test_the_migrations_are_one_line() -> None:
    """Two heads could not be upgraded to."""
    assert len(ScriptDirectory.from_config(config()).get_heads()) == 1


def schema(engine: Engine) -> list[str]:
    with engine.begin() as connection:
        rows = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
        return sorted(row[0] for row in rows)
