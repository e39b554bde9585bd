"""A clerk's pages: find, preview, press once, hold the receipt (R10). ``acts/seal`` does it; this only shows it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from comity.acts.tokens import EXPUNGE, SEAL
from comity.desk.forms import Form, Sent
from comity.desk.pages import Pages
from comity.desk.paging import Before, Page
from comity.desk.services import DeskServices
from comity.domain.entries import IndexKind, OrderName
from comity.domain.ids import OrderId
from comity.domain.policy import destruction
from comity.domain.roles import CLERK
from comity.errors import ComityError, InvalidInput, NotFound
from comity.ports import Person
from comity.reads import documents
from comity.reads.orders import PROVISIONAL, SEALS, Order
from comity.web.paths import Whole
from comity.web.routing import Router
from comity.web.session import role

Clerk = Annotated[Person, Depends(role(CLERK))]
OrderPath = Annotated[str, Whole]

CONFIRMATION = "expunge"
TOKEN_CHARS_MAX = 1_000_000  # it names up to 1,000 records: 100 KB
ORDERS_SHOWN_MAX = 25
FIELDS = ("what", "until", "statute", "booking", "agency", "court_case", "atn")
Filled = Annotated[str, Query(max_length=64)]
NUMBERS = {IndexKind.BOOKING: "booking", IndexKind.COURT_CASE: "court_case", IndexKind.ATN: "atn"}
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_KINDS = ((b"%PDF", ".pdf"), (b"\xff\xd8\xff", ".jpg"), (b"\x89PNG", ".png"), (b"II*\x00", ".tif"), (b"MM\x00*", ".tif"))


@dataclass(frozen=True, slots=True)
class Line:
    """An order as a page shows it: with the numbers as they were typed, and the people's names."""

    order: Order
    numbers: Mapping[str, str] = field(repr=False)
    clerk: str
    ended_by: str


