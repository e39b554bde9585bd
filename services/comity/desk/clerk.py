"""A clerk's pages: find, preview, press once, hold the receipt (R10). ``acts/seal`` does it; this only shows it."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from comity.acts.tokens import EXPUNGE
from comity.desk.forms import Form, Sent
from comity.desk.pages import Pages
from comity.desk.services import DeskServices
from comity.domain.entries import IndexKind
from comity.domain.erasure import erasure
from comity.domain.ids import RecordId
from comity.domain.posting import Certificate, Suppression
from comity.domain.roles import CLERK
from comity.errors import ComityError, InvalidInput, NotFound
from comity.ports import Person
from comity.web.session import role

Clerk = Annotated[Person, Depends(role(CLERK))]

CONFIRMATION = "expunge"
TOKEN_CHARS_MAX = 1_000_000  # it names up to 1,000 records: 100 KB
ORDERS_SHOWN_MAX = 25
TIMES_MAX = 10_000
FIELDS = ("what", "statute", "booking", "agency", "court_case", "atn")
NUMBERS = {IndexKind.BOOKING: "booking", IndexKind.COURT_CASE: "court_case", IndexKind.ATN: "atn"}


@dataclass(frozen=True, slots=True)
class Order:
    """An order of this party, as the ledger has it."""

    order_id: str
    position: int
    kind: str
    statute: str
    mode: str


@dataclass(frozen=True, slots=True)
class Held:
    """What a receipt shows."""

    order: Order
    sha256: str
    at: datetime | None
    per_agency: dict[str, int]
    erasure: str


class Times:
    """When this process saw orders appended: the ledger keeps their places alone. Bounded, thread-safe."""

    def __init__(self) -> None:
        self._lock, self._times = threading.Lock(), OrderedDict[str, datetime]()

    def remember(self, order_id: str, appended_at_ms: int) -> None:
        """Remember an order's time."""
        with self._lock:
            self._times.setdefault(order_id, datetime.fromtimestamp(appended_at_ms / 1000, UTC))
            while len(self._times) > TIMES_MAX:
                self._times.popitem(last=False)

    def of(self, order_id: str) -> datetime | None:
        """Return an order's time, or None where it was not kept."""
        with self._lock:
            return self._times.get(order_id)


class ClerkPages:
    """Orders: the form, the preview, the button, the receipt."""

    def __init__(self, services: DeskServices, pages: Pages) -> None:
        self._services, self._page, self._times = services, pages, Times()

    def routes(self) -> APIRouter:
        """Return the clerk's routes."""
        router = APIRouter(prefix="/desk/orders", include_in_schema=False)
        router.add_api_route("", self.find, methods=["GET"])
        router.add_api_route("", self.press, methods=["POST"])
        router.add_api_route("/preview", self.preview, methods=["POST"])
        router.add_api_route("/{order_id}", self.receipt, methods=["GET"])
        return router

    def find(self, request: Request, person: Clerk) -> Response:
        """Show the form, and the orders that this party entered before."""
        return self._form(request, person, dict.fromkeys(FIELDS, ""))

    def preview(self, request: Request, person: Clerk, form: Sent) -> Response:
        """Show what an order would cover, per agency and without faces; or the form again, with what is wrong."""
        try:
            numbers = {kind: form.text(name) for kind, name in NUMBERS.items()}
            ask = partial(self._services.seal.preview, form.text("what"), form.text("statute"), numbers)
            preview = ask(form.agency("agency"), party=person.party, user=person.user_id)
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
        if not receipt.repeated:
            self._times.remember(receipt.order_id, receipt.appended_at_ms)
        return RedirectResponse(f"/desk/orders/{receipt.order_id}", HTTPStatus.SEE_OTHER)

    def receipt(self, request: Request, person: Clerk, order_id: str) -> Response:
        """Show an order's receipt, the same however often it is opened."""
        rows = self._suppressions(person, order_id=order_id)
        seen = self._services.ledger.seen(person.party, order_id)
        if not rows or seen is None:
            raise NotFound("There is no such order of yours.", advice="Open it from your list of orders.")
        certificates = self._services.ledger.rows(Certificate, party=person.party, order_id=order_id)
        proven = str(erasure(certificates))
        held = Held(_order(rows[0]), seen[0].hex(), self._times.of(order_id), self._per_agency(rows), proven)
        return self._page(request, "receipt.html", person, held=held)

    def _form(self, request: Request, person: Person, values: dict[str, str], error: ComityError | None = None) -> Response:
        return self._page(request, "order_form.html", person, error=error, values=values, orders=self._orders(person))

    def _orders(self, person: Person) -> list[Order]:
        first: dict[str, Order] = {}
        for row in self._suppressions(person):
            first.setdefault(row.order_id, _order(row))
        return sorted(first.values(), key=lambda order: -order.position)[:ORDERS_SHOWN_MAX]

    def _suppressions(self, person: Person, **where: str) -> tuple[Suppression, ...]:
        return self._services.ledger.rows(Suppression, entered_by=person.party, **where)

    def _per_agency(self, rows: Sequence[Suppression]) -> dict[str, int]:
        records = [RecordId(row.target.removeprefix("record:")) for row in rows if row.target.startswith("record:")]
        facts = self._services.ledger.facts("", records, self._services.ledger.progress().next)
        held = (facts.record(record, facts.applied) for record in records)
        return dict(Counter(str(record.owner) for record in held if record is not None))


def _order(row: Suppression) -> Order:
    return Order(row.order_id, row.entered, row.kind, row.statute, row.mode)


def _values(form: Form) -> dict[str, str]:
    """Return what was typed, to be corrected: cut, where it was too long to be taken."""
    return {name: next(iter(form.many(name)), "")[:300] for name in FIELDS}
