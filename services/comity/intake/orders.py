"""A party's own orders: the list, a receipt, the court's document, the certificates of an erasure; and the end of an order."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import Depends, Path, Response

from comity.domain.entries import OrderName
from comity.domain.ids import PARTY_FORM, OrderId, PartyId
from comity.domain.roles import CLERK
from comity.errors import NotFound
from comity.intake import models as m
from comity.intake.events import receipt_of_order
from comity.intake.order_models import CertificateOut, LiftIn, OrderOut, OrderReceiptOut
from comity.intake.services import BASE, IntakeServices, Services
from comity.ports import Person
from comity.reads import documents
from comity.reads.orders import Order, Receipt
from comity.web.once import Key, again, made
from comity.web.paging import LISTED, Page
from comity.web.paths import Whole
from comity.web.problem import documented
from comity.web.routing import Router
from comity.web.session import role

router = Router(tags=["orders"])

Clerk = Annotated[Person, Depends(role(CLERK))]
PartyPath = Annotated[str, Path(pattern=rf"^{PARTY_FORM}$", description="The party that entered it: mine.")]
OrderPath = Annotated[str, Whole, Path(pattern=r"^[!-~]{1,128}$", description="The order's number.")]


@router.get("/orders", responses=LISTED, summary="Orders of mine, as they stand now")
def list_orders(person: Clerk, services: Services, page: Page) -> list[OrderOut]:
    """List what my party ordered, newest first: whether it stands, was lifted or lapsed, and by whom."""
    found = services.book.list(person.party, before=page.number(), count=page.limit + 1)
    shown = page.page(found, lambda order: (order.position,))
    return [OrderOut.model_validate(documents.of_order(one, _numbers(services, one))) for one in shown]


@router.get("/orders/{party}/{order_id}", responses=documented(404), summary="One order of mine, as it stands now")
def read_whole_order(party: PartyPath, order_id: OrderPath, person: Clerk, services: Services) -> OrderReceiptOut:
    """Show an order's receipt: what it covers by itself now, how it ended, and what was certified of its erasure."""
    receipt = _receipt(services, person, party, order_id)
    return OrderReceiptOut.model_validate(documents.of_receipt(receipt, _numbers(services, receipt.order)))


@router.get(
    "/orders/{party}/{order_id}/certificates", responses=documented(404) | LISTED, summary="The certificates of an erasure"
)
def list_certificates(
    party: PartyPath, order_id: OrderPath, person: Clerk, services: Services, page: Page
) -> list[CertificateOut]:
    """List what was certified of an order's erasure, oldest first; empty while it is under way."""
    receipt = _receipt(services, person, party, order_id)
    numbered = page.cut(list(enumerate(receipt.certificates)), lambda one: (one[0],))
    return [CertificateOut.model_validate(documents.of_certificate(one)) for _, one in numbered]


@router.get(
    "/orders/{party}/{order_id}/document",
    responses=documented(404) | {200: {"content": {"application/octet-stream": {}}}},
    response_class=Response,
    summary="The document that came with an order",
)
def read_document(party: PartyPath, order_id: OrderPath, person: Clerk, services: Services) -> Response:
    """Return the court's document, the very bytes that were pressed: the order in the journal is bound to them."""
    order = _receipt(services, person, party, order_id).order
    paper = services.seal.papers.document(order.name, order.document)
    return Response(paper, media_type="application/octet-stream", headers={"Content-Disposition": "attachment"})


@router.post(
    "/orders/{party}/{order_id}/lift",
    status_code=201,
    responses=documented(404, 409) | again(m.ReceiptOut),
    summary="End an order",
)
def lift_order(
    party: PartyPath, order_id: OrderPath, sent: LiftIn, person: Clerk, services: Services, key: Key, response: Response
) -> m.ReceiptOut:
    """End a seal or a provisional seal before its time, signed with the key of my party; an expungement has no end.

    My own party's orders I end by their number. Another party's only a court ends, and names its `authority` for that.
    """
    name = OrderName(PartyId(party), OrderId(order_id))
    with services.once(key, person, "lifts", party, order_id, sent.authority) as claim:
        signer = services.keyring.signer(person.party)
        lift = partial(services.lifting, name, signer, authority=sent.authority, lift_id=claim.id())
        receipt = receipt_of_order(lift(party=person.party, user=person.user_id))
    made(response, f"{BASE}/orders/{receipt.event_id}", again=receipt.repeated)
    return receipt


def _receipt(services: IntakeServices, person: Person, party: str, order_id: str) -> Receipt:
    if party != person.party:  # another's looks as one that never was
        raise NotFound("There is no such order of yours.", advice="Name an order that your own party entered.")
    return services.book.receipt(OrderName(PartyId(party), OrderId(order_id)))


def _numbers(services: IntakeServices, order: Order) -> dict[str, str]:
    return services.seal.papers.numbers(order.name, order.numbers)
