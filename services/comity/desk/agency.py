"""An agency's page: what it sent that the exchange could not use, each with a reason that it can act on (R1, R6)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from comity.desk.pages import Pages
from comity.desk.paging import Before, Page, cut
from comity.desk.services import DeskServices
from comity.domain.ids import Ori, RecordId
from comity.domain.roles import AGENCY_ADMINISTRATOR, AGENCY_WRITER
from comity.ports import Person, RefusedEntry, Rejection
from comity.web.routing import Router
from comity.web.session import role

Member = Annotated[Person, Depends(role(AGENCY_ADMINISTRATOR, AGENCY_WRITER))]
SHOWN_MAX = 100


class AgencyPages:
    """What was rejected, and what had no effect."""

    def __init__(self, services: DeskServices, pages: Pages) -> None:
        self._services, self._page = services, pages

    def routes(self) -> APIRouter:
        """Return the agency's routes."""
        router = Router(include_in_schema=False)
        router.add_api_route("/desk/agency", self.show, methods=["GET"])
        return router

    def show(
        self, request: Request, person: Member, before: Before = "", refused_before: Before = "", aside_before: Before = ""
    ) -> Response:
        """Show a page of what still is to be corrected, and one of what had no effect; newest first."""
        rejections = self._rejections(Ori(person.party), before)
        refusals = cut(self._services.ledger.refusals(person.party), refused_before, lambda one: str(one.position), SHOWN_MAX)
        put_aside = cut(self._services.refusals.of(person.party), aside_before, _place, SHOWN_MAX)
        return self._page(request, "agency.html", person, rejections=rejections, refusals=refusals, put_aside=put_aside)

    def _rejections(self, owner: Ori, before: str) -> Page[Rejection]:
        """Return a page of rejections; a cursor names a record and its version."""
        record, _, version = before.partition(".")
        own = self._services.rejections.of(owner, RecordId(record)) if record else ()
        place = next((one.place for one in own if str(one.version) == version), None)
        found = self._services.rejections.of(owner, before=place, count=SHOWN_MAX + 1)
        shown = found[:SHOWN_MAX]
        return Page(shown, f"{shown[-1].record_id}.{shown[-1].version}" if len(found) > SHOWN_MAX else "")


def _place(one: RefusedEntry) -> str:
    return f"{one.topic}/{one.partition}/{one.position}"
