"""The clock over HTTP: what it says, and an administrator's word on its ticks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Response
from pydantic import BaseModel, Field

from comity.acts.clock import REASON_CHARS_MAX, Shown, TimeKeeping
from comity.domain.roles import ADMINISTRATOR, AUDITOR, OPERATOR
from comity.operations.services import BASE, Services
from comity.ports import Person
from comity.web.once import Claim, Key, again, made
from comity.web.problem import documented
from comity.web.routing import Router
from comity.web.session import role

router = Router(tags=["clock"])

POSITION_MAX = 2**62
Operator = Annotated[Person, Depends(role(OPERATOR, ADMINISTRATOR))]
Auditor = Annotated[Person, Depends(role(AUDITOR, OPERATOR, ADMINISTRATOR))]
Position = Annotated[int, Field(ge=0, lt=POSITION_MAX)]
Reason = Annotated[str, Field(min_length=1, max_length=REASON_CHARS_MAX, description="Kept in the journal.")]


class AlarmShown(BaseModel):
    """Something about the clock that a person must look at."""

    kind: str
    what: str
    advice: str
    since: datetime


class TickShown(BaseModel):
    """A tick: what it said, and when the log took it."""

    position: int
    at: datetime
    appended_at: datetime


class ClockShown(BaseModel):
    """What the exchange judges time by."""

    machine_at: datetime = Field(description="This machine's own clock.")
    newest_at: datetime | None = Field(description="What the newest tick said.")
    latest_at: datetime | None = Field(description="Grants that expire up to then have ended.")
    settled_at: datetime | None = Field(description="Provisional seals that lapse up to then have lapsed.")
    held_by: int | None = Field(description="The tick that jumped, from which on nothing lapses; null where none did.")
    alarms: list[AlarmShown]
    ticks: list[TickShown] = Field(description="The newest ticks, oldest first, void ones too.")


class Confirmation(BaseModel):
    """A tick that told the right time."""

    position: Position
    reason: Reason


class Voiding(BaseModel):
    """Ticks that told a wrong time."""

    first: Position
    last: Position
    reason: Reason


class Ruled(BaseModel):
    """What was entered, and the clock after it."""

    position: int
    clock: ClockShown


@router.get("/clock", summary="What time the exchange judges by")
def read_clock(_who: Auditor, services: Services) -> ClockShown:
    """Show what time the exchange judges by, and what is wrong with it."""
    return shown(services.clock.show())


@router.post("/clock/confirmations", status_code=201, responses=documented(404, 409) | again(Ruled), summary="Confirm a tick")
def confirm_tick(who: Operator, said: Confirmation, services: Services, key: Key, response: Response) -> Ruled:
    """Say that a tick told the right time, so that provisional seals lapse by it again."""
    clock = services.clock
    with services.once(key, who, "confirmations", said.model_dump_json()) as claim:
        return _ruled(claim, clock, response, lambda: clock.confirm(said.position, said.reason, again=claim.again))


@router.post("/clock/voidings", status_code=201, responses=documented(404, 409) | again(Ruled), summary="Void ticks")
def void_ticks(who: Operator, said: Voiding, services: Services, key: Key, response: Response) -> Ruled:
    """Say that the ticks between two positions told a wrong time, so that they count for nothing."""
    clock = services.clock
    with services.once(key, who, "voidings", said.model_dump_json()) as claim:
        return _ruled(claim, clock, response, lambda: clock.void(said.first, said.last, said.reason, again=claim.again))


def _ruled(claim: Claim, clock: TimeKeeping, response: Response, rule: Callable[[], int]) -> Ruled:
    before = claim.answered(Ruled)
    made(response, f"{BASE}/clock", again=before is not None)
    return before or claim.keep(Ruled(position=rule(), clock=shown(clock.show())))


def shown(clock: Shown) -> ClockShown:
    """Return the clock as JSON holds it."""
    newest = clock.newest
    return ClockShown(
        machine_at=clock.machine,
        newest_at=newest.at if newest else None,
        latest_at=newest.latest if newest else None,
        settled_at=newest.settled if newest else None,
        held_by=clock.held_by,
        alarms=[AlarmShown(kind=a.kind, what=a.what, advice=a.advice, since=a.since) for a in clock.alarms],
        ticks=[TickShown(position=t.entered, at=t.at, appended_at=t.entered_at) for t in clock.ticks if t.at],
    )
