"""Machines of an agency's or a court's: registered by their administrator, each with its own key, and no password."""

from __future__ import annotations

import base64
from typing import Annotated

from fastapi import Depends, Path, Response

from comity.acts.machines import MACHINE, PSEUDONYM_BYTES
from comity.domain.ids import UserId
from comity.domain.roles import ADMINISTRATOR, AGENCY_ADMINISTRATOR
from comity.intake import models as m
from comity.intake.services import BASE, IntakeServices, Services
from comity.ports import Machine, Person
from comity.web.once import Claim, Key, again, made
from comity.web.paging import LISTED, Page
from comity.web.problem import documented
from comity.web.routing import Router
from comity.web.session import role

router = Router(tags=["machines"])

Chief = Annotated[Person, Depends(role(ADMINISTRATOR, AGENCY_ADMINISTRATOR))]
MachinePath = Annotated[str, Path(pattern=r"^m-[0-9a-f]{12}$", description="The machine's id.")]


@router.post("/machines", status_code=201, responses=documented(409) | again(m.MachineOut), summary="Register a machine")
def add_machine(sent: m.MachineIn, person: Chief, services: Services, key: Key, response: Response) -> m.MachineOut:
    """Let a records system of my party sign in by its own Ed25519 key: the private half stays with it.

    The exchange's administrator registers machines of any party that takes part.
    """
    with services.once(key, person, "machines", sent.model_dump_json()) as claim:
        before = claim.answered(m.MachineOut)
        done = before or claim.keep(_told(services, _registered(services, person, sent, claim)))
    made(response, f"{BASE}/machines/{done.machine_id}", again=before is not None)
    return done


def _registered(services: IntakeServices, person: Person, sent: m.MachineIn, claim: Claim) -> Machine:
    party, raw = sent.party or person.party, base64.b64decode(sent.public_key)
    own = UserId(f"{MACHINE}{claim.id(2 * PSEUDONYM_BYTES)}") if claim.name else None
    return services.machines.register(person, party, sent.name, sent.roles, raw, own)


@router.get("/machines", responses=LISTED, summary="Machines that I administer")
def list_machines(person: Chief, services: Services, page: Page) -> list[m.MachineOut]:
    """List my party's machines, revoked ones too; the exchange's administrator sees everybody's."""
    rows = page.cut(services.machines.of(person), lambda one: (one.person.party, one.person.name, one.person.user_id))
    return [_told(services, machine) for machine in rows]


@router.get("/machines/{machine_id}", responses=documented(404), summary="A machine")
def read_machine(machine_id: MachinePath, person: Chief, services: Services) -> m.MachineOut:
    """Show a machine that I administer."""
    return _told(services, services.machines.one(person, machine_id))


@router.delete("/machines/{machine_id}", responses=documented(404), summary="Shut a machine out")
def revoke_machine(machine_id: MachinePath, person: Chief, services: Services) -> m.MachineOut:
    """Shut a machine out from here on: its sessions end at once, and its key opens none again."""
    return _told(services, services.machines.revoke(person, machine_id))


def _told(services: IntakeServices, machine: Machine) -> m.MachineOut:
    return m.MachineOut(
        machine_id=machine.person.user_id,
        name=machine.person.name,
        party=machine.person.party,
        roles=sorted(machine.person.roles),
        public_key=base64.b64encode(machine.public_key).decode(),
        revoked=machine.revoked,
        exchange_id=services.machines.audience(),
    )
