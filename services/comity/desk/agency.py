"""An agency's page: what it sent that the exchange could not use, each with a reason that it can act on (R1, R6)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from comity.desk.pages import Pages
from comity.desk.services import DeskServices
from comity.domain.ids import Ori
from comity.domain.roles import AGENCY_ADMINISTRATOR, AGENCY_WRITER
from comity.ports import Person
from comity.web.session import role

Member = Annotated[Person, Depends(role(AGENCY_ADMINISTRATOR, AGENCY_WRITER))]
SHOWN_MAX = 100


class AgencyPages:
    """What was rejected, and what had no effect."""

    def __init__(self, services: DeskServices, pages: Pages) -> None:
        self._services, self._page = services, pages

    def routes(self) -> APIRouter:
        """Return the agency's routes."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/desk/agency", self.show, methods=["GET"])
        return router

    def show(self, request: Request, person: Member) -> Response:
        """Show the newest rejections and refusals of this agency."""
        rejections = self._services.rejections.of(Ori(person.party))[:SHOWN_MAX]
        refusals = self._services.ledger.refusals(person.party)[:SHOWN_MAX]
        put_aside = self._services.refusals.of(person.party)[:SHOWN_MAX]
        return self._page(request, "agency.html", person, rejections=rejections, refusals=refusals, put_aside=put_aside)
