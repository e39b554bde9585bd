"""Opens the ledger's database: SQLite with one snapshot per transaction, at the newest migration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import structlog
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, event

from comity.adapters.sql import ages

logger = structlog.get_logger(__name__)

BUSY_MS = 10_000  # another connection's transaction is waited for so long
MIGRATIONS = Path(__file__).parent / "migrations"


def open_engine(path: Path) -> Engine:
    """Open the database of this file, made if it is new, and bring it to the newest migration.

    One whose pages are of two ages is deleted and made anew, empty: the journal says it all again.
    """
    engine = _opened(path)
    if ages.are_two(engine):
        logger.warning("ledger.db and ledger.db-wal are of two ages: the ledger is made anew from the journal")
        engine.dispose()
        ages.remove(path)
        engine = _opened(path)
    return engine


def _opened(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}", hide_parameters=True, connect_args={"timeout": BUSY_MS / 1000})
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    migrate(engine)
    return engine


def migrate(engine: Engine) -> None:
    """Upgrade the schema in place; nothing happens where it is new enough."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _prepare(connection: Any, _record: Any) -> None:  # noqa: ANN401 (the driver's own types)
    connection.isolation_level = None  # the driver's own BEGINs come too late for a snapshot: we begin ourselves
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        f"busy_timeout={BUSY_MS}",
        "secure_delete=ON",
        "cache_size=-65536",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Any) -> None:  # noqa: ANN401
    connection.exec_driver_sql("BEGIN")
