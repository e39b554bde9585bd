"""Renders pages: escaped templates, the status bar, and problems as pages for people."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from comity.domain import roles
from comity.domain.entries import RecordClass
from comity.domain.policy import MODES, OFFENCES, PURPOSES, STATUTES, THRESHOLDS
from comity.domain.posting import Agency, Court
from comity.errors import ComityError
from comity.ports import LedgerView, Person
from comity.reads.orders import KIND_NAMES
from comity.web import session
from comity.web.problem import Problem, headers, of_error
from comity.wire.sealing import NUMBER_CHARS_MAX

ROLE_NAMES = {
    roles.CLERK: "Court clerk",
    roles.INVESTIGATOR: "Investigator",
    roles.EXAMINER: "Examiner",
    roles.AGENCY_ADMINISTRATOR: "Agency administrator",
    roles.AGENCY_WRITER: "Agency writer",
    roles.AUDITOR: "Auditor",
    roles.OPERATOR: "Operator",
    roles.ADMINISTRATOR: "Administrator",
}
CLASS_NAMES = {
    RecordClass.BOOKING: "Bookings",
    RecordClass.MINOR: "Minors (your own agency's only)",
    RecordClass.MISSING: "Missing persons",
    RecordClass.UNKNOWN_DECEASED: "Unknown deceased",
}
# Pages and who opens them: the navigation, the home page, and the sentence on a 403 are made from this one table.
ROOMS: tuple[tuple[str, str, str, frozenset[str]], ...] = (
    ("/desk/orders", "Orders", "Seal or expunge records as a court ordered, and find the receipts.", frozenset({roles.CLERK})),
    ("/desk/search", "Search", "Look for candidates for a probe photograph.", frozenset({roles.INVESTIGATOR})),
    ("/desk/searches", "Your searches", "Open an earlier search again, judged anew.", frozenset({roles.INVESTIGATOR})),
    ("/desk/reviews", "Reviews", "Compare a colleague's candidates with the probe.", frozenset({roles.EXAMINER})),
    (
        "/desk/agency",
        "Agency",
        "What your agency sent and the exchange could not use.",
        frozenset({roles.AGENCY_ADMINISTRATOR, roles.AGENCY_WRITER}),
    ),
)


class Pages:
    """The desk's templates. Thread-safe."""

    def __init__(self, ledger: LedgerView) -> None:
        self._ledger = ledger
        self._templates = Environment(
            loader=PackageLoader("comity.desk"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(party=self.party, grouped=grouped, moment=moment, urlencode=segment)
        self._templates.globals.update(
            kind_names=KIND_NAMES,
            moment=moment,
            party=self.party,
            role_names=ROLE_NAMES,
            class_names=CLASS_NAMES,
            purposes=PURPOSES,
            thresholds=THRESHOLDS,
            offences=OFFENCES,
            statutes=STATUTES,
            modes=MODES,
            number_chars_max=NUMBER_CHARS_MAX,
        )

    def __call__(
        self,
        request: Request,
        template: str,
        person: Person | None,
        *,
        status: int = HTTPStatus.OK,
        error: ComityError | None = None,
        **context: Any,  # noqa: ANN401 - what each template needs
    ) -> HTMLResponse:
        """Return a page for this person, who may be nobody yet; an error sets its status and stands at its top."""
        shared = {"person": person, "rooms": rooms(person), "path": request.url.path, "error": error}
        html = self._templates.get_template(template).render(**shared, **context)
        page = HTMLResponse(html, error.status if error else status)
        if error:
            page.headers.update(headers(of_error(request, error)))
        return page

    def problem(self, request: Request, problem: Problem) -> Response:
        """Return a problem as a page, which for a missing role says who has it."""
        needs = str(problem.details.get("needs", "")).split()
        names = [ROLE_NAMES.get(name, name) for name in needs]
        page = self(request, "problem.html", known(request), status=problem.status, problem=problem, needs=names)
        page.headers.update(headers(problem))
        return page

    def party(self, party: str) -> str:
        """Return a party's name as it was registered, or its own identifier."""
        agency = next(iter(self._ledger.rows(Agency, ori=party)), None)
        court = next(iter(self._ledger.rows(Court, court_id=party)), None)
        return agency.name if agency else court.name if court else party


def rooms(person: Person | None) -> list[tuple[str, str, str]]:
    """Return the pages that this person's roles open."""
    if person is None:
        return []
    usable = {role for role in person.roles if roles.may_hold(role, person.party)}
    return [(path, name, what) for path, name, what, needed in ROOMS if usable & needed]


def known(request: Request) -> Person | None:
    """Return who is signed in, or None: a problem's page must never fail for that."""
    try:
        return session.signed_in(request)
    except ComityError:
        return None


def moment(at: datetime) -> str:
    """Return a moment in words, to the second."""
    at = at.astimezone(UTC)
    return f"{at.day} {at:%B %Y, %H:%M:%S} UTC"


def segment(name: str) -> str:
    """Return a name as one part of an address: the template library's own filter leaves slashes be, as if they were two."""
    return quote(name, safe="")


def grouped(number: str) -> str:
    """Return a long number in groups of four, for reading aloud."""
    return " ".join(number[i : i + 4] for i in range(0, len(number), 4))
