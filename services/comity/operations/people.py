"""People: who may sign in, for which party and in which roles; and their links."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends, Path, Response

from comity.acts.register import EXCHANGE
from comity.domain.ids import UserId
from comity.domain.posting import Agency, Court
from comity.domain.roles import ADMINISTRATOR, HELD_BY, ROLES, PartyKind, holders
from comity.errors import InvalidInput
from comity.operations import models as m
from comity.operations.services import BASE, Services
from comity.ports import LedgerView, Person
from comity.web.once import Key, again, made
from comity.web.paging import LISTED, Page
from comity.web.problem import documented
from comity.web.routing import Router
from comity.web.session import role

router = Router(tags=["people"])

Administrator = Annotated[Person, Depends(role(ADMINISTRATOR))]
UserPath = Annotated[str, Path(pattern=r"^[!-~]{1,64}$", description="Their pseudonym.")]


@router.get("/people", responses=LISTED, summary="Who may sign in")
def list_people(_who: Administrator, services: Services, page: Page) -> list[m.PersonOut]:
    """List everybody who may sign in, by party and name."""
    rows = page.cut(services.identity.people(), lambda one: (one.party, one.name, one.user_id))
    return [_person(person) for person in rows]


@router.post("/people", status_code=201, responses=documented(409) | again(m.PersonOut), summary="Let somebody sign in")
def add_person(who: Administrator, new: m.NewPerson, services: Services, key: Key, response: Response) -> m.PersonOut:
    """Let somebody sign in, for a party that takes part, in roles that its people may hold."""
    _check_roles(services.ledger, new.party, new.roles)
    with services.once(key, who, "people", new.model_dump_json()) as claim:
        before = claim.answered(m.PersonOut)
        own = UserId(f"u-{claim.id(12)}") if claim.name else None
        done = before or claim.keep(_person(services.people.add(new.name, new.party, new.roles, who.user_id, own)))
    made(response, f"{BASE}/people/{done.user_id}", again=before is not None)
    return done


@router.get("/people/{user}", responses=documented(404), summary="Somebody who may sign in")
def read_person(_who: Administrator, user: UserPath, services: Services) -> m.PersonOut:
    """Show somebody who may sign in."""
    return _person(services.people.one(UserId(user)))


@router.post(
    "/people/{user}/links",
    status_code=201,
    responses=documented(404, 409) | again(m.LinkOut),
    summary="Make a link to sign in with",
)
def add_link(who: Administrator, user: UserPath, services: Services, response: Response, key: Key) -> m.LinkOut:
    """Make a link that signs this person in, once, within minutes; that I made it for them is entered in the journal.

    The same again under its key is the same link, used or not.
    """
    with services.once(key, who, "links", user) as claim:
        before = claim.answered(m.LinkOut)
        done = before or claim.keep(m.LinkOut(path=f"/sign-in/{services.people.link(UserId(user), who.user_id)}"))
    made(response, done.path, again=before is not None)
    return done


@router.put("/people/{user}/roles", responses=documented(404, 409), summary="Give somebody other roles")
def give_roles(who: Administrator, user: UserPath, new: m.NewRoles, services: Services) -> m.PersonOut:
    """Give somebody these roles instead of those they have; their open sessions have them at once."""
    _check_roles(services.ledger, services.people.one(UserId(user)).party, new.roles)
    return _person(services.people.give(UserId(user), new.roles, who.user_id))


@router.delete("/people/{user}", status_code=204, responses=documented(404, 409), summary="Let somebody sign in no more")
def remove_person(who: Administrator, user: UserPath, services: Services) -> None:
    """Shut somebody out: their sessions and links end, and their open pages go blank, at once."""
    services.people.remove(UserId(user), who.user_id)


@router.delete("/people/{user}/sessions", responses=documented(404), summary="End somebody's sessions")
def end_sessions(who: Administrator, user: UserPath, services: Services) -> m.EndedOut:
    """End every session and link of somebody, who may sign in again with a new link."""
    return m.EndedOut(ended=services.people.sign_out(UserId(user), who.user_id))


def _check_roles(ledger: LedgerView, party: str, given: Sequence[str]) -> None:
    """Raise InvalidInput for a party that takes no part, and for a role that its people cannot hold."""
    if unknown := set(given) - set(ROLES):
        raise InvalidInput(f"Unknown role: {', '.join(sorted(unknown))}.", advice=f"Use: {', '.join(ROLES)}.")
    kind = _kind(ledger, party)
    if kind is None:
        raise InvalidInput(
            "No agency and no court of this name is registered.",
            advice="Register it first: comity agency add, or comity court add; the exchange itself is `exchange`.",
        )
    for name in sorted(given):
        if kind not in HELD_BY[name]:
            raise InvalidInput(
                f"People of {kind} cannot be {name}: nobody was given anything.",
                advice=f"This role is for people of {holders(name)}.",
                role=name,
            )


def _kind(ledger: LedgerView, party: str) -> PartyKind | None:
    if party == EXCHANGE:
        return PartyKind.EXCHANGE
    if ledger.rows(Agency, ori=party):
        return PartyKind.AGENCY
    return PartyKind.COURT if ledger.rows(Court, court_id=party) else None


def _person(person: Person) -> m.PersonOut:
    return m.PersonOut(user_id=person.user_id, name=person.name, party=person.party, roles=sorted(person.roles))
