"""A grant as it stands now, as a sentence: judged as a search judges it."""

from __future__ import annotations

from comity.domain.ids import END
from comity.domain.judge import Facts
from comity.domain.rows import Grant
from comity.reads.orders import iso


def now(grant: Grant, facts: Facts) -> str:
    """Return whether a grant is in force, and what ended it."""
    if facts.in_force(grant, facts.applied):
        return f"in force until {iso(grant.expires_at)}"
    if facts.void(grant, facts.applied):
        return "void: its key was revoked from before it"
    if grant.ended != END:
        return f"taken back at position {grant.ended}"
    clock = facts.clock(facts.applied)
    if clock is None or clock.latest is None:
        return "not in force: the exchange has no time yet"
    return f"expired at {iso(grant.expires_at)}"
