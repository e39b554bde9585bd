"""Where a record stands, for its owner to read; for anybody else every record waits, as one that never was."""

from __future__ import annotations

from dataclasses import dataclass

from comity.acts.preview import state
from comity.domain.ids import Ori, RecordId
from comity.domain.record import State
from comity.ports import LedgerView, Rejections

WAITING, ADMITTED, REJECTED, SUPPRESSED = "waiting", "admitted", "rejected", "suppressed"


@dataclass(frozen=True, slots=True)
class Standing:
    """A state, the reason where there is one, and what to do."""

    state: str
    advice: str
    reason: str | None = None
    version: int | None = None
    enrolment_sha256: bytes | None = None


# Of what kind the order is, whose, and by which number it covers the record, is not said: one answer for a seal and for an
# expungement, whether the record stands hidden or was never taken in.
COVERED = Standing(SUPPRESSED, "An order covers it. Remove it from your sharing feed, and ask the court or your own clerk.")
UNDECIDED = Standing(WAITING, "Nothing has been decided yet. If you have sent it, ask again in a minute.")


def standing(ledger: LedgerView, rejections: Rejections, owner: Ori, record: RecordId) -> Standing:
    """Return where this owner's record stands.

    An absent record and another agency's look alike (R32): both wait for an enrolment that this agency may yet send.
    """
    facts = ledger.facts(owner, [record], ledger.progress().next)
    row = facts.record(record, facts.applied)
    mine = row if row is not None and row.owner == owner else None
    rejected = max(rejections.of(owner, record), key=lambda r: r.version, default=None)
    withheld = rejected is not None and rejected.reason == SUPPRESSED
    if withheld or (mine is not None and state(facts, mine) != State.ADMITTED):
        return COVERED
    if rejected is not None and (mine is None or rejected.version > mine.version):
        return Standing(REJECTED, rejected.advice, rejected.reason)
    if mine is not None:
        found = "It can be found by whom your grants name."
        return Standing(ADMITTED, found, version=mine.version, enrolment_sha256=mine.enrolment_sha256)
    return UNDECIDED
