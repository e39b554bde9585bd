"""What agencies grant each other: granting, taking back, and the public register."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from fastapi import Depends, Path, Response

from comity.acts.grant import Terms
from comity.domain.entries import RecordClass
from comity.domain.ids import END, GrantId, Ori
from comity.domain.judge import Facts
from comity.domain.posting import Grant
from comity.domain.roles import AGENCY_ADMINISTRATOR
from comity.domain.standing import revocations_of
from comity.errors import NotFound
from comity.intake import models as m
from comity.intake.events import receipt_of_order
from comity.intake.records import own_ori
from comity.intake.services import BASE, IntakeServices, Services
from comity.ports import Person
from comity.reads.grants import now
from comity.web.once import Key, again, made
from comity.web.paging import LISTED, Page
from comity.web.paths import Whole
from comity.web.problem import documented
from comity.web.routing import Router
from comity.web.session import SignedIn, role
from comity.wire.booking import record_class

router = Router(tags=["grants"])

AgencyAdministrator = Annotated[Person, Depends(role(AGENCY_ADMINISTRATOR))]
GrantPath = Annotated[str, Whole, Path(pattern=r"^[!-~]{1,128}$", description="The grant's number.")]


@router.post("/grants", status_code=201, responses=documented(404, 409) | again(m.ReceiptOut), summary="Grant another agency")
def grant(sent: m.GrantIn, person: AgencyAdministrator, services: Services, response: Response, key: Key) -> m.ReceiptOut:
    """Let another agency do what is named with my agency's records, until the day named.

    Signed on behalf of the agency, whose key the exchange holds. The grant's number is the receipt's `event_id`.
    """
    owner = own_ori(person)
    terms = Terms(
        Ori(sent.grantee),
        frozenset[RecordClass](map(record_class, sent.classes)),
        frozenset(sent.purposes),
        frozenset(sent.rights),
        sent.expires_at,
        sent.in_return,
    )
    services.pace.take(person.party)
    with services.once(key, person, "grants", sent.model_dump_json()) as claim:
        receipt = receipt_of_order(services.grants.grant(owner, terms, services.keyring.signer(owner), claim.id()))
    made(response, f"{BASE}/grants/{owner}/{receipt.event_id}", again=receipt.repeated)
    return receipt


@router.delete("/grants/{grant_id}", responses=documented(404, 409), summary="Take a grant back")
def revoke(grant_id: GrantPath, person: AgencyAdministrator, services: Services) -> m.ReceiptOut:
    """Take a grant of my agency back: it binds every answer from its place in the journal on."""
    owner = own_ori(person)
    services.pace.take(person.party)
    return receipt_of_order(services.grants.revoke(owner, GrantId(grant_id), services.keyring.signer(owner)))


@router.get("/grants", responses=LISTED, summary="The public register of grants")
def list_grants(person: SignedIn, services: Services, page: Page) -> list[m.GrantOut]:
    """List every grant ever made, newest first, ended and expired ones too."""
    del person
    rows = page.cut(services.grants.register(), lambda row: (row.entered,), newest=True)
    facts = _facts(services, rows)
    return [_granted(row, facts) for row in rows]


@router.get("/grants/{owner}/{grant_id}", responses=documented(404), summary="A grant")
def read_grant(
    owner: Annotated[m.OriText, Path(description="Whose records it lets be searched.")],
    grant_id: GrantPath,
    person: SignedIn,
    services: Services,
) -> m.GrantOut:
    """Show one line of the register: a grant is known by its owner and its number."""
    del person
    for row in services.ledger.rows(Grant, owner=owner, grant_id=grant_id):
        return _granted(row, _facts(services, [row]))
    raise NotFound("There is no such grant.", advice="See the register of grants.")


def _facts(services: IntakeServices, grants: Sequence[Grant]) -> Facts:
    """Return what grants are judged by now: the same that a search is."""
    facts = services.ledger.facts("", (), services.ledger.progress().next)
    return replace(facts, revocations=tuple(revocations_of(services.ledger, grants)))


def _granted(row: Grant, facts: Facts) -> m.GrantOut:
    return m.GrantOut(
        grant_id=row.grant_id,
        owner=row.owner,
        grantee=row.grantee,
        classes=list(row.classes),
        purposes=list(row.purposes),
        rights=list(row.rights),
        expires_at=row.expires_at,
        in_return=row.in_return,
        in_force=facts.in_force(row, facts.applied),
        now=now(row, facts),
        granted_at_position=row.entered,
        revoked_at_position=None if row.ended == END else row.ended,
    )
