"""The life of a record: states, and what may follow what, as a table (decide / evolve)."""

from __future__ import annotations

from enum import StrEnum

from comity.domain import entries as e


class State(StrEnum):
    """Where a record stands, for a person to read; what may be shown is decided by ``judge`` alone."""

    ABSENT = "absent"
    ADMITTED = "admitted"
    PROVISIONAL = "provisionally sealed"
    SEALED = "sealed"
    EXPUNGED = "expunged"


# state → what may happen to it → the state after. An order for a record that is absent stands: it covers what comes later.
TRANSITIONS: dict[State, dict[type, State]] = {
    State.ABSENT: {
        e.RecordsAdmitted: State.ADMITTED,
        e.RecordsProvisionallySealed: State.PROVISIONAL,
        e.RecordsSealed: State.SEALED,
        e.RecordsExpunged: State.EXPUNGED,
    },
    State.ADMITTED: {
        e.RecordsAdmitted: State.ADMITTED,
        e.RecordsProvisionallySealed: State.PROVISIONAL,
        e.RecordsSealed: State.SEALED,
        e.RecordsExpunged: State.EXPUNGED,
    },
    State.PROVISIONAL: {
        e.RecordsAdmitted: State.PROVISIONAL,
        e.RecordsProvisionallySealed: State.PROVISIONAL,
        e.ProvisionalSealLifted: State.ADMITTED,
        e.RecordsUnsealed: State.ADMITTED,
        e.RecordsSealed: State.SEALED,
        e.RecordsExpunged: State.EXPUNGED,
    },
    State.SEALED: {
        e.RecordsAdmitted: State.SEALED,
        e.RecordsProvisionallySealed: State.SEALED,
        e.RecordsSealed: State.SEALED,
        e.RecordsUnsealed: State.ADMITTED,
        e.RecordsExpunged: State.EXPUNGED,
    },
    State.EXPUNGED: {
        e.RecordsAdmitted: State.EXPUNGED,
        e.RecordsProvisionallySealed: State.EXPUNGED,
        e.RecordsSealed: State.EXPUNGED,
        e.RecordsUnsealed: State.EXPUNGED,
        e.RecordsExpunged: State.EXPUNGED,
    },
}


def decide(state: State, what: type) -> str | None:
    """Return what a preview must say of doing this to a record in this state; None where it simply changes its state."""
    if what not in TRANSITIONS[state]:
        return f"It is {state}: {what.__name__} has nothing to act on."
    if TRANSITIONS[state][what] is not state or what is e.RecordsAdmitted:
        return None
    if state is not State.EXPUNGED:  # whoever entered the other order may end it: this one then goes on
        return f"It is {state} already by another order; yours will stand beside it, and stay where that one ends."
    if what in e.Lift.__args__:
        return "It is expunged: that has no end."
    return "It is expunged already, for ever; yours will stand beside that order."


def evolve(state: State, what: type) -> State:
    """Return the state after an event; what the table does not name changes nothing."""
    return TRANSITIONS[state].get(what, state)


ADULT_YEARS = 18


def effective_class(said: e.RecordClass, age_at_capture: object) -> e.RecordClass:
    """Return the class that a record has, whatever its sender says: under 18 at capture, or of unknown age, is a minor (R3).

    ``age_at_capture``: whole years, or anything else for unknown. Missing and unknown deceased persons keep their class.
    """
    if said is not e.RecordClass.BOOKING:
        return said
    known = isinstance(age_at_capture, int) and not isinstance(age_at_capture, bool)
    return said if known and int(str(age_at_capture)) >= ADULT_YEARS else e.RecordClass.MINOR
