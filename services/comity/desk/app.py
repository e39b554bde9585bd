"""The desk's application: pages for people, rendered here, without a script but the one that blanks them."""

from __future__ import annotations

from collections.abc import Collection
from importlib.resources import files

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from comity.desk.agency import AgencyPages
from comity.desk.clerk import ClerkPages
from comity.desk.door import Door
from comity.desk.examiner import ExaminerPages
from comity.desk.investigator import InvestigatorPages
from comity.desk.live import Live
from comity.desk.pages import Pages
from comity.desk.services import DeskServices
from comity.desk.shelf import Shelf
from comity.errors import NotSignedIn
from comity.ports import Identity
from comity.web.app import new_app

__all__ = ["DeskServices", "create"]


def create(services: DeskServices, *, hosts: Collection[str] = ()) -> FastAPI:
    """Return the desk: sign-in, and everybody's pages; ``hosts`` are the host names it answers to (none named: all)."""
    pages = Pages(services.ledger)
    shelf = Shelf(lambda session: _is_open(services.identity, session))
    app = new_app("comity desk", services.identity, hosts=hosts, render=pages.problem)
    app.state.shelf = shelf
    app.mount("/desk/static", StaticFiles(directory=str(files("comity.desk") / "static")), name="static")
    for room in (
        Door(services.identity, pages, shelf),
        ClerkPages(services, pages),
        InvestigatorPages(services, pages, shelf),
        ExaminerPages(services, pages),
        AgencyPages(services, pages),
        Live(services),
    ):
        app.include_router(room.routes())
    return app


def _is_open(identity: Identity, session: str) -> bool:
    try:
        identity.person(session)
    except NotSignedIn:
        return False
    return True
