"""The clock: a thread that nothing may end, and a tick for whoever is to be judged."""

from __future__ import annotations

import sqlite3
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from comity.acts.clock import IDLE
from comity.domain.log import JOURNAL, Entry, Placed
from comity.duties.clock import Clock
from comity.errors import NotAppended

BASE = datetime(2026, 1, 2, tzinfo=UTC)


class Journal:
    """A journal that keeps what is entered; its first entries fail, each in its own way."""

    def __init__(self, *failures: Exception) -> None:
        self.failures, self.ticks = list(failures), list[datetime]()
        self.time = BASE

    def now(self) -> datetime:
        return self.time

    def enter(self, event: Any, **_: Any) -> Placed:  # noqa: ANN401
        if self.failures:
            raise self.failures.pop(0)
        self.ticks.append(event.at)
        return Placed(Entry(b"clock", b""), JOURNAL, len(self.ticks) - 1, 0)


class Told:
    """A clock whose time is told, and whose thread does not run."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *failures: Exception) -> None:
        self.journal, self.passed, self.ending = Journal(*failures), 0.0, list[datetime]()
        monkeypatch.setattr("comity.duties.clock.time.monotonic", lambda: self.passed)
        self.clock = Clock(self.journal, self.ends)  # type: ignore[arg-type]

    def ends(self, after: datetime, until: datetime) -> bool:
        return any(after < end <= until for end in self.ending)

    def go(self, seconds: float) -> None:
        self.passed += seconds
        self.journal.time += timedelta(seconds=seconds)

    def look(self) -> int:
        """Do what the thread does; return how many ticks there are."""
        self.clock._try(due=self.clock._due)
        return len(self.journal.ticks)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    made = Told(monkeypatch)
    made.clock.tick()
    return made


@pytest.mark.parametrize("failure", [NotAppended("away"), sqlite3.OperationalError("disk I/O error"), MemoryError(), KeyError(1)])
def test_the_clock_ticks_on_after_any_failure(failure: Exception) -> None:
    journal = Journal(failure)
    clock = Clock(journal, lambda *_: False, 0.01)  # type: ignore[arg-type]
    clock._thread.start()
    deadline = time.monotonic() + 10
    while not journal.ticks and time.monotonic() < deadline:
        time.sleep(0.01)
    clock.stop()
    assert journal.ticks


def test_whoever_is_judged_finds_a_tick_of_half_a_minute_at_most(told: Told) -> None:
    assert told.clock.fresh() == 1, "the one of a moment ago will do"
    told.go(29.9)
    assert told.clock.fresh() == 1
    told.go(0.1)
    assert told.clock.fresh() == 2
    assert told.journal.ticks == [BASE, BASE + timedelta(seconds=30)]


def test_a_day_without_a_search_is_a_tick_every_five_minutes(told: Told) -> None:
    for _ in range(8_640):
        told.go(10)
        told.look()
    assert len(told.journal.ticks) == 1 + timedelta(days=1) // IDLE


def test_what_comes_to_its_end_is_followed_by_one_tick(told: Told) -> None:
    told.ending = [BASE + timedelta(seconds=15)]
    told.go(10)
    assert told.look() == 1
    told.go(10)
    assert told.look() == 2
    told.go(10)
    assert told.look() == 2, "it has ended, and the clock has said so"


def test_a_tick_that_is_not_entered_is_tried_again_and_nobody_elses_error(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(monkeypatch, NotAppended("away"))
    assert told.clock.fresh() == 0
    assert told.clock.fresh() == 1


def test_whoever_is_judged_after_somethings_end_is_judged_by_a_tick_behind_it(told: Told) -> None:
    told.ending = [BASE + timedelta(seconds=5)]
    told.go(4)
    assert told.clock.fresh() == 1
    told.go(2)
    assert told.clock.fresh() == 2, "it ended a second ago, and the thread has not looked since"
    told.go(2)
    assert told.clock.fresh() == 2


def test_ends_by_the_hundred_are_a_tick_a_second_at_most(told: Told) -> None:
    told.ending = [BASE + timedelta(milliseconds=10 * n) for n in range(300)]
    for _ in range(30):
        told.go(0.1)
        told.clock.fresh()
    assert len(told.journal.ticks) <= 4


def test_whoever_waited_for_a_tick_that_failed_does_not_wait_for_another() -> None:
    class Away(Journal):
        """A log that takes its time to say that it is away."""

        def enter(self, event: Any, **_: Any) -> Placed:  # noqa: ANN401
            time.sleep(0.3)
            self.ticks.append(event.at)
            raise NotAppended("away")

    journal = Away()
    clock = Clock(journal, lambda *_: False)  # type: ignore[arg-type]
    asking = [threading.Thread(target=clock.fresh) for _ in range(8)]
    for one in asking:
        one.start()
    for one in asking:
        one.join()
    assert len(journal.ticks) == 1
    clock.fresh()
    assert len(journal.ticks) == 2, "who comes later tries again"
