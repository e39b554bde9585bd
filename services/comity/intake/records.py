"""Records: ids issued, enrolments uploaded, where they stand, and what was refused."""

from __future__ import annotations

import base64
import secrets
from typing import Annotated

from fastapi import Depends, File, Form, Path, Query, Response, UploadFile
from pydantic import Json

from comity.domain import entries as e
from comity.domain.ids import Ori, RecordId
from comity.domain.ids import ori as read_ori
from comity.domain.log import JOURNAL
from comity.domain.roles import AGENCY_ADMINISTRATOR, AGENCY_WRITER, CLERK
from comity.errors import InvalidInput, NotPermitted
from comity.intake import models as m
from comity.intake.events import receipt_of_record
from comity.intake.services import BASE, IntakeServices, Services
from comity.intake.standing import SUPPRESSED, UNDECIDED, standing
from comity.ports import Person
from comity.web.once import Key, again, made
from comity.web.paging import LISTED, Page
from comity.web.problem import documented
from comity.web.routing import Router
from comity.web.session import SignedIn, role
from comity.wire.booking import Booking, Charge, record_class, sealed
from comity.wire.codec import Unencodable
from comity.wire.limits import PHOTOGRAPHS_MAX

router = Router(tags=["records"])
SOURCE = "intake"
PLACE_MAX = 2**63 - 1

Writer = Annotated[Person, Depends(role(AGENCY_WRITER))]
OfAgency = Annotated[Person, Depends(role(AGENCY_WRITER, AGENCY_ADMINISTRATOR, CLERK))]
RecordPath = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="The record's id, as issued.")]


def own_ori(person: Person) -> Ori:
    """Return the agency that somebody acts for. Raises NotPermitted for a court's or the exchange's people."""
    try:
        return read_ori(person.party)
    except ValueError:
        raise NotPermitted("Only an agency's people do this.", advice="Sign in as somebody of the agency.") from None


@router.post("/records", responses=documented(401, 403, 409, 429), summary="Issue a record's id, key and indexes")
def issue_record(sent: m.RecordIn, person: Writer, services: Services) -> m.IssuedOut:
    """Issue what an agency needs to encrypt and name a record; the same booking gets the same id, for ever.

    Refused where an order of my own agency covers the booking or one of the photographs. What others' orders cover is issued as
    anything else, and where the record stands tells what became of it. A key that no enrolment uses waits for a week.
    """
    if sent.owner != person.party:
        raise NotPermitted("An agency enrols its own records only.", advice="Send your own ORI as owner.")
    services.looks.take(person.party)
    named = {
        e.IndexKind.BOOKING: sent.booking_number,
        e.IndexKind.AGENCY_CASE: sent.agency_case,
        e.IndexKind.COURT_CASE: sent.court_case,
        e.IndexKind.ATN: sent.atn,
    }
    numbers = {kind: number for kind, number in named.items() if number}
    issued = services.enrol.prepare(Ori(sent.owner), numbers, sent.photograph_sha256)
    return m.IssuedOut(
        record_id=issued.record_id,
        data_key=base64.b64encode(issued.data_key).decode(),
        indexes=[m.IndexOut(kind=i.kind, key_version=i.key_version, tag=i.tag) for i in issued.indexes],
    )


@router.post("/enrolments", status_code=201, responses=documented(404, 409) | again(m.EnrolledOut), summary="Upload a booking")
def upload_enrolment(
    person: Writer,
    services: Services,
    key: Key,
    response: Response,
    photographs: Annotated[list[UploadFile], File(min_length=1, max_length=PHOTOGRAPHS_MAX)],
    particulars: Annotated[Json[m.ParticularsIn], Form(description="The booking's particulars, as JSON.")],
) -> m.EnrolledOut:
    """Encrypt and sign a booking on behalf of the agency, whose key the exchange holds; the answer says so.

    An agency that encrypts and signs at home, through `POST /v1/events`, need not trust the exchange with this.
    """
    booking = _booking(own_ori(person), particulars, tuple(photograph.file.read() for photograph in photographs))
    services.pace.take(person.party)
    with services.once(key, person, "enrolments", particulars.model_dump_json(), *booking.digests()) as claim:
        before = claim.answered(m.EnrolledOut)
        done = before or claim.keep(_enrol(services, booking, claim.id(32) or secrets.token_hex(16)))
    made(response, f"{BASE}/records/{done.record_id}", again=before is not None)
    if before is not None:
        done.receipt.repeated = True
    return done


