"""The intake service: enrolments, orders, grants and registrations in; receipts out."""

from __future__ import annotations

from collections.abc import Collection

from fastapi import FastAPI

from comity.intake.routes import router
from comity.intake.services import IntakeServices
from comity.web.app import new_app

DESCRIPTION = "Where agencies, courts and the administrator enter what they have signed, and read where it stands."
OPEN = ("/v1/sessions",)  # who signs in is not signed in yet


def create(services: IntakeServices, *, hosts: Collection[str] = ()) -> FastAPI:
    """Return the intake service; ``hosts`` are the host names it answers to (none named: all)."""
    app = new_app("comity intake", services.identity, description=DESCRIPTION, hosts=hosts, open_paths=OPEN)
    add(app, services)
    return app


def add(app: FastAPI, services: IntakeServices) -> None:
    """Add intake's routes to an application that serves more than one service."""
    app.state.intake = services
    app.include_router(router)
