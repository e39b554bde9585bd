"""Orders, the tables they follow, and sessions; and all of intake's routes together, under /v1."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Annotated

from fastapi import Depends, File, Form, Request, Response, UploadFile

from comity.acts.preview import Covered
from comity.domain import policy
from comity.domain.log import JOURNAL
from comity.domain.posting import Lift, Suppression
from comity.domain.roles import CLERK
from comity.errors import InvalidInput, NotFound
from comity.intake import events, exchange, grants, machines, parties, records
from comity.intake import models as m
from comity.intake import orders as own_orders
from comity.intake.events import receipt_of_order
from comity.intake.order_models import CoveredOut, FoundOut, NumbersIn, PreviewIn, PreviewOut
from comity.intake.services import BASE, Services
from comity.ports import Person
from comity.web.once import Key, again, made
from comity.web.problem import documented
from comity.web.routing import Router
from comity.web.session import SESSION_SECONDS, SignedIn, role, token_of
from comity.wire import codec

TOKEN_CHARS_MAX = 1_000_000  # a preview of 1,000 records, sealed, in hex: 100 KB

MACHINE_SECONDS = 15 * 60  # of a machine's session: it renews by itself

orders = Router(tags=["orders"])
tables = Router(tags=["tables"])
sessions = Router(tags=["sessions"])

Clerk = Annotated[Person, Depends(role(CLERK))]


@orders.post("/orders/preview", responses=documented(401, 403, 409, 429), summary="See what an order would cover")
def preview_order(sent: PreviewIn, person: Clerk, services: Services, key: Key) -> PreviewOut:
    """Find the records by a number and show what my party's order under this statute would cover, per agency.

    An agency's order covers its own records alone. No order is entered; that I looked is, with what I was shown. An order for a
    number that is not here (yet) is possible: it will cover the record should it come. The same again under its key is the same
    look, judged anew.
    """
    with services.once(key, person, "previews", sent.model_dump_json()) as claim:
        look = partial(services.seal.preview, party=person.party, user=person.user_id, own=claim.id())
        shown = look(sent.what, sent.statute, sent.by_kind(), sent.whose(), until=sent.until)
    return PreviewOut(
        what=shown.what,
        statute=shown.statute,
        mode=shown.mode,
        covers=_covers(shown.covers),
        per_agency=dict(shown.per_agency),
        notes=list(shown.notes),
        lapses_at=shown.lapses_at,
        token=shown.token,
    )


@orders.post("/orders/find", responses=documented(401, 403, 409, 429), summary="See which records a number finds")
def find_records(sent: NumbersIn, person: Clerk, services: Services, key: Key) -> FoundOut:
    """Show the records that a number finds, and where each stands; that I looked is entered, and no order."""
    with services.once(key, person, "finds", sent.model_dump_json()) as claim:
        found = services.seal.find(sent.by_kind(), sent.whose(), party=person.party, user=person.user_id, own=claim.id())
    return FoundOut(covers=_covers(found), per_agency=dict(Counter(c.owner for c in found)))


def _covers(covers: Sequence[Covered]) -> list[CoveredOut]:
    return [
        CoveredOut(record_id=c.record_id, owner=c.owner, record_class=c.record_class, state=c.state, named=c.named)
        for c in covers
    ]


@orders.post(
    "/orders",
    status_code=201,
    responses=documented(404, 409) | again(m.ReceiptOut),
    summary="Enter the order that was previewed",
)
def enter_order(
    person: Clerk,
    services: Services,
    key: Key,
    response: Response,
    token: Annotated[str, Form(min_length=1, max_length=TOKEN_CHARS_MAX, description="From the preview.")],
    document: Annotated[UploadFile | None, File(description="The court's document, kept encrypted.")] = None,
) -> m.ReceiptOut:
    """Enter exactly what this person previewed, signed with the key of their party; pressing twice enters it once.

    A second press with another document is a 409: the first document stands.

    From the receipt's position on nobody finds these records, except as the mode says.
    """
    content = document.file.read() if document else b""
    with services.once(key, person, "orders", token, content):
        signer = services.keyring.signer(person.party)
        receipt = receipt_of_order(services.seal.press(token, signer, content, party=person.party, user=person.user_id))
    made(response, f"{BASE}/orders/{receipt.event_id}", again=receipt.repeated)
    return receipt


@orders.get("/orders/{order_id}", responses=documented(404), summary="The receipt of an order of mine")
def read_order(
    order_id: own_orders.OrderPath,
    person: Clerk,
    services: Services,
) -> m.ReceiptOut:
    """Show the receipt of an order that my party entered, of the end of an order too, as it was first given."""
    rows: Sequence[Suppression | Lift] = services.ledger.rows(Suppression, entered_by=person.party, order_id=order_id)
    rows = rows or services.ledger.rows(Lift, lifted_by=person.party, lift_id=order_id)
    seen = services.ledger.seen(person.party, order_id)
    if not rows or seen is None:
        raise NotFound("There is no such order of yours.", advice="Name an order that your own party entered.")
    return m.ReceiptOut(
        event_id=order_id,
        topic=JOURNAL.topic,
        partition=JOURNAL.partition,
        position=seen[1],
        sha256=seen[0].hex(),
        appended_at=rows[0].entered_at,
        repeated=True,
    )


@tables.get("/statutes", summary="Statutes, and the mode that follows")
def list_statutes() -> list[m.StatuteOut]:
    """List the statutes that an order may name; one without a mode reaches no police record, and says why."""
    return [
        m.StatuteOut(
            slug=s.slug,
            title=s.title,
            mode=s.mode,
            mode_title=policy.MODES[s.mode].title if s.mode else None,
            why=s.why,
        )
        for s in policy.STATUTES.values()
    ]


@tables.get("/schemas", summary="Schemas of events")
def list_schemas() -> list[m.SchemaOut]:
    """List the Avro schema of every event's type: what a publisher encodes with, and what a refused event is compared with."""
    return [m.SchemaOut(schema_id=number, name=name, avro=avro) for number, (name, avro) in codec.schemas().items()]


