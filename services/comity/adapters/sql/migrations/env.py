"""Alembic's entry: runs the migrations on the connection that ``engine.migrate`` hands over."""

from __future__ import annotations

from alembic import context

from comity.adapters.sql import tables

context.configure(connection=context.config.attributes["connection"], target_metadata=tables.METADATA, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
