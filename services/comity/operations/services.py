"""What operations are made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Request

from comity.acts.clock import TimeKeeping
from comity.acts.people import People
from comity.acts.searches import Exposures
from comity.domain.ids import RecordId
from comity.ports import EventLog, Identity, LedgerView
from comity.projection.fsck import Finding
from comity.web.once import Once

BASE = "/operations/v1"  # where its routes are, for the addresses in its answers


@dataclass(frozen=True, slots=True)
class OperationServices:
    """What operations can do."""

    identity: Identity
    ledger: LedgerView
    log: EventLog
    clock: TimeKeeping
    people: People
    status: Callable[[], Mapping[str, Any]]
    exposures: Callable[[RecordId], Exposures]
    fsck: Callable[[], Sequence[Finding]]
    rebuild: Callable[[str], None]
    sweep: Callable[[], Mapping[str, int]]
    once: Once = field(default_factory=Once)


def _services(request: Request) -> OperationServices:
    services: OperationServices = request.app.state.operations
    return services


Services = Annotated[OperationServices, Depends(_services)]
