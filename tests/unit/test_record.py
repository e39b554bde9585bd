"""The life of a record as a table: every pair of state and event (DESIGN §7), and the effective class (R3)."""

from __future__ import annotations

import pytest

from comity.acts.preview import state as state_of
from comity.domain import entries as e
from comity.domain.record import TRANSITIONS, State, decide, effective_class, evolve
from journals import COURT, A, Core, admission, expungement, lift, minutes, provisional, record, seal, unseal

EVENTS = (
    e.RecordsAdmitted,
    e.RecordsProvisionallySealed,
    e.ProvisionalSealLifted,
    e.RecordsSealed,
    e.RecordsUnsealed,
    e.RecordsExpunged,
)
ADMITTED, PROVISIONAL, SEALED, EXPUNGED = State.ADMITTED, State.PROVISIONAL, State.SEALED, State.EXPUNGED
# Written out a second time, by hand: rows are states, columns the events above; None: makes no sense there.
EXPECTED: dict[State, tuple[State | None, ...]] = {
    State.ABSENT: (ADMITTED, PROVISIONAL, None, SEALED, None, EXPUNGED),
    ADMITTED: (ADMITTED, PROVISIONAL, None, SEALED, None, EXPUNGED),
    PROVISIONAL: (PROVISIONAL, PROVISIONAL, ADMITTED, SEALED, ADMITTED, EXPUNGED),
    SEALED: (SEALED, SEALED, None, SEALED, ADMITTED, EXPUNGED),
    EXPUNGED: (EXPUNGED, EXPUNGED, None, EXPUNGED, EXPUNGED, EXPUNGED),
}
PAIRS = [(s, what) for s in State for what in EVENTS]


@pytest.mark.parametrize(("state", "what"), PAIRS)
def test_the_table_says_what_follows_in_every_pair(state: State, what: type) -> None:
    """DESIGN §7: the transition table is data."""
    assert TRANSITIONS[state].get(what) is EXPECTED[state][EVENTS.index(what)]


@pytest.mark.parametrize(("state", "what"), PAIRS)
def test_what_may_be_done_changes_something_and_what_may_not_changes_nothing(state: State, what: type) -> None:
    """Decide and evolve agree."""
    if decide(state, what) is None:
        assert what is e.RecordsAdmitted or evolve(state, what) is not state
    else:
        assert evolve(state, what) is state


def test_nothing_leads_out_of_an_expungement() -> None:
    """Rule 9."""
    assert {evolve(EXPUNGED, what) for what in EVENTS} == {EXPUNGED}


# How each event is met by the ledger, in each state that can be brought about by events.
WAYS: dict[State, list[e.JournalEntry]] = {
    State.ABSENT: [],
    ADMITTED: [admission(1)],
    PROVISIONAL: [admission(1), provisional("o1", 1, lapses_at=minutes(99))],
    SEALED: [admission(1), seal("o1", 1)],
    EXPUNGED: [admission(1), expungement("o1", 1)],
}


@pytest.mark.parametrize(("state", "what"), [pair for pair in PAIRS if pair[0] is not State.ABSENT])
def test_the_ledger_agrees_with_the_table(state: State, what: type) -> None:
    """The table for people and the judgement for releases are two texts: they say one thing."""
    core = Core().found()
    events: dict[type, e.JournalEntry] = {
        e.RecordsAdmitted: admission(1, version=2),
        e.RecordsProvisionallySealed: provisional("o2", 1, lapses_at=minutes(99)),
        e.ProvisionalSealLifted: lift("o2", "o1"),
        e.RecordsSealed: seal("o2", 1),
        e.RecordsUnsealed: unseal("o2", "o1"),
        e.RecordsExpunged: expungement("o2", 1),
    }
    for said in (*WAYS[state], events[what]):
        core.say(said, "exchange" if isinstance(said, e.RecordsAdmitted) else COURT)
    core.apply()
    facts = core.ledger.facts(A, [record(1)], core.ledger.progress().next)
    held = facts.record(record(1), facts.applied)
    assert held is not None
    assert state_of(facts, held) is evolve(state, what)


@pytest.mark.parametrize(
    ("said", "age", "expected"),
    [
        ("booking", 18, "booking"),
        ("booking", 17, "minor"),
        ("booking", None, "minor"),
        ("booking", "18", "minor"),
        ("booking", True, "minor"),
        ("booking", 40.5, "minor"),
        ("booking", -1, "minor"),
        ("minor", 30, "minor"),
        ("missing", 9, "missing"),
        ("unknown-deceased", None, "unknown-deceased"),
    ],
)
def test_the_class_follows_the_age_whatever_the_sender_says(said: str, age: object, expected: str) -> None:
    """R3: under 18 at capture, or of unknown age, is a minor."""
    assert effective_class(e.RecordClass(said), age) is e.RecordClass(expected)
