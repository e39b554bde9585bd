"""What a grant may say, whoever enters it and however: one rule for the form, the event and the ledger (R19, R20, R55)."""

from __future__ import annotations

from datetime import datetime, timedelta

from comity.domain.entries import RecordClass, ShareGranted
from comity.domain.policy import PURPOSES, RIGHTS

LASTS_MAX = timedelta(days=366)  # an agreement is looked at again each year: nothing is shared for ever by being forgotten
SHARED_CLASSES = frozenset(RecordClass) - {RecordClass.MINOR}  # minors are never shared (R3)
LAWFUL_PURPOSES = tuple(slug for slug, purpose in PURPOSES.items() if purpose.thresholds)


def unlawful(grant: ShareGranted, entered_at: datetime) -> str | None:
    """Return why a grant entered at this time has no effect, as a sentence; None where it may stand."""
    if grant.grantee == grant.owner:
        return "An agency needs no grant for its own records."
    if not grant.classes or not SHARED_CLASSES.issuperset(grant.classes):
        return f"A grant names classes among: {', '.join(sorted(SHARED_CLASSES))}."
    if not grant.purposes or not set(LAWFUL_PURPOSES).issuperset(grant.purposes):
        return f"A grant names purposes that the law allows: {', '.join(LAWFUL_PURPOSES)}."
    if not grant.rights or not set(RIGHTS).issuperset(grant.rights):
        return f"A grant names rights among: {', '.join(RIGHTS)}."
    if grant.expires_at > entered_at + LASTS_MAX:
        return "A grant lasts a year at most."
    return None
