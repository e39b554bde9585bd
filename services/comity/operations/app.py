"""Operations over HTTP: what the operator's and the auditor's commands talk to."""

from __future__ import annotations

from collections.abc import Collection

from fastapi import FastAPI

from comity.operations import clock, people, state
from comity.operations.services import OperationServices
from comity.web.app import new_app
from comity.web.routing import Router

__all__ = ["OperationServices", "create"]

DESCRIPTION = "For whoever runs the exchange, and for auditors: its state, recall, repair, and who may sign in."

router = Router(prefix="/v1")
for part in (state.router, clock.router, people.router):
    router.include_router(part)


def create(services: OperationServices, *, hosts: Collection[str] = ()) -> FastAPI:
    """Return the service; ``hosts`` are the host names it answers to (none named: all)."""
    app = new_app("comity operations", services.identity, description=DESCRIPTION, hosts=hosts)
    app.state.operations = services
    app.include_router(router)
    return app
