"""Parties: agencies, courts, and their keys."""

from __future__ import annotations

import base64
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, Path, Response

from comity.domain.entries import Role
from comity.domain.ids import END, KeyId, Ori, PartyId
from comity.domain.posting import Agency, Court
from comity.domain.roles import ADMINISTRATOR
from comity.errors import NotFound
from comity.intake import models as m
from comity.intake.order_models import RevocationIn
from comity.intake.services import BASE, Services
from comity.ports import Person
from comity.web.once import Key, again, made
from comity.web.paging import LISTED, Page
from comity.web.paths import Whole
from comity.web.problem import documented
from comity.web.routing import Router
from comity.web.session import SignedIn, role
from comity.wire.signing import key_id

router = Router(tags=["parties"])

Administrator = Annotated[Person, Depends(role(ADMINISTRATOR))]
KeyPath = Annotated[str, Whole, Path(pattern=r"^[!-~]([ -~]{0,126}[!-~])?$", description="The key's id.")]


@router.post("/agencies", status_code=201, responses=documented(409) | again(m.RegisteredOut), summary="Register an agency")
def register_agency(sent: m.AgencyIn, person: Administrator, services: Services, response: Response, key: Key) -> m.RegisteredOut:
    """Register an agency, its class and its first public key."""
    raw = base64.b64decode(sent.public_key)
    with services.once(key, person, "agencies", sent.model_dump_json()) as claim:
        before = claim.answered(m.RegisteredOut)
        made(response, f"{BASE}/agencies/{sent.ori}", again=before is not None)
        if before is not None:
            return before
        position = services.register.agency(Ori(sent.ori), sent.name, sent.requester_class, raw, sent.kid, again=claim.again)
        return claim.keep(m.RegisteredOut(position=position, kid=sent.kid or key_id(raw)))


@router.get("/agencies", responses=LISTED, summary="Agencies that take part")
def list_agencies(person: SignedIn, services: Services, page: Page) -> list[m.AgencyOut]:
    """List the agencies that take part, by their ORI."""
    del person
    rows = [row for row in services.ledger.rows(Agency) if row.ended == END]
    return [_agency(row) for row in page.cut(rows, lambda row: (row.ori,))]


@router.get("/agencies/{ori}", responses=documented(404), summary="An agency")
def read_agency(ori: Annotated[m.OriText, Path(description="Its ORI.")], person: SignedIn, services: Services) -> m.AgencyOut:
    """Show an agency that takes part."""
    del person
    for row in services.ledger.rows(Agency, ori=ori):
        return _agency(row)
    raise NotFound("No agency of this ORI is registered.", advice="See the list of agencies.")


@router.post("/courts", status_code=201, responses=documented(409) | again(m.RegisteredOut), summary="Register a court")
def register_court(sent: m.CourtIn, person: Administrator, services: Services, response: Response, key: Key) -> m.RegisteredOut:
    """Register a court and its first public key."""
    raw = base64.b64decode(sent.public_key)
    with services.once(key, person, "courts", sent.model_dump_json()) as claim:
        before = claim.answered(m.RegisteredOut)
        made(response, f"{BASE}/courts/{sent.court_id}", again=before is not None)
        if before is not None:
            return before
        position = services.register.court(PartyId(sent.court_id), sent.name, raw, sent.kid, again=claim.again)
        return claim.keep(m.RegisteredOut(position=position, kid=sent.kid or key_id(raw)))


@router.get("/courts", responses=LISTED, summary="Courts that may enter orders")
def list_courts(person: SignedIn, services: Services, page: Page) -> list[m.CourtOut]:
    """List the courts that may enter orders, by their id."""
    del person
    rows = [row for row in services.ledger.rows(Court) if row.ended == END]
    return [_court(row) for row in page.cut(rows, lambda row: (row.court_id,))]


@router.get("/courts/{court_id}", responses=documented(404), summary="A court")
def read_court(court_id: Annotated[m.PartyText, Path(description="Its id.")], person: SignedIn, services: Services) -> m.CourtOut:
    """Show a court that may enter orders."""
    del person
    for row in services.ledger.rows(Court, court_id=court_id):
        return _court(row)
    raise NotFound("No court of this id is registered.", advice="See the list of courts.")


@router.post("/keys", status_code=201, responses=documented(404, 409) | again(m.RegisteredOut), summary="Register a further key")
def register_key(sent: m.KeyIn, person: Administrator, services: Services, response: Response, key: Key) -> m.RegisteredOut:
    """Register a further public key of a party that takes part."""
    raw = base64.b64decode(sent.public_key)
    known = (
        services.ledger.rows(Agency, ori=sent.party)
        if Role(sent.role) is Role.AGENCY
        else services.ledger.rows(Court, court_id=sent.party)
    )
    if not known:
        raise NotFound(f"No such {sent.role} is registered.", advice="Register it first, with its first key.")
    with services.once(key, person, "keys", sent.model_dump_json()) as claim:
        before = claim.answered(m.RegisteredOut)
        made(response, f"{BASE}/keys/{quote(sent.kid or key_id(raw), safe='')}", again=before is not None)
        if before is not None:
            return before
        position = services.register.key(PartyId(sent.party), Role(sent.role), raw, sent.kid, again=claim.again)
        return claim.keep(m.RegisteredOut(position=position, kid=sent.kid or key_id(raw)))


@router.post(
    "/keys/{kid}/revocation",
    status_code=201,
    responses=documented(404, 409) | again(m.RegisteredOut),
    summary="Revoke a key",
)
def revoke_key(
    kid: KeyPath, sent: RevocationIn, person: Administrator, services: Services, response: Response, key: Key
) -> m.RegisteredOut:
    """End a key: what it signs from here on counts for nothing.

    With `void_from`, what it loosened from that position on (unseals, lifts, grants) never counted, as of any later place.
    """
    with services.once(key, person, "revocations", kid, sent.model_dump_json()) as claim:
        before = claim.answered(m.RegisteredOut)
        made(response, f"{BASE}/keys/{quote(kid, safe='')}", again=before is not None)
        if before is not None:
            return before
        position = services.register.revoke(KeyId(kid), sent.void_from, again=claim.again)
        return claim.keep(m.RegisteredOut(position=position, kid=kid))


@router.get("/keys/{kid}", responses=documented(404), summary="A public signing key")
def read_key(kid: KeyPath, person: SignedIn, services: Services) -> m.KeyOut:
    """Show whose a public signing key is, and whether it still counts."""
    del person
    for key in services.ledger.signing_keys():
        if key.key_id == kid:
            raw = base64.b64encode(key.public_key).decode()
            return m.KeyOut(kid=kid, party=key.party, role=key.role, public_key=raw, in_force=key.ended == END)
    raise NotFound("No key of this id is registered.", advice="Register it, or name another.")


def _agency(row: Agency) -> m.AgencyOut:
    return m.AgencyOut(ori=row.ori, name=row.name, requester_class=row.requester_class)


def _court(row: Court) -> m.CourtOut:
    return m.CourtOut(court_id=row.court_id, name=row.name)
