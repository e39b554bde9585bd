"""The clock as it is posted, against the same rules said plainly: over drawn histories, however cut, voided and confirmed."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from comity.domain import entries as e
from journals import BASE
from ticks import DAY, HOUR, KID, MINUTE, SECOND, Said, Told, plainly, played

EXAMPLES = 200


STEPS = st.sampled_from(
    [10 * SECOND, 5 * MINUTE, 5 * MINUTE, 10 * MINUTE, 50 * MINUTE, 61 * MINUTE, -2 * MINUTE, 3 * HOUR, DAY, -DAY]
)
OFFSETS = st.sampled_from([*[0 * SECOND] * 8, 5 * SECOND, 6 * SECOND, -30 * SECOND, -90 * MINUTE])


@st.composite
def histories(draw: st.DrawFn) -> list[Said]:
    """Return a journal whose machine's clock steps as clocks do, and as they should not."""
    said: list[Said] = []
    now = BASE
    for place in range(draw(st.integers(1, 24))):
        now += draw(STEPS)
        kind = draw(st.sampled_from(["tick"] * 9 + ["other", "void", "void", "confirm", "revoke"]))
        event: e.ClockTicked | e.TicksVoided | e.ClockConfirmed | e.KeyRevoked | None = None
        if kind == "tick":
            event = e.ClockTicked(now + draw(OFFSETS))
        elif kind == "void" and place:
            first = draw(st.integers(0, place - 1))
            event = e.TicksVoided(first, draw(st.integers(first, place - 1)), "wrong")
        elif kind == "confirm" and place:
            event = e.ClockConfirmed(draw(st.integers(0, place - 1)), "right")
        elif kind == "revoke":
            event = e.KeyRevoked(KID, draw(st.none() | st.integers(0, place)))
        said.append(Said(now, event))
    return said


PLACES = st.sets(st.integers(0, 23))


@settings(max_examples=EXAMPLES, deadline=None)
@given(history=histories(), cuts=PLACES, stops=PLACES)
def test_every_row_carries_what_the_rules_say_of_all_before_it(history: list[Said], cuts: set[int], stops: set[int]) -> None:
    """Rule 8: however the journal is cut into batches, wherever it is stopped, whatever is voided or confirmed later."""
    for row in played(history, cuts, stops).ticks:
        assert Told(row.latest, row.settled, row.alarm) == plainly(history[: row.entered + 1]), row.entered


@settings(max_examples=EXAMPLES, deadline=None)
@given(history=histories(), cuts=PLACES, stops=PLACES)
def test_cuts_and_restarts_change_no_row(history: list[Said], cuts: set[int], stops: set[int]) -> None:
    """Rule 7: the rows are a function of the journal alone."""
    whole, cut = played(history), played(history, cuts, stops)
    assert cut.rows.rows == whole.rows.rows
