"""An examiner's pages: open a colleague's search, compare, record findings (R27). ``acts/review`` judges; this only shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from comity.acts.review import FINDINGS, TEXT_MAX
from comity.desk import lists
from comity.desk.forms import Form, Sent
from comity.desk.pages import Pages
from comity.desk.paging import Before
from comity.desk.services import DeskServices
from comity.domain.candidate import SHOWN_MAX
from comity.domain.ids import Ori, SearchId
from comity.domain.roles import EXAMINER
from comity.errors import ComityError, InvalidInput
from comity.ports import Person
from comity.web.routing import Router
from comity.web.session import role

Examiner = Annotated[Person, Depends(role(EXAMINER))]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of one finding: recorded, or why it was not."""

    rank: str
    finding: str
    problem: ComityError | None = None


class ExaminerPages:
    """Reviews: the list, the comparison, what was recorded."""

    def __init__(self, services: DeskServices, pages: Pages) -> None:
        self._services, self._page = services, pages

    def routes(self) -> APIRouter:
        """Return the examiner's routes."""
        router = Router(prefix="/desk/reviews", include_in_schema=False)
        router.add_api_route("", self.choose, methods=["GET"])
        router.add_api_route("/{search_id}/open", self.open, methods=["POST"])
        router.add_api_route("/{search_id}", self.record, methods=["POST"])
        return router

    def choose(self, request: Request, person: Examiner, before: Before = "") -> Response:
        """List the agency's searches, a page at a time, to be opened by one who did not make them."""
        return self._page(request, "reviews.html", person, searches=lists.listed(self._services, person, before=before))

    def open(self, request: Request, person: Examiner, search_id: str) -> Response:
        """Show the probe beside the candidates: a new disclosure, judged anew."""
        found = lists.opened_again(self._services, search_id, person)
        return self._page(request, "compare.html", person, found=found, findings=FINDINGS, text_max=TEXT_MAX)

    def record(self, request: Request, person: Examiner, search_id: str, form: Sent) -> Response:
        """Record each finding that was made, each at its own place in the journal."""
        root = lists.first(self._services, SearchId(search_id), person.party)
        made = [name for name in form.many("candidate")[:SHOWN_MAX] if form.text(f"finding-{name}")]
        if not made:
            raise InvalidInput("No finding was chosen, so nothing was recorded.", advice="Open the search and choose one.")
        recorded = [self._record(root, name, person, form) for name in made]
        return self._page(request, "recorded.html", person, recorded=recorded, root=root)

    def _record(self, root: SearchId, name: str, person: Person, form: Form) -> Recorded:
        rank, finding, notes = form.text(f"rank-{name}"), form.text(f"finding-{name}"), f"notes-{name}"
        try:
            self._services.examine.review(
                root, name, Ori(person.party), person.user_id, finding, form.text(notes, chars_max=TEXT_MAX)
            )
        except ComityError as error:
            return Recorded(rank, finding, error)
        return Recorded(rank, finding)