@tables.get("/purposes", summary="Purposes, thresholds and offences")
def list_purposes() -> m.PurposesOut:
    """List what may be searched for, what carries it, and the law that says so; a purpose without thresholds is refused."""
    return m.PurposesOut(
        purposes=[
            m.PurposeOut(
                slug=p.slug,
                title=p.title,
                thresholds=list(p.thresholds),
                classes=sorted(p.classes),
                why=p.why,
                source=p.source,
            )
            for p in policy.PURPOSES.values()
        ],
        thresholds=policy.THRESHOLDS,
        offences=policy.OFFENCES,
        rights=list(policy.RIGHTS),
        requester_classes=list(policy.REQUESTER_CLASSES),
    )


@sessions.post("/sessions", status_code=201, responses=documented(401), summary="Sign in")
def sign_in(sent: m.LinkIn | m.AssertionIn, services: Services, response: Response) -> m.SessionOut:
    """Exchange a person's one-time link, or a machine's signed assertion, for a session."""
    if isinstance(sent, m.AssertionIn):
        token, seconds = services.machines.sign_in(sent.assertion), MACHINE_SECONDS
    else:
        token, seconds = services.identity.sign_in(sent.link), SESSION_SECONDS
    person = services.identity.person(token)
    made(response, f"{BASE}/sessions")
    return m.SessionOut(
        token=token,
        expires_in_seconds=seconds,
        user_id=person.user_id,
        party=person.party,
        roles=sorted(person.roles),
    )


@sessions.get("/sessions", summary="Who I am")
def read_session(person: SignedIn) -> m.WhoOut:
    """Show who is signed in, for which party, in which roles."""
    return m.WhoOut(user_id=person.user_id, party=person.party, roles=sorted(person.roles))


@sessions.delete("/sessions", status_code=204, summary="Sign out")
def sign_out(request: Request, services: Services) -> None:
    """End the session whose token is sent; a session that has ended already is fine."""
    token = token_of(request)
    if token is None:
        raise InvalidInput("No session was named.", advice="Send its token as `Authorization: Bearer`.")
    services.identity.sign_out(token)


router = Router(prefix="/v1")
parts = (
    exchange.router,
    records.router,
    events.router,
    orders,
    own_orders.router,
    parties.router,
    grants.router,
    machines.router,
    tables,
    sessions,
)
for part in parts:
    router.include_router(part)
