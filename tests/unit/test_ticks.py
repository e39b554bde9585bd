"""What ticks come to: late to loosen, at once to tighten, and a jump waits for an administrator (rule 8, F17)."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from comity.domain import clock as clock_module
from comity.domain import entries as e
from comity.domain.clock import JUMP, SETTLE_SPAN, TICK_AHEAD_MAX, NoRuling
from comity.domain.posting import Tick
from journals import BASE
from ticks import DAY, HOUR, KID, MINUTE, SECOND, YEAR, Poster, Said


class Story(Poster):
    """A journal told line by line; the log's time is the machine's, as on one machine, unless it is said."""

    def __init__(self) -> None:
        super().__init__()
        self.now = BASE

    def after(self, step: timedelta) -> Story:
        """Let time pass by the machine's clock."""
        self.now += step
        return self

    def tick(self, at: datetime | None = None) -> int:
        """Enter a tick; return its place."""
        return self.say(e.ClockTicked(at or self.now))

    def run(self, count: int, step: timedelta) -> None:
        """Enter so many ticks, each a step after the one before."""
        for _ in range(count):
            self.after(step).tick()

    def say(self, event: e.ClockTicked | e.TicksVoided | e.ClockConfirmed | e.KeyRevoked | None = None) -> int:
        """Enter anything; return its place."""
        self.post(Said(self.now, event))
        self.commit()
        return self.place - 1

    @property
    def last(self) -> Tick:
        """Return the newest row."""
        return self.rows.ticks_before(self.place, 1)[-1]

    @property
    def settled(self) -> datetime:
        """Return what is settled: something is."""
        assert self.last.settled is not None
        return self.last.settled


@pytest.fixture
def story() -> Story:
    """Return a clock that has run well for half an hour."""
    story = Story()
    story.tick()
    story.run(6, 5 * MINUTE)
    assert (story.last.latest, story.last.settled) == (story.now, story.now - SETTLE_SPAN)
    return story


def test_what_one_tick_says_tightens_at_once_and_loosens_nothing() -> None:
    story = Story()
    story.tick()
    assert (story.last.latest, story.last.settled) == (BASE, None)


def test_what_three_ticks_over_ten_minutes_have_reached_is_settled(story: Story) -> None:
    before = story.now
    story.after(4 * MINUTE).tick()
    story.after(SETTLE_SPAN - 4 * MINUTE - SECOND).tick()
    assert story.settled < before
    story.after(SECOND).tick()
    assert story.last.settled == before


def test_two_ticks_are_not_enough_however_far_apart() -> None:
    story = Story()
    story.tick()
    story.after(50 * MINUTE).tick()
    assert story.last.settled is None
    story.after(SECOND).tick()
    assert story.last.settled == BASE


def test_many_ticks_within_ten_minutes_settle_nothing() -> None:
    story = Story()
    story.run(59, 10 * SECOND)
    assert story.last.settled is None


def test_what_one_of_them_has_not_reached_is_not_settled(story: Story) -> None:
    settled = story.settled
    story.run(1, 5 * MINUTE)
    story.tick(BASE)
    story.run(1, 5 * MINUTE)
    assert story.last.settled == settled + 5 * MINUTE
    story.run(1, 4 * MINUTE)
    assert story.last.settled == settled + 5 * MINUTE  # the low one is among the ten minutes


def test_a_tick_ahead_of_its_own_append_time_is_void(story: Story) -> None:
    rows = len(story.ticks)
    story.tick(story.now + TICK_AHEAD_MAX + timedelta(milliseconds=1))
    assert len(story.ticks) == rows
    story.tick(story.now + TICK_AHEAD_MAX)
    assert len(story.ticks) == rows + 1


def test_a_jump_of_an_hour_alarms_and_holds_what_loosens_for_as_long_as_it_stands(story: Story) -> None:
    settled, before = story.last.settled, story.now
    story.after(JUMP + timedelta(milliseconds=1))
    place = story.tick()
    assert (story.last.alarm, story.last.latest, story.last.reached) == (place, story.now, before)
    story.run(500, 10 * MINUTE)
    assert (story.last.alarm, story.last.settled) == (place, settled)


def test_a_step_of_an_hour_is_no_jump(story: Story) -> None:
    story.after(JUMP).tick()
    assert story.last.alarm is None


def test_a_clock_that_comes_back_leaves_the_alarm_and_what_it_tightened(story: Story) -> None:
    settled, wrong = story.last.settled, story.now + YEAR
    place = story.after(YEAR).tick()
    story.after(-YEAR).run(9, 5 * MINUTE)
    assert (story.last.alarm, story.last.settled, story.last.latest) == (place, settled, wrong)
    assert story.last.reached == story.now


def test_a_confirmed_jump_settles_what_the_ticks_since_have_all_reached(story: Story) -> None:
    before = story.now
    place = story.after(3 * DAY).tick()
    story.say(e.ClockConfirmed(place, "it was off"))
    assert story.last.alarm is None
    assert story.settled < before  # three ticks over ten minutes, confirmed or not
    at = story.now
    story.run(2, 5 * MINUTE)
    assert story.last.settled == at


def test_ticks_before_the_confirmation_count_once_it_is_there(story: Story) -> None:
    place, at = story.after(3 * DAY).tick(), story.now
    story.run(2, 5 * MINUTE)
    story.say(e.ClockConfirmed(place, "it was off"))
    assert story.last.settled == at


