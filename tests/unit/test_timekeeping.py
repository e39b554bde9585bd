"""What an operator is told of the clock, and what an administrator rules on it (rule 8, F17)."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from comity.acts.clock import IDLE, TICK_AGE_MAX, Freshness, TimeKeeping
from comity.acts.release import Release
from comity.domain.judge import Question
from comity.domain.posting import Tick
from comity.errors import InvalidInput, NotFound, Unavailable
from journals import ADMINISTRATOR, BASE, BOOKINGS, A, B, Core, admission, grant, key, minutes, proposed, record
from ticks import DAY, MINUTE, SECOND, YEAR


class Told:
    """A journal with its clock's acts; the ledger follows at once."""

    def __init__(self) -> None:
        self.core = Core().found()
        self.acts = TimeKeeping(self.core.journal, self.core.ledger, self, key(ADMINISTRATOR))

    @property
    def position(self) -> int:
        """Return how far the ledger is."""
        return self.core.watch.position

    def wait(self, position: int, timeout_seconds: float) -> bool:
        """Let the ledger follow."""
        self.core.apply()
        return self.core.watch.wait(position, timeout_seconds)

    def tick(self, at: datetime) -> int:
        """Tick, by the machine's clock and the log's."""
        place = self.core.tick(at)
        self.core.apply()
        return place

    def kinds(self) -> list[str]:
        """Return the kinds of alarm that stand."""
        return [alarm.kind for alarm in self.acts.show().alarms]


@pytest.fixture
def told() -> Told:
    return Told()


def test_a_clock_that_runs_well_is_shown_without_an_alarm(told: Told) -> None:
    place = told.tick(minutes(1))
    shown = told.acts.show()
    assert (shown.alarms, shown.age_seconds, shown.held_by) == ((), 0.0, None)
    assert [row.entered for row in shown.ticks][-1] == place


def test_no_tick_at_all_is_an_alarm() -> None:
    core = Core()
    shown = TimeKeeping(core.journal, core.ledger, core.watch, key(ADMINISTRATOR)).show()
    assert [alarm.kind for alarm in shown.alarms] == ["clock-none"]
    assert shown.age_seconds is None


def test_a_stopped_clock_is_an_alarm(told: Told) -> None:
    told.core.now = BASE + IDLE + TICK_AGE_MAX
    assert told.kinds() == []
    told.core.now += SECOND
    assert told.kinds() == ["clock-stopped"]


def test_a_tick_ahead_of_this_machine_is_an_alarm_and_never_health(told: Told) -> None:
    told.tick(minutes(30))
    told.core.now = minutes(20)
    shown = told.acts.show()
    assert shown.age_seconds == -600
    assert [alarm.kind for alarm in shown.alarms] == ["clock-ahead"]


def test_a_jump_is_told_with_what_to_do_until_it_is_confirmed(told: Told) -> None:
    place = told.tick(BASE + DAY)
    (alarm,) = told.acts.show().alarms
    assert alarm.kind == "clock-jumped"
    assert f"comity clock confirm {place}" in alarm.advice
    assert told.acts.show().held_by == place
    told.acts.confirm(place, "it was off")
    assert told.kinds() == []


def test_a_jump_and_its_return_are_told_with_the_ticks_to_void(told: Told) -> None:
    first = told.tick(BASE + YEAR)
    last = told.tick(BASE + YEAR + 10 * SECOND)
    told.tick(minutes(1))
    assert told.kinds() == ["clock-jumped", "clock-ahead"]
    assert f"comity clock void {first} {last}" in told.acts.show().alarms[1].advice
    told.acts.void(first, last, "a restored machine")
    assert told.kinds() == []
    assert told.acts.show().age_seconds == 0


def test_what_is_no_tick_cannot_be_ruled_on(told: Told) -> None:
    place = told.tick(minutes(1))
    with pytest.raises(NotFound):
        told.acts.confirm(0, "no tick stands there")
    with pytest.raises(NotFound):
        told.acts.void(0, 3, "none there either")
    with pytest.raises(InvalidInput, match="after the last"):
        told.acts.void(place, place - 1, "the wrong way round")
    with pytest.raises(InvalidInput, match="not entered yet"):
        told.acts.void(place, place + 1, "not yet")


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
def test_a_ruling_has_its_reason(told: Told, reason: str) -> None:
    place = told.tick(minutes(1))
    with pytest.raises(InvalidInput, match="Say why"):
        told.acts.confirm(place, reason)
    with pytest.raises(InvalidInput, match="Say why"):
        told.acts.void(place, place, reason)


def test_searches_go_on_after_a_jump_and_its_return_and_stop_with_the_clock(told: Told) -> None:
    """The newest tick's own time is compared, for the latest stays ahead as long as the jump was."""
    told.core.say(admission(1, A))
    told.core.say(grant("g1", A, B), A)
    release = Release(told.core.journal, told.core.ledger, told)

    def search() -> list[str]:
        name = f"s{told.core.lag()}-{told.position}"
        question = Question(B, "serious-crime", "search", BOOKINGS)
        return release(question, lambda attempt: proposed(name, attempt, [1]), lambda shown: list(shown.records))

    told.tick(BASE + 2 * DAY)
    assert search() == [record(1)]  # while it is wrong
    told.core.now = told.core.log.now = minutes(1)
    assert search() == [record(1)]  # before it has ticked again
    told.tick(minutes(1))
    told.core.now = told.core.log.now = minutes(2)
    assert search() == [record(1)]
    told.core.now = told.core.log.now = minutes(2) + timedelta(milliseconds=1)
    with pytest.raises(Unavailable, match="clock"):
        search()


# --- whether the newest tick is new enough ---


def test_a_tick_is_new_enough_for_a_minute() -> None:
    now = [BASE + TICK_AGE_MAX]
    fresh = Freshness(lambda: now[0])
    fresh.check(Tick(entered=1, at=BASE))
    now[0] += timedelta(milliseconds=1)
    with pytest.raises(Unavailable, match="clock"):
        fresh.check(Tick(entered=1, at=BASE))


def test_without_a_tick_nothing_is_new_enough() -> None:
    fresh = Freshness(lambda: BASE)
    for tick in (None, Tick(entered=1, at=None)):
        with pytest.raises(Unavailable):
            fresh.check(tick)


def test_a_clock_that_came_back_is_believed_for_a_minute_and_then_must_tick() -> None:
    """Searches go on; but a tick of next year does not hide for a year that no other follows."""
    seconds = [0.0]
    fresh = Freshness(lambda: BASE, lambda: seconds[0])
    ahead = Tick(entered=1, at=BASE + YEAR)
    fresh.check(ahead)
    seconds[0] = TICK_AGE_MAX.total_seconds()
    fresh.check(ahead)
    seconds[0] += 1
    with pytest.raises(Unavailable):
        fresh.check(ahead)
    fresh.check(Tick(entered=2, at=BASE + MINUTE))
    fresh.check(Tick(entered=3, at=BASE + YEAR + MINUTE))
