"""An investigator's pages: ask, pick a face, see candidates, open a list again, reveal one identity.

``acts/search`` and ``acts/review`` do it; this only shows it. Photographs travel inside the answer, never by an address of
their own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from comity.acts.opened import PAGE_SIDE
from comity.acts.search import Pictures, SearchRequest
from comity.desk import lists, particulars
from comity.desk.forms import TEXT_CHARS_MAX, Form, Sent
from comity.desk.pages import Pages
from comity.desk.paging import Before
from comity.desk.pictures import on_page
from comity.desk.services import DeskServices
from comity.desk.shelf import Shelf
from comity.domain.candidate import SHOWN_DEFAULT, SHOWN_MAX
from comity.domain.entries import RecordClass
from comity.domain.ids import Ori, SearchId
from comity.domain.roles import INVESTIGATOR
from comity.errors import ComityError, InvalidInput, PhotographRefused
from comity.ports import Person
from comity.web.routing import Router
from comity.web.session import role, token_of
from comity.wire.sealing import NUMBER_CHARS_MAX

Investigator = Annotated[Person, Depends(role(INVESTIGATOR))]

SEVERAL = "several-faces"
FIELDS = ("case_number", "purpose", "threshold", "offence", "authority", "shown_max")
PICK_WIDTH = 800  # the units that boxes are drawn in, however large the probe is
BUTTON_MIN = 44.0  # of those: a box smaller than a fingertip is widened


@dataclass(frozen=True, slots=True)
class Box:
    """A face in the probe, in the units of the drawing."""

    number: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed, kept so that a page can show it again."""

    values: dict[str, str]
    classes: tuple[str, ...]
    ticket: str = field(default="", repr=False)


class InvestigatorPages:
    """Searches: the form, the faces, the answer, the reveal."""

    def __init__(self, services: DeskServices, pages: Pages, shelf: Shelf) -> None:
        self._services, self._page, self._shelf = services, pages, shelf

    def routes(self) -> APIRouter:
        """Return the investigator's routes."""
        router = Router(include_in_schema=False)
        router.add_api_route("/desk/search", self.ask, methods=["GET"])
        router.add_api_route("/desk/search", self.search, methods=["POST"])
        router.add_api_route("/desk/searches", self.mine, methods=["GET"])
        router.add_api_route("/desk/searches/{search_id}/open", self.open_again, methods=["POST"])
        router.add_api_route("/desk/searches/{search_id}/reveal", self.reveal, methods=["POST"])
        return router

    def ask(self, request: Request, person: Investigator) -> Response:
        """Show the form, with the policy's tables as its choices."""
        values = dict.fromkeys(FIELDS, "") | {"shown_max": str(SHOWN_DEFAULT)}
        return self._form(request, person, Asked(values, (RecordClass.BOOKING,)))

    def search(self, request: Request, person: Investigator, form: Sent) -> Response:
        """Search; where the probe shows several faces, ask which; where something is wrong, show the form and say what."""
        session = token_of(request) or ""
        probe, ticket = self._probe(session, form)
        asked = Asked({name: next(iter(form.many(name)), "")[:300] for name in FIELDS}, form.many("classes"), ticket)
        try:
            answer = self._services.search(_asked_for(person, form, probe))
        except PhotographRefused as error:
            if error.reason == SEVERAL:
                return self._pick(request, person, asked, probe)
            self._shelf.drop(ticket)
            return self._form(request, person, Asked(asked.values, asked.classes), error)
        except ComityError as error:
            return self._form(request, person, asked, error)
        self._shelf.drop(ticket)
        return self._answer(request, person, lists.dressed(self._services, answer, answer.search_id, person))

    def mine(self, request: Request, person: Investigator, before: Before = "") -> Response:
        """List this person's searches, a page at a time."""
        own = lists.listed(self._services, person, before=before, mine=True)
        return self._page(request, "searches.html", person, searches=own)

    def open_again(self, request: Request, person: Investigator, search_id: str) -> Response:
        """Open a list again, judged anew: what fell since is not there."""
        return self._answer(request, person, lists.opened_again(self._services, search_id, person))

    def reveal(self, request: Request, person: Investigator, search_id: str, form: Sent) -> Response:
        """Reveal one candidate's identity, once, for a reason."""
        root = lists.first(self._services, SearchId(search_id), person.party)
        candidate, reason = form.text("candidate"), form.text("reason", chars_max=TEXT_CHARS_MAX)
        revealed = self._services.examine.reveal(root, candidate, Ori(person.party), person.user_id, reason)
        facts = particulars.lines(revealed.particulars)
        return self._page(request, "reveal.html", person, revealed=revealed, facts=facts, candidate=candidate, root=root)

    def _probe(self, session: str, form: Form) -> tuple[bytes, str]:
        """Return the probe, just sent or kept from the page before, and the ticket under which it is kept."""
        sent, ticket = form.file("probe"), form.text("ticket")
        if sent:
            return sent, self._shelf.put(session, sent)
        return (self._shelf.get(session, ticket) or b"") if ticket else b"", ticket

    def _form(self, request: Request, person: Person, asked: Asked, error: ComityError | None = None) -> Response:
        kept = bool(asked.ticket and self._shelf.get(token_of(request) or "", asked.ticket))
        return self._page(request, "search_form.html", person, error=error, asked=asked, kept=kept, shown_max=SHOWN_MAX)

    def _pick(self, request: Request, person: Person, asked: Asked, probe: bytes) -> Response:
        drawn = self._services.search.drawing.draw(probe, side_max=PAGE_SIDE)
        picture = self._services.encoder.open(probe)
        boxes = _boxes([face.box for face in picture.faces], picture.size[0])
        return self._page(
            request,
            "search_faces.html",
            person,
            status=HTTPStatus.UNPROCESSABLE_ENTITY,
            asked=asked,
            probe=on_page(drawn),
            boxes=boxes,
            width=PICK_WIDTH,
            height=round(drawn.height * PICK_WIDTH / drawn.width),
        )

    def _answer(self, request: Request, person: Person, found: lists.CandidateList) -> Response:
        return self._page(request, "search_result.html", person, found=found)


def _asked_for(person: Person, form: Form, probe: bytes) -> SearchRequest:
    if not probe:
        raise InvalidInput("There is no probe.", advice="Attach the photograph to search with.", field="probe")
    try:
        classes = frozenset(RecordClass(name) for name in form.many("classes"))
    except ValueError:
        raise InvalidInput("There is no such class of records.", advice="Tick one of those listed.", field="classes") from None
    return SearchRequest(
        requester=Ori(person.party),
        user=person.user_id,
        probe=probe,
        purpose=form.text("purpose"),
        threshold=form.text("threshold"),
        offence=form.text("offence"),
        authority=form.text("authority", chars_max=NUMBER_CHARS_MAX),
        case_number=form.text("case_number"),
        classes=classes,
        shown_max=form.number("shown_max", SHOWN_DEFAULT) or 0,
        face=form.number("face"),
        pictures=Pictures.PAGE,
    )


def _boxes(boxes: list[tuple[float, float, float, float]], width: int) -> list[Box]:
    scale, found = PICK_WIDTH / width, []
    for number, box in enumerate(boxes):
        x, y, wide, high = (round(side * scale, 1) for side in box)
        more_x, more_y = max(0.0, BUTTON_MIN - wide) / 2, max(0.0, BUTTON_MIN - high) / 2
        found.append(Box(number, x - more_x, y - more_y, wide + 2 * more_x, high + 2 * more_y))
    return found