def test_what_was_confirmed_wrongly_and_came_back_settles_no_wrong_time(story: Story) -> None:
    right = story.now
    place = story.after(YEAR).tick()
    story.after(-YEAR)
    story.say(e.ClockConfirmed(place, "mistaken"))
    story.run(4, 5 * MINUTE)
    assert right <= story.settled <= story.now


def test_a_confirmation_of_an_earlier_tick_clears_no_later_jump(story: Story) -> None:
    good = story.place - 1
    place = story.after(YEAR).tick()
    story.say(e.ClockConfirmed(good, "another one"))
    assert story.last.alarm == place


def test_a_later_jump_needs_a_confirmation_of_its_own(story: Story) -> None:
    first = story.after(3 * DAY).tick()
    second = story.after(YEAR).tick()
    story.say(e.ClockConfirmed(first, "it was off"))
    assert story.last.alarm == second
    story.say(e.ClockConfirmed(second, "a long holiday"))
    assert story.last.alarm is None


def test_void_ticks_count_for_nothing(story: Story) -> None:
    place = story.after(YEAR).tick()
    story.run(3, 10 * SECOND)
    last = story.place - 1
    story.after(-YEAR).run(3, 5 * MINUTE)
    story.say(e.TicksVoided(place, last, "a wrong clock"))
    assert (story.last.alarm, story.last.latest, story.last.at) == (None, story.now, story.now)
    assert story.last.settled == story.now - SETTLE_SPAN


def test_what_was_left_of_a_wrong_period_alarms_still(story: Story) -> None:
    place = story.after(YEAR).tick()
    rest = story.after(10 * SECOND).tick()
    story.say(e.TicksVoided(place, place, "a wrong clock"))
    assert (story.last.alarm, story.last.latest) == (rest, story.now)


def test_where_every_tick_is_void_nothing_is_known() -> None:
    story = Story()
    story.tick()
    story.say(e.TicksVoided(0, 0, "wrong from the start"))
    assert (story.last.at, story.last.latest, story.last.settled, story.last.alarm) == (None, None, None, None)


def test_voiding_undoes_what_wrong_ticks_had_loosened() -> None:
    """A clock that was wrong from the first tick on jumps nowhere; setting it right does not bring back what lapsed."""
    story = Story()
    story.after(YEAR).run(3, 5 * MINUTE)
    assert story.last.settled is not None
    story.after(-YEAR).run(3, 5 * MINUTE)
    assert story.settled > story.now
    story.say(e.TicksVoided(0, 2, "wrong from the start"))
    assert story.last.settled == story.now - SETTLE_SPAN


def test_a_search_between_the_jump_and_its_tick_does_not_hide_it(story: Story) -> None:
    """On one machine the log's time jumps with the clock, so the entry just before the tick proves nothing."""
    story.after(YEAR).say()
    story.after(SECOND).say()
    place = story.after(SECOND).tick()
    assert story.last.alarm == place


def test_entries_that_lead_up_to_a_tick_make_it_no_jump(story: Story) -> None:
    """Agencies go on writing to a broker while the exchange is off."""
    for _ in range(4):
        story.after(50 * MINUTE).say()
    story.after(50 * MINUTE).tick()
    assert story.last.alarm is None


def test_entries_with_a_hole_among_them_do_not_lead_up_to_a_tick(story: Story) -> None:
    story.after(50 * MINUTE).say()
    story.after(2 * HOUR).say()
    place = story.tick()
    assert story.last.alarm == place


def test_a_log_that_was_ahead_for_a_moment_is_passed_over(story: Story) -> None:
    story.after(YEAR).say()
    story.after(-YEAR + MINUTE).say()
    story.after(MINUTE).tick()
    assert story.last.alarm is None


def test_a_clock_that_fell_far_back_and_is_set_right_did_not_jump(story: Story) -> None:
    story.after(-3 * HOUR).tick()
    story.after(3 * HOUR + MINUTE).tick()
    assert story.last.alarm is None


def test_a_small_step_back_is_followed(story: Story) -> None:
    story.after(50 * MINUTE).tick()
    story.after(-50 * MINUTE).tick()
    place = story.after(JUMP + MINUTE).tick()
    assert story.last.alarm == place


def test_a_ruling_on_too_many_ticks_is_refused_and_changes_nothing(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock_module, "FOLD_ROWS_MAX", 4)
    before = story.last
    with pytest.raises(NoRuling):
        story.say(e.TicksVoided(0, 1, "long ago"))
    assert story.last == before
    story.say(e.TicksVoided(0, 2, "up to a later one"))
    assert story.last.tick is False


def test_a_ruling_by_a_stolen_key_is_struck_from_its_revocation_on(story: Story) -> None:
    """Rule 13: a confirmation loosens, so it goes as lifts do."""
    settled, place = story.settled, story.after(YEAR).tick()
    ruled = story.say(e.ClockConfirmed(place, "stolen"))
    story.run(3, 5 * MINUTE)
    assert story.settled > settled
    story.say(e.KeyRevoked(KID, None))
    assert story.last.alarm is None
    story.say(e.KeyRevoked(KID, ruled))
    back = story.last
    assert (back.alarm, back.settled) == (place, settled)


@pytest.mark.parametrize(("first", "last"), [(2, 1), (3, 99)])
def test_a_ruling_is_about_ticks_before_it(story: Story, first: int, last: int) -> None:
    with pytest.raises(NoRuling, match="before it"):
        story.say(e.TicksVoided(first, last, "not yet"))