class ClerkPages:
    """Orders: the form, the preview, the button, the receipt."""

    def __init__(self, services: DeskServices, pages: Pages) -> None:
        self._services, self._page = services, pages

    def routes(self) -> APIRouter:
        """Return the clerk's routes."""
        router = Router(prefix="/desk/orders", include_in_schema=False)
        router.add_api_route("", self.find, methods=["GET"])
        router.add_api_route("", self.press, methods=["POST"])
        router.add_api_route("/preview", self.preview, methods=["POST"])
        router.add_api_route("/{order_id}", self.receipt, methods=["GET"])
        router.add_api_route("/{order_id}/receipt.json", self.download, methods=["GET"])
        router.add_api_route("/{order_id}/document", self.document, methods=["GET"])
        return router

    def find(self, request: Request, person: Clerk, before: Before = "", what: Filled = "", statute: Filled = "") -> Response:
        """Show the form, and the orders that this party entered before, a page at a time.

        ``what`` and ``statute`` are filled in where a receipt leads here: the expungement that follows a seal.
        """
        return self._form(request, person, dict.fromkeys(FIELDS, "") | {"what": what, "statute": statute}, before=before)

    def preview(self, request: Request, person: Clerk, form: Sent) -> Response:
        """Show what an order would cover, per agency and without faces; or the form again, with what is wrong."""
        try:
            numbers = {kind: form.text(name) for kind, name in NUMBERS.items()}
            ask = partial(self._services.seal.preview, form.text("what"), form.text("statute"), numbers)
            until = form.day("until")
            preview = ask(form.agency("agency"), party=person.party, user=person.user_id, until=until)
        except ComityError as error:
            return self._form(request, person, _values(form), error)
        states: dict[str, Counter[str]] = {}
        for covered in preview.covers:
            states.setdefault(covered.owner, Counter())[covered.state] += 1
        page = partial(self._page, request, "order_preview.html", person, confirmation=CONFIRMATION)
        return page(preview=preview, states=states, destroys=preview.what == EXPUNGE)

    def press(self, person: Clerk, form: Sent) -> Response:
        """Enter the previewed order, once however often it is pressed, and lead to its receipt."""
        token = form.text("token", chars_max=TOKEN_CHARS_MAX)
        destroys = self._services.seal.pressing(token, party=person.party, user=person.user_id).destroys
        if destroys and form.text("confirmation").casefold() != CONFIRMATION:  # by what it is, whatever the form says
            raise InvalidInput(
                "An expungement destroys for ever, so it is confirmed in writing; nothing was entered.",
                advice=f"Go back and type the word {CONFIRMATION} beside the button.",
            )
        signer = self._services.keyring.signer(person.party)
        press = partial(self._services.seal.press, token, signer, form.file("document"))
        receipt = press(party=person.party, user=person.user_id)
        return RedirectResponse(f"/desk/orders/{receipt.order_id}", HTTPStatus.SEE_OTHER)

    def receipt(self, request: Request, person: Clerk, order_id: OrderPath) -> Response:
        """Show an order's receipt as it stands now: it changes with what happens to the order, not with being opened."""
        held = self._services.book.receipt(_name(person, order_id))
        line = self._line(held.order, self._people(person))
        return self._page(request, "receipt.html", person, held=held, line=line, follows=_follows(held.order))

    def download(self, person: Clerk, order_id: OrderPath) -> Response:
        """Return the receipt as a JSON document, the same that the API gives."""
        held = self._services.book.receipt(_name(person, order_id))
        numbers = self._services.seal.papers.numbers(held.order.name, held.order.numbers)
        return JSONResponse(documents.of_receipt(held, numbers), headers=_as_file(f"receipt-{order_id}.json"))

    def document(self, person: Clerk, order_id: OrderPath) -> Response:
        """Return the court's document, the very bytes that were pressed; never opened in the page's own origin."""
        order = self._services.book.receipt(_name(person, order_id)).order
        paper = self._services.seal.papers.document(order.name, order.document)
        return Response(paper, media_type="application/octet-stream", headers=_as_file(f"order-{order_id}{_suffix(paper)}"))

    def _form(
        self, request: Request, person: Person, values: dict[str, str], error: ComityError | None = None, before: str = ""
    ) -> Response:
        orders, days = self._orders(person, before), self._services.seal.days()
        return self._page(request, "order_form.html", person, error=error, values=values, orders=orders, days=days)

    def _orders(self, person: Person, before: str) -> Page[Line]:
        book, place = self._services.book, None
        if before:
            try:
                place = book.receipt(_name(person, before)).order.position
            except NotFound:
                place = None  # an old address: the first page
        found = book.list(person.party, before=place, count=ORDERS_SHOWN_MAX + 1)
        people = self._people(person)
        shown = [self._line(order, people) for order in found[:ORDERS_SHOWN_MAX]]
        return Page(shown, shown[-1].order.name.order_id if len(found) > ORDERS_SHOWN_MAX else "")

    def _line(self, order: Order, people: Mapping[str, str]) -> Line:
        ended, numbers = order.ended, self._services.seal.papers.numbers(order.name, order.numbers)
        ended_by = people.get(ended.clerk, ended.clerk) if ended and ended.clerk else ""
        return Line(order, numbers, people.get(order.clerk, order.clerk) if order.clerk else "", ended_by)

    def _people(self, person: Person) -> dict[str, str]:
        return {p.user_id: p.name for p in self._services.identity.people(former=True) if p.party == person.party}


def _name(person: Person, order_id: str) -> OrderName:
    return OrderName(person.party, OrderId(order_id))


def _follows(order: Order) -> tuple[str, str] | None:
    """Return the address of the order that this one leads to, and its name; None where none does."""
    if order.kind == PROVISIONAL and order.ended is None:
        what, name = SEAL, "final seal"
    elif order.kind == SEALS and destruction(order.statute):
        what, name = EXPUNGE, "expungement"
    else:
        return None
    return f"/desk/orders?{urlencode({'what': what, 'statute': order.statute})}", name


def _as_file(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{_UNSAFE.sub("-", name)}"'}


def _suffix(paper: bytes) -> str:
    """Return the ending of a document's name: what kind of file it is is not recorded, so the first bytes say."""
    return next((suffix for start, suffix in _KINDS if paper.startswith(start)), ".bin")


def _values(form: Form) -> dict[str, str]:
    """Return what was typed, to be corrected: cut, where it was too long to be taken."""
    return {name: next(iter(form.many(name)), "")[:300] for name in FIELDS}
