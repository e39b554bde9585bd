"""Time in a verdict: what tightens by the latest tick, what loosens by what is settled (rule 8, R11)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from comity.domain import entries as e
from comity.domain.judge import Verdict
from comity.domain.posting import Grant
from journals import ADMINISTRATOR, COURT, EXCHANGE, A, B, C, Core, admission, grant, key, minutes, provisional

STANDS, SUPPRESSED, NOT_GRANTED = Verdict.STANDS, Verdict.SUPPRESSED, Verdict.NOT_GRANTED


@pytest.fixture
def core(founded: Core) -> Core:
    """Return a journal in which agency A owns record 1 and lets B search its bookings; judged from lists, and from SQL."""
    founded.say(admission(1, A))
    founded.say(grant("g1"), A)
    return founded


def test_a_grant_expires_by_a_tick_and_by_nothing_else(core: Core) -> None:
    """Rule 8: time enters only as entries."""
    core.say(grant("g2", A, C, expires_at=minutes(5)), A)
    core.now = core.log.now = minutes(60)
    assert core.verdict(1, C) is STANDS
    core.say(e.ClockTicked(minutes(5) - timedelta(milliseconds=1)))
    assert core.verdict(1, C) is STANDS
    core.say(e.ClockTicked(minutes(5)))
    assert core.verdict(1, C) is NOT_GRANTED


def test_a_lower_tick_revives_nothing(core: Core) -> None:
    """Rule 8: lower ticks do nothing."""
    core.log.now = minutes(60)
    core.say(grant("g2", A, C, expires_at=minutes(5)), A)
    core.say(e.ClockTicked(minutes(6)))
    core.say(e.ClockTicked(minutes(1)))
    assert core.verdict(1, C) is NOT_GRANTED


def test_a_tick_far_ahead_of_its_own_append_time_is_void(core: Core) -> None:
    """Rule 8: a clock that runs ahead of the log's ends no grant."""
    core.say(grant("g2", A, C, expires_at=minutes(5)), A)
    core.log.now = minutes(5) - timedelta(seconds=6)
    core.say(e.ClockTicked(minutes(5)))
    assert core.verdict(1, C) is STANDS
    other = minutes(5) + timedelta(milliseconds=1)  # the same tick again never counts
    core.log.now = other - timedelta(seconds=5)
    core.say(e.ClockTicked(other))
    assert core.verdict(1, C) is NOT_GRANTED


def test_one_wrong_tick_opens_no_provisional_seal_and_can_be_voided(core: Core) -> None:
    """F17: a year ahead once, and right again; what it ended comes back once an administrator says that it was wrong."""
    core.say(provisional("o1", 1, lapses_at=minutes(60 * 24 * 90)), COURT)
    core.say(admission(2, A))
    wrong = core.tick(minutes(60 * 24 * 365))
    core.tick(minutes(1))
    assert (core.verdict(1, B), core.verdict(2, B)) == (SUPPRESSED, NOT_GRANTED)
    for count in range(2, 30):
        core.tick(minutes(count))
    assert core.verdict(1, B) is SUPPRESSED
    core.say(e.TicksVoided(wrong, wrong, "a restored machine"), ADMINISTRATOR)
    assert (core.verdict(1, B), core.verdict(2, B)) == (SUPPRESSED, STANDS)


def test_a_jump_lapses_nothing_until_an_administrator_confirms_it(core: Core) -> None:
    """F17: an exchange that was off for the weekend."""
    core.say(provisional("o1", 1, lapses_at=minutes(60 * 24)), COURT)
    monday = 60 * 24 * 3
    jumped = core.tick(minutes(monday))
    for count in range(1, 40):
        core.tick(minutes(monday + count))
    assert core.verdict(1, B) is SUPPRESSED
    core.say(e.ClockConfirmed(jumped, "it was off"), EXCHANGE)  # not the exchange's to say
    assert core.verdict(1, B) is SUPPRESSED
    place = core.say(e.ClockConfirmed(jumped, "it was off"), ADMINISTRATOR)
    assert (core.verdict(1, B, as_of=place), core.verdict(1, B)) == (SUPPRESSED, STANDS)


def test_a_provisional_seal_hides_from_all_and_lapses_by_ticks_alone(core: Core) -> None:
    """R11, rule 8: three over ten minutes have reached its day."""
    core.say(provisional("o1", 1, lapses_at=minutes(5)), COURT)
    core.now = core.log.now = minutes(60)
    assert core.verdict(1, A) is SUPPRESSED
    core.tick(minutes(5))
    core.tick(minutes(14))
    assert core.verdict(1, B) is SUPPRESSED
    place = core.tick(minutes(15))
    assert core.verdict(1, B, as_of=place) is SUPPRESSED
    assert core.verdict(1, B) is STANDS


def test_the_register_and_the_verdict_say_the_same_of_a_grant(core: Core) -> None:
    """One computation: not revoked, not expired by any tick that counts, its key not void (rule 13)."""
    core.say(grant("g2", A, C, expires_at=minutes(5)), A)
    core.apply()

    def in_force() -> bool:
        facts = core.ledger.facts(C, (), core.ledger.progress().next)
        (row,) = core.ledger.rows(Grant, owner=A, grant_id="g2")
        assert facts.in_force(row, facts.applied) is (core.verdict(1, C) is STANDS)
        return facts.in_force(row, facts.applied)

    assert in_force()
    wrong = core.tick(minutes(6))
    core.apply()
    assert not in_force()
    core.say(e.TicksVoided(wrong, wrong, "wrong"), ADMINISTRATOR)
    core.apply()
    assert in_force()
    core.say(e.KeyRevoked(key(A).kid, 0), ADMINISTRATOR)
    core.apply()
    assert not in_force()


@pytest.mark.parametrize("at_ms", [-1, 0, 2**62])
def test_no_append_time_stops_the_ledger(core: Core, at_ms: int) -> None:
    """Rule 7: not even one that no calendar holds; and the clock goes on by what comes after."""
    core.tick(minutes(1))
    core.say(e.ClockTicked(minutes(2)))
    held = core.log.held()
    held[-1] = replace(held[-1], appended_at_ms=at_ms)
    core.tick(minutes(3))
    assert core.verdict(1, B) is STANDS
