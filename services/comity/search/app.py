"""The search service: probes in, candidate lists out, each as of its own place in the journal."""

from __future__ import annotations

from collections.abc import Collection

from fastapi import FastAPI

from comity.search.routes import router
from comity.search.services import SearchServices
from comity.web.app import new_app

DESCRIPTION = "Where investigators search and examiners review. A candidate is a lead at most, and never probable cause."


def create(services: SearchServices, *, hosts: Collection[str] = ()) -> FastAPI:
    """Return the search service; ``hosts`` are the host names it answers to (none named: all)."""
    app = new_app("comity search", services.identity, description=DESCRIPTION, hosts=hosts)
    add(app, services)
    return app


def add(app: FastAPI, services: SearchServices) -> None:
    """Add the search routes to an application that serves more than one service."""
    app.state.search = services
    app.include_router(router)
