"""Parties and what they grant each other: agencies, courts, keys, and the public register of grants."""

from __future__ import annotations

import base64
from typing import Annotated

from fastapi import APIRouter, Depends, Path

from comity.acts.grant import Terms
from comity.domain.entries import RecordClass, Role
from comity.domain.ids import END, GrantId, Ori, PartyId
from comity.domain.posting import Agency, Court, Grant
from comity.domain.roles import ADMINISTRATOR, AGENCY_ADMINISTRATOR
from comity.errors import NotFound
from comity.intake import models as m
from comity.intake.events import receipt_of_order
from comity.intake.records import own_ori
from comity.intake.services import IntakeServices, Services
from comity.ports import Person
from comity.web.problem import documented
from comity.web.session import SignedIn, role
from comity.wire.booking import record_class
from comity.wire.signing import key_id

router = APIRouter(tags=["parties"])

Administrator = Annotated[Person, Depends(role(ADMINISTRATOR))]
AgencyAdministrator = Annotated[Person, Depends(role(AGENCY_ADMINISTRATOR))]
GrantPath = Annotated[str, Path(pattern=r"^[!-~]{1,128}$", description="The grant's number.")]


@router.post("/agencies", responses=documented(401, 403, 409), summary="Register an agency")
def register_agency(sent: m.AgencyIn, person: Administrator, services: Services) -> m.RegisteredOut:
    """Register an agency, its class and its first public key."""
    del person
    raw = base64.b64decode(sent.public_key)
    position = services.register.agency(Ori(sent.ori), sent.name, sent.requester_class, raw, sent.kid)
    return m.RegisteredOut(position=position, kid=sent.kid or key_id(raw))


@router.get("/agencies", responses=documented(401), summary="Agencies that take part")
def list_agencies(person: SignedIn, services: Services) -> list[m.AgencyOut]:
    """List the agencies that take part."""
    del person
    rows = [row for row in services.ledger.rows(Agency) if isinstance(row, Agency) and row.ended == END]
    return [m.AgencyOut(ori=row.ori, name=row.name, requester_class=row.requester_class) for row in rows]


@router.post("/courts", responses=documented(401, 403, 409), summary="Register a court")
def register_court(sent: m.CourtIn, person: Administrator, services: Services) -> m.RegisteredOut:
    """Register a court and its first public key."""
    del person
    raw = base64.b64decode(sent.public_key)
    position = services.register.court(PartyId(sent.court_id), sent.name, raw, sent.kid)
    return m.RegisteredOut(position=position, kid=sent.kid or key_id(raw))


@router.get("/courts", responses=documented(401), summary="Courts that may enter orders")
def list_courts(person: SignedIn, services: Services) -> list[m.CourtOut]:
    """List the courts that may enter orders."""
    del person
    rows = [row for row in services.ledger.rows(Court) if isinstance(row, Court) and row.ended == END]
    return [m.CourtOut(court_id=row.court_id, name=row.name) for row in rows]


@router.post("/keys", responses=documented(401, 403, 404, 409), summary="Register a further key")
def register_key(sent: m.KeyIn, person: Administrator, services: Services) -> m.RegisteredOut:
    """Register a further public key of a party that takes part."""
    del person
    raw = base64.b64decode(sent.public_key)
    known = (
        services.ledger.rows(Agency, ori=sent.party)
        if Role(sent.role) is Role.AGENCY
        else services.ledger.rows(Court, court_id=sent.party)
    )
    if not known:
        raise NotFound(f"No such {sent.role} is registered.", advice="Register it first, with its first key.")
    position = services.register.key(PartyId(sent.party), Role(sent.role), raw, sent.kid)
    return m.RegisteredOut(position=position, kid=sent.kid or key_id(raw))


@router.post("/grants", responses=documented(401, 403, 404, 409), summary="Grant another agency")
def grant(sent: m.GrantIn, person: AgencyAdministrator, services: Services) -> m.ReceiptOut:
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
    return receipt_of_order(services.grants.grant(owner, terms, services.keyring.signer(owner)))


@router.delete("/grants/{grant_id}", responses=documented(401, 403, 404, 409), summary="Take a grant back")
def revoke(grant_id: GrantPath, person: AgencyAdministrator, services: Services) -> m.ReceiptOut:
    """Take a grant of my agency back: it binds every answer from its place in the journal on."""
    owner = own_ori(person)
    services.pace.take(person.party)
    return receipt_of_order(services.grants.revoke(owner, GrantId(grant_id), services.keyring.signer(owner)))


@router.get("/grants", responses=documented(401), summary="The public register of grants")
def list_grants(person: SignedIn, services: Services) -> list[m.GrantOut]:
    """List every grant ever made, ended and expired ones too."""
    del person
    return [_granted(row, services) for row in services.grants.register()]


def _granted(row: Grant, services: IntakeServices) -> m.GrantOut:
    return m.GrantOut(
        grant_id=row.grant_id,
        owner=row.owner,
        grantee=row.grantee,
        classes=list(row.classes),
        purposes=list(row.purposes),
        rights=list(row.rights),
        expires_at=row.expires_at,
        in_return=row.in_return,
        in_force=row.ended == END and row.expires_at > services.now(),
        granted_at_position=row.entered,
        revoked_at_position=None if row.ended == END else row.ended,
    )
