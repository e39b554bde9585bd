"""The exchange's state, recall and repair: what operators and auditors ask."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Depends, Path, Query

from comity.domain.ids import record_id
from comity.domain.log import JOURNAL, Placed
from comity.domain.roles import ADMINISTRATOR, AUDITOR, OPERATOR
from comity.errors import InvalidInput
from comity.operations import models as m
from comity.operations.services import OperationServices, Services
from comity.ports import Person
from comity.web.paging import LISTED, Page, Paging
from comity.web.routing import Router
from comity.web.session import role
from comity.wire.codec import Undecodable
from comity.wire.envelope import from_entry

UNREADABLE_CHARS_MAX = 200
POLL_SECONDS = 5.0
WINDOWS_MAX = 50  # of places that a page looks at: where a log is full of gaps, the next page goes on
PLACE_MAX = 2**63 - 1

router = Router(tags=["state"])

Operator = Annotated[Person, Depends(role(OPERATOR, ADMINISTRATOR))]
Auditor = Annotated[Person, Depends(role(AUDITOR, OPERATOR, ADMINISTRATOR))]


@router.get("/status", summary="How the exchange is")
def read_status(_who: Auditor, services: Services) -> m.StatusOut:
    """Show every position and lag, what stands still and why, and the exchange's clock."""
    return m.StatusOut.model_validate(dict(services.status()))


@router.get("/journal", responses=LISTED, summary="The journal's entries")
def list_entries(
    _who: Auditor,
    services: Services,
    page: Page,
    first: Annotated[int | None, Query(ge=0, le=PLACE_MAX, description="From this position on, the oldest first.")] = None,
) -> list[m.EntryOut]:
    """List the journal's entries, newest first, or from a position on: type, signer, time. What is encrypted stays so."""
    if first is not None:
        return _from(services, page, max(first, page.number() or 0))
    return _newest(services, page)


@router.get("/exposures/{record}", responses=LISTED, summary="Who was shown a record")
def list_exposures(
    _who: Auditor,
    services: Services,
    page: Page,
    record: Annotated[str, Path(json_schema_extra={"pattern": "^[0-9a-f]{32}$"}, description="As `comity enrol` printed it.")],
) -> list[m.ExposureOut]:
    """List who was shown a record, newest first: what no order can take back.

    Where searches could not be read, which may have shown it as well, a line at position 0 says how many.
    """
    try:
        exposed = services.exposures(record_id(record))
    except ValueError as error:
        raise InvalidInput(f"{error}.", advice="Send it as `comity enrol` and previews print it.") from None
    found = [
        m.ExposureOut(position=x.place, what=x.what, search_id=x.search_id, requester=x.requester, user=x.user, purpose=x.purpose)
        for x in exposed
    ]
    if exposed.unread:
        what = f"unknown: {exposed.unread} searches could not be read, their keys are gone"
        found.append(m.ExposureOut(position=0, what=what, search_id="", requester="", user="", purpose=""))
    return list(page.cut(found, lambda one: (one.position, one.what, one.search_id), newest=True))


@router.post("/fsck", summary="Compare every view with the journal")
def fsck(_who: Operator, services: Services) -> list[m.FindingOut]:
    """Replay the journal in memory and compare every view with it; changes nothing."""
    return [m.FindingOut(what=finding.what, advice=finding.advice) for finding in services.fsck()]


@router.post("/sweep", summary="Look through every file for what was erased")
def sweep(_who: Operator, services: Services) -> m.SweptOut:
    """Look through every file now for what erasures destroyed, and certify what was not found; by itself it is done at night."""
    return m.SweptOut(**services.sweep())


@router.post("/rebuild/{view}", summary="Make a view anew from the log")
def rebuild(_who: Operator, services: Services, view: Literal["ledger", "gallery", "photographs"]) -> m.RebuiltOut:
    """Make a view anew from the log."""
    services.rebuild(view)
    return m.RebuiltOut(rebuilt=view)


def _from(services: OperationServices, page: Paging, first: int) -> list[m.EntryOut]:
    """Return entries from a position on; the cursor is the position that the next page begins at."""
    entries = _read(services, first, page.limit)
    if entries and entries[-1].position + 1 < services.log.end(JOURNAL):
        page.more((entries[-1].position + 1,))
    return [_entry(placed) for placed in entries]


def _newest(services: OperationServices, page: Paging) -> list[m.EntryOut]:
    """Return the newest entries before the cursor. A place may hold no record: then it is looked further back."""
    cursor, found = page.number(), list[Placed]()
    before = services.log.end(JOURNAL) if cursor is None else min(cursor, services.log.end(JOURNAL))
    for _ in range(WINDOWS_MAX):
        wanted = page.limit - len(found)
        if before <= 0 or wanted <= 0:
            break
        first = max(0, before - wanted)
        found += reversed([placed for placed in _read(services, first, before - first) if placed.position < before])
        before = first
    if before > 0:
        page.more((before,))
    return [_entry(placed) for placed in found]


def _read(services: OperationServices, first: int, count: int) -> list[Placed]:
    if first >= services.log.end(JOURNAL):
        return []
    with services.log.open({JOURNAL: first}) as reader:
        batch = reader.poll(timeout_seconds=POLL_SECONDS, entries_max=count).get(JOURNAL)
    return list(batch.entries) if batch else []


def _entry(placed: Placed) -> m.EntryOut:
    at = placed.appended_at
    try:
        envelope = from_entry(placed.entry)
    except Undecodable as error:
        return m.EntryOut(position=placed.position, at=at, type=None, unreadable=str(error)[:UNREADABLE_CHARS_MAX])
    kind = type(envelope.event).__name__
    return m.EntryOut(position=placed.position, at=at, type=kind, id=envelope.event_id, key=envelope.kid[:8])
