"""Events as they come over HTTP (CloudEvents, binary mode): the very bytes and headers go on into the log."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel, Field

from comity.acts.enrol import Receipt
from comity.acts.order import OrderReceipt
from comity.domain import entries as e
from comity.domain.authority import event_id
from comity.domain.log import JOURNAL, Entry
from comity.domain.roles import ADMINISTRATOR, AGENCY_ADMINISTRATOR, AGENCY_WRITER, CLERK
from comity.errors import InvalidInput, NotPermitted
from comity.intake.models import ReceiptOut
from comity.intake.services import BASE, IntakeServices, Services
from comity.ports import Person
from comity.web.once import Key, again, made
from comity.web.problem import documented
from comity.web.routing import Router
from comity.web.session import require, role
from comity.wire import codec, signing
from comity.wire.envelope import CONTENT_TYPE, HEADER_BYTES_MAX, is_avro
from comity.wire.limits import VALUE_BYTES_MAX

router = Router(tags=["events"])

JOURNAL_PAGE = "/operations/v1/journal"  # where an administrator reads what has no page of its own
# Who may hand in what; who may sign it is decided by the signature.
ROLE_OF: dict[type, str] = {
    e.RecordEnrolled: AGENCY_WRITER,
    e.ShareGranted: AGENCY_ADMINISTRATOR,
    e.ShareRevoked: AGENCY_ADMINISTRATOR,
    **dict.fromkeys((*e.Cover.__args__, *e.Lift.__args__), CLERK),
    **dict.fromkeys(e.Party.__args__, ADMINISTRATOR),
}
Publisher = Annotated[Person, Depends(role(*dict.fromkeys(ROLE_OF.values())))]  # which of them, the event says
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The event's value: Avro under a schema of `GET /v1/schemas`, in Confluent's framing.",
        "content": {CONTENT_TYPE: {"schema": {"type": "string", "format": "binary", "maxLength": VALUE_BYTES_MAX}}},
    }
}


async def _body(request: Request) -> bytes:
    if not is_avro(request.headers.get("content-type", "")):
        raise InvalidInput(f"The body is {CONTENT_TYPE}.", advice=f"Send `Content-Type: {CONTENT_TYPE}`.")
    return await request.body()


def _ce(what: str, most: int = HEADER_BYTES_MAX) -> Any:  # noqa: ANN401 - pydantic's fields have no type
    return Field(min_length=1, max_length=most, description=what)


class EventHeaders(BaseModel):
    """The headers of an event; each goes into the log as it came."""

    ce_specversion: str = _ce("1.0")
    ce_id: str = _ce("The event's own id; an order repeats its order_id.")
    ce_source: str = _ce("A URI reference, such as //WI0130000/records.")
    ce_type: str = _ce("comity.v1. and the type's name.")
    ce_time: str = _ce("RFC 3339.")
    ce_subject: str = _ce("The record's id for enrolments; else the record's, order's or agency's.")
    jws: str = _ce("A detached JWS (Ed25519) over the exact body.", signing.TOKEN_CHARS_MAX)

    def entry(self, value: bytes) -> Entry:
        """Return what goes into the log."""
        headers = {**self.model_dump(), "content-type": CONTENT_TYPE}
        return Entry(self.ce_subject.encode(), value, tuple((name, text.encode()) for name, text in headers.items()))


@router.post(
    "/events",
    status_code=201,
    responses=documented(409) | again(ReceiptOut),
    openapi_extra=BODY,
    summary="Enter a signed event",
)
def enter_event(
    person: Publisher,
    services: Services,
    value: Annotated[bytes, Depends(_body)],
    headers: Annotated[EventHeaders, Header()],
    key: Key,
    response: Response,
) -> ReceiptOut:
    """Take an enrolment, an order, a grant or a registration, signed by its party; answer with its place in the log.

    The same event again is safe: an order is answered with its first receipt, an enrolment changes nothing.
    """
    try:
        kind = codec.type_of(value)
    except codec.Undecodable as error:
        raise InvalidInput(
            f"The event cannot be read: {error}.", advice="Compare it with the schemas at /intake/v1/schemas."
        ) from None
    _check_sender(services, person, kind, headers.jws)
    services.pace.take(person.party)
    entry = headers.entry(value)
    with services.once(key, person, "events", value, headers.ce_id, headers.ce_subject) as claim:
        before = claim.answered(ReceiptOut)
        receipt = before or claim.keep(submit(services, entry, headers.ce_id))
    made(response, where(entry, person.party, receipt.position), again=before is not None or receipt.repeated)
    return receipt if before is None else receipt.model_copy(update={"repeated": True})


def where(entry: Entry, party: str, position: int) -> str:
    """Return the address of what an event of this party's made: an order's receipt, a party, or its line in the journal."""
    event = codec.decode(entry.value or b"")
    made_there: tuple[str, ...]
    match event:
        case e.RecordEnrolled():
            made_there = ("records", event.record_id)
        case e.ShareGranted():
            made_there = ("grants", event.owner, event.grant_id)
        case e.ShareRevoked():
            made_there = ("grants", party, event.grant_id)
        case e.AgencyRegistered():
            made_there = ("agencies", event.ori)
        case e.CourtRegistered():
            made_there = ("courts", event.court_id)
        case e.KeyRegistered() | e.KeyRevoked():
            made_there = ("keys", event.kid)
        case e.PolicyAdopted() | e.TicksVoided() | e.ClockConfirmed() | e.LossAccepted():
            return f"{JOURNAL_PAGE}?first={position}&limit=1"
        case _:
            made_there = ("orders", event_id(event) or "")
    return "/".join((BASE, *(quote(part, safe="") for part in made_there)))


def submit(services: IntakeServices, entry: Entry, own_id: str) -> ReceiptOut:
    """Hand an entry to the act that takes its type, and return the receipt."""
    if codec.type_of(entry.value or b"") is e.RecordEnrolled:
        return receipt_of_record(services.enrol.submit(entry), own_id)
    return receipt_of_order(services.orders.submit(entry))


def receipt_of_record(receipt: Receipt, own_id: str) -> ReceiptOut:
    """Return an enrolment's receipt as it is answered."""
    return ReceiptOut(
        event_id=own_id,
        topic=receipt.topic,
        partition=receipt.partition,
        position=receipt.position,
        sha256=receipt.sha256,
        appended_at=_time(receipt.appended_at_ms),
        repeated=receipt.repeated,
    )


def receipt_of_order(receipt: OrderReceipt) -> ReceiptOut:
    """Return an order's receipt as it is answered."""
    return ReceiptOut(
        event_id=receipt.order_id,
        topic=JOURNAL.topic,
        partition=JOURNAL.partition,
        position=receipt.position,
        sha256=receipt.sha256,
        appended_at=None if receipt.repeated else _time(receipt.appended_at_ms),
        repeated=receipt.repeated,
    )


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _check_sender(services: IntakeServices, person: Person, kind: type, jws: str) -> None:
    """Refuse types that nobody hands in, roles that may not, and other parties' events, before any work on them."""
    if kind not in ROLE_OF:
        raise NotPermitted(f"{kind.__name__} is entered by the exchange alone.", advice="Send enrolments, orders or grants.")
    require(person, ROLE_OF[kind])
    try:
        kid = signing.header_of(jws).kid
    except signing.BadSignature as error:
        raise InvalidInput(
            f"The signature cannot be read: {error}.", advice="/intake/docs says what a signer puts where."
        ) from None
    party = next((key.party for key in services.ledger.signing_keys() if key.key_id == kid), None)
    if party is not None and party != person.party:
        raise NotPermitted("This event was signed by another party than yours.", advice="Each party hands in its own events.")
