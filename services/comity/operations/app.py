"""Operations over HTTP: what the operator's and the auditor's commands talk to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Query
from pydantic import BaseModel, Field

from comity.acts.clock import TimeKeeping
from comity.acts.register import EXCHANGE
from comity.acts.searches import Exposure
from comity.domain import ids
from comity.domain.ids import RecordId, UserId
from comity.domain.log import JOURNAL, Placed
from comity.domain.posting import Agency, Court
from comity.domain.roles import ADMINISTRATOR, AUDITOR, HELD_BY, OPERATOR, ROLES, PartyKind, holders
from comity.errors import InvalidInput, NotFound
from comity.operations import clock
from comity.ports import EventLog, Identity, LedgerView, Person
from comity.projection.fsck import Finding
from comity.web.app import new_app
from comity.web.session import role
from comity.wire.codec import Undecodable
from comity.wire.envelope import from_entry

ENTRIES_MAX = 500
Operator = Annotated[Person, Depends(role(OPERATOR, ADMINISTRATOR))]
Auditor = Annotated[Person, Depends(role(AUDITOR, OPERATOR, ADMINISTRATOR))]
Administrator = Annotated[Person, Depends(role(ADMINISTRATOR))]


@dataclass(frozen=True, slots=True)
class OperationServices:
    """What operations can do."""

    identity: Identity
    ledger: LedgerView
    log: EventLog
    clock: TimeKeeping
    status: Callable[[], Mapping[str, Any]]
    exposures: Callable[[RecordId], Sequence[Exposure]]
    fsck: Callable[[], Sequence[Finding]]
    rebuild: Callable[[str], None]


class NewPerson(BaseModel):
    """Somebody who may sign in."""

    name: str = Field(min_length=1, max_length=100)
    party: str = Field(min_length=1, max_length=64, description="An agency's ORI, a court's id, or `exchange`.")
    roles: list[str] = Field(min_length=1, max_length=8)


def create(services: OperationServices) -> FastAPI:
    """Return the application."""
    app = new_app("comity: operations", services.identity)
    _state(app, services)
    clock.routes(app, services.clock)
    _people(app, services)
    return app


def _state(app: FastAPI, services: OperationServices) -> None:
    @app.get("/v1/status")
    def status(_who: Auditor) -> dict[str, Any]:
        """Every position and lag, what stands still and why, and the exchange's clock."""
        return dict(services.status())

    @app.get("/v1/journal")
    def journal(
        _who: Auditor, first: Annotated[int, Query(ge=0)] = 0, count: Annotated[int, Query(ge=1, le=ENTRIES_MAX)] = 50
    ) -> list[dict[str, Any]]:
        """List the journal's entries by position: type, signer, time. What is encrypted stays so."""
        if first >= services.log.end(JOURNAL):
            return []
        with services.log.open({JOURNAL: first}) as reader:
            batch = reader.poll(timeout_seconds=5.0, entries_max=count).get(JOURNAL)
        return [_line(placed) for placed in (batch.entries if batch else ())]

    @app.get("/v1/exposures/{record}")
    def exposures(_who: Auditor, record: str) -> list[dict[str, Any]]:
        """Who was shown a record: what no order can take back."""
        try:
            known = ids.record_id(record)
        except ValueError as error:
            raise InvalidInput(str(error), advice="A record id is printed by `comity enrol` and in previews.") from None
        return [
            {
                "position": x.place,
                "what": x.what,
                "search_id": x.search_id,
                "requester": x.requester,
                "user": x.user,
                "purpose": x.purpose,
            }
            for x in services.exposures(known)
        ]

    @app.post("/v1/fsck")
    def fsck(_who: Operator) -> list[dict[str, str]]:
        """Replay the journal in memory and compare every view with it; changes nothing."""
        return [{"what": finding.what, "advice": finding.advice} for finding in services.fsck()]

    @app.post("/v1/rebuild/{view}")
    def rebuild(_who: Operator, view: Literal["ledger", "gallery", "photographs"]) -> dict[str, str]:
        """Make a view anew from the log."""
        services.rebuild(view)
        return {"rebuilt": view}


def _people(app: FastAPI, services: OperationServices) -> None:
    @app.get("/v1/people")
    def people(_who: Administrator) -> list[dict[str, Any]]:
        """Everybody who may sign in."""
        return [_person(person) for person in services.identity.people()]

    @app.post("/v1/people", status_code=201)
    def add(_who: Administrator, new: NewPerson) -> dict[str, Any]:
        """Let somebody sign in."""
        _check_roles(services.ledger, new.party, new.roles)
        return _person(services.identity.add(new.name, new.party, new.roles))

    @app.post("/v1/people/{user}/links", status_code=201)
    def link(_who: Administrator, user: str) -> dict[str, str]:
        """Make a link that signs this person in, once, within minutes."""
        if user not in {person.user_id for person in services.identity.people()}:
            raise NotFound("There is no such person.", advice="See `comity user list`.")
        return {"path": f"/sign-in/{services.identity.link(UserId(user))}"}


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


def _person(person: Person) -> dict[str, Any]:
    return {"user_id": person.user_id, "name": person.name, "party": person.party, "roles": sorted(person.roles)}


def _line(placed: Placed) -> dict[str, Any]:
    at = datetime.fromtimestamp(placed.appended_at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    try:
        envelope = from_entry(placed.entry)
    except Undecodable as error:
        return {"position": placed.position, "at": at, "type": None, "unreadable": str(error)[:200]}
    kind = type(envelope.event).__name__
    return {"position": placed.position, "at": at, "type": kind, "id": envelope.event_id, "key": envelope.kid[:8]}