def _booking(owner: Ori, said: m.ParticularsIn, photographs: tuple[bytes, ...]) -> Booking:
    if not all(photographs):
        raise InvalidInput("A photograph is empty.", advice="Send 1 to 8 pictures, none of them empty.")
    return Booking(
        owner=owner,
        booking_number=said.booking_number,
        record_class=record_class(said.record_class),
        age_at_capture=said.age_at_capture,
        legal_basis=said.legal_basis,
        captured_at=said.captured_at,
        version=said.version,
        photographs=photographs,
        charges=tuple(Charge(c.offence, c.severity, c.disposition) for c in said.charges),
        agency_case=said.agency_case,
        court_case=said.court_case,
        atn=said.atn,
        name=said.name,
    )


def _enrol(services: IntakeServices, booking: Booking, own: str) -> m.EnrolledOut:
    signer = services.keyring.signer(booking.owner)
    issued = services.enrol.prepare(booking.owner, booking.numbers(), booking.digests())
    event = sealed(booking, issued.record_id, issued.data_key, issued.indexes)
    try:
        entry = services.enrol.entry(event, signer, source=SOURCE, own_id=own)
    except Unencodable as error:
        raise InvalidInput(f"The booking breaks a limit: {error}.", advice="Compare it with /intake/docs.") from None
    receipt = services.enrol.submit(entry)
    return m.EnrolledOut(record_id=event.record_id, receipt=receipt_of_record(receipt, own))


@router.get("/records/{record_id}", responses=documented(401, 403), summary="Where a record of mine stands")
def read_standing(
    record_id: RecordPath,
    person: OfAgency,
    services: Services,
    partition: Annotated[int | None, Query(ge=0, le=PLACE_MAX, description="Of a receipt; name its position too.")] = None,
    position: Annotated[int | None, Query(ge=0, le=PLACE_MAX, description="Of the same receipt.")] = None,
) -> m.StandingOut:
    """Say where a record of my agency stands: waiting, admitted, rejected or suppressed. Others' records wait, as absent ones.

    With a receipt's partition and position it waits until that very enrolment was decided, whatever stood before it.
    """
    decided = partition is None or position is None or services.encoded(partition) > position
    asked = standing(services.ledger, services.rejections, own_ori(person), RecordId(record_id))
    found = asked if decided or asked.state == SUPPRESSED else UNDECIDED
    return m.StandingOut.model_validate(
        {
            "record_id": record_id,
            "state": found.state,
            "reason": found.reason,
            "advice": found.advice,
            "version": found.version,
            "enrolment_sha256": found.enrolment_sha256.hex() if found.enrolment_sha256 else None,
        }
    )


@router.get("/rejections", responses=LISTED, summary="Enrolments of mine that could not be used")
def list_rejections(
    person: OfAgency,
    services: Services,
    page: Page,
    record_id: Annotated[str | None, Query(pattern=r"^[0-9a-f]{32}$", description="Of this record alone.")] = None,
) -> list[m.RejectionOut]:
    """List my agency's enrolments that could not be used, newest first, with what to do about each."""
    record = None if record_id is None else RecordId(record_id)
    rows = services.rejections.of(own_ori(person), record, before=page.number(), count=page.limit + 1)
    return [
        m.RejectionOut(record_id=r.record_id, version=r.version, photograph=r.photo, reason=r.reason, advice=r.advice)
        for r in page.page(rows, lambda row: (row.place,))
    ]


@router.get("/refusals", responses=LISTED, summary="Entries of my party that had no effect")
def list_refusals(person: SignedIn, services: Services, page: Page) -> list[m.RefusalOut]:
    """List what my party entered without effect, and why: from whatever system it was sent, in whatever topic it stands.

    The highest position comes first: of each topic's, the newest.
    """
    journal = [
        m.RefusalOut(
            topic=JOURNAL.topic,
            partition=JOURNAL.partition,
            position=p.position,
            event_id=p.event_id,
            reason=p.refused.reason,
            message=p.refused.message,
        )
        for p in services.ledger.refusals(person.party)
        if p.refused is not None
    ]
    elsewhere = [
        m.RefusalOut(
            topic=r.topic, partition=r.partition, position=r.position, event_id=r.event_id, reason=r.reason, message=r.message
        )
        for r in services.refusals.of(person.party)
    ]
    rows = page.cut(journal + elsewhere, lambda row: (row.position, str(row.topic), row.partition), newest=True)
    return list(rows)
