"""What time it is as of a place: reckoned from ticks alone, so that no single wrong one opens anything (rule 8).

Two times come of the ticks before a place, and each is used where it errs on the side of hiding:

- ``latest``, the greatest reading: what *tightens* (a grant's expiry) takes effect at once;
- ``settled``: what *loosens* (a provisional seal's lapse) waits until several ticks in a row, over at least ten minutes
  by the log's own time, have all reached it.

A tick more than an hour ahead of the tick before it, where no entries of the times between lead up to it, is a *jump*.
From the first jump on nothing settles, until an administrator confirms the tick, or voids it. Both are rulings, and both
count from their own place on: what was judged before stays as it was.

The reckoning is a fold over the ticks that no ruling voids. Every row carries the outcome right after it, so a judgement
reads one row. A ruling folds again from the place that it is about; nothing else looks back further than the window.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Protocol

from comity.domain import entries as e
from comity.domain.ids import KeyId
from comity.domain.posting import Change, Enter
from comity.domain.rows import Revocation, RowT, Ruling, Tick

TICK_AHEAD_MAX = timedelta(seconds=5)  # a tick further ahead of its own append time is void
JUMP = timedelta(hours=1)  # a step that no outage of a minute explains, and a summer time's does
SETTLE_TICKS = 3  # readings that must agree: one may be wrong, and the one after it too
SETTLE_SPAN = timedelta(minutes=10)  # by the log's time: long enough for a wrong clock to be set right
WINDOW_ROWS = 1_200  # looked back over for those ten minutes: at a tick a second (the least allowed) twice what they need
FOLD_ROWS_MAX = 500_000  # read again for one ruling: half a year of busy days, some twelve seconds of work (24 µs each)
PAGE_ROWS = 2_000

Reading = tuple[datetime, datetime]  # what a tick said, and when it was appended


class NoRuling(Exception):
    """A ruling that has no effect: a stable code, and a sentence for its sender."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


@dataclass(frozen=True, slots=True)
class Stretch:
    """Append times of entries since the newest tick, each within an hour of the one before: they lead up to the next tick."""

    first: datetime
    last: datetime

    def then(self, appended_at: datetime) -> Stretch:
        """Return the stretch with one more entry: a step of over an hour, either way, begins it anew."""
        return Stretch(self.first if abs(appended_at - self.last) <= JUMP else appended_at, appended_at)


@dataclass(frozen=True, slots=True)
class Reckoning:
    """What the ticks so far come to. ``reached``: up to where time passed without a jump; ``alarm``: the first jump's place."""

    at: datetime | None = None
    latest: datetime | None = None
    settled: datetime | None = None
    reached: datetime | None = None
    alarm: int | None = None

    @classmethod
    def of(cls, row: Tick | None) -> Reckoning:
        """Return the reckoning that a row carries."""
        return cls(row.at, row.latest, row.settled, row.reached, row.alarm) if row else cls()

    def then(self, place: int, at: datetime, stretch: Stretch | None, *, confirmed: bool) -> Reckoning:
        """Return the reckoning after one more tick, less what settles by it."""
        reached = self._reached(stretch)
        jumped = reached is not None and at > reached + JUMP and not confirmed
        alarm = None if confirmed else self.alarm
        if jumped:
            alarm = place if alarm is None else alarm
        elif reached is None or confirmed or at >= reached - JUMP:  # a small step back is followed, a large one is not
            reached = at
        return Reckoning(at, _later(self.latest, at), self.settled, reached, alarm)

    def settle(self, window: Sequence[Reading]) -> Reckoning:
        """Return the same with what settles by the newest readings: nothing while an alarm stands."""
        return self if self.alarm is not None else replace(self, settled=_later(self.settled, agreed(window)))

    def _reached(self, stretch: Stretch | None) -> datetime | None:
        if stretch is None:
            return self.reached
        if self.reached is None:
            return stretch.last
        return max(self.reached, stretch.last) if stretch.first <= self.reached + JUMP else self.reached


def agreed(window: Sequence[Reading]) -> datetime | None:
    """Return the time that the newest ticks have all reached: at least three, over at least ten minutes of append time."""
    if not window:
        return None
    low, until = window[-1]
    for count, (at, appended_at) in enumerate(reversed(window), 1):
        low = min(low, at)
        if count >= SETTLE_TICKS and until - appended_at >= SETTLE_SPAN:
            return low
    return None


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((x for x in (one, other) if x is not None), default=None)


class Ticks(Protocol):
    """What the reckoning reads back: the ledger has it."""

    def ticks_before(self, position: int, count: int) -> tuple[Tick, ...]:
        """Return the newest rows entered before a position, oldest first."""
        ...

    def ticks_from(self, position: int, count: int) -> tuple[Tick, ...]:
        """Return the first rows entered at a position or after it, oldest first."""
        ...

    def rows(self, kind: type[RowT], /, **where: str) -> tuple[RowT, ...]:
        """Return all rows of one kind: rulings, and revocations of keys."""
        ...


class Clock:
    """Posts ticks and rulings with what they come to. Owned by the ledger's projection; one thread."""

    def __init__(self, ticks: Ticks, position: int, stretch: Stretch | None) -> None:
        """Go on at a position, as though never stopped."""
        self._ledger, self.stretch = ticks, stretch
        self._rulings = list(ticks.rows(Ruling))
        self._changed = [(ruling.entered, ruling.first) for ruling in self._rulings]  # where, and from which place on
        for revocation in ticks.rows(Revocation):
            self._strike(revocation)
        self._fresh: list[Tick] = []  # posted, and not yet in the ledger
        self._now, self._window = self._as_of(position)

    def committed(self) -> None:
        """Learn that the ledger has every row that was posted."""
        self._fresh.clear()

    def passed(self, appended_at: datetime) -> None:
        """Learn when an entry was appended, whatever it is; a tick or a ruling is posted before."""
        self.stretch = self.stretch.then(appended_at) if self.stretch else Stretch(appended_at, appended_at)

    def post(
        self, said: e.JournalEntry, changes: Sequence[Change], place: int, kid: KeyId, entered_at: datetime
    ) -> tuple[Enter, ...]:
        """Post what an entry changes about the clock, besides its other changes. Raises NoRuling."""
        match said:
            case e.ClockTicked():
                return self.tick(said, place, kid, entered_at)
            case e.TicksVoided() | e.ClockConfirmed():
                return self.rule(said, place, kid, entered_at)
            case e.KeyRevoked():
                entered = (change.row for change in changes if isinstance(change, Enter))
                return self.revoke([row for row in entered if isinstance(row, Revocation)])
            case _:
                return ()

    def tick(self, said: e.ClockTicked, place: int, kid: KeyId, entered_at: datetime) -> tuple[Enter, ...]:
        """Post a tick; one too far ahead of its own append time is void."""
        if said.at > entered_at + TICK_AHEAD_MAX:
            return ()
        self._now = self._now.then(place, said.at, self.stretch, confirmed=False)
        self._window.append((said.at, entered_at))
        self._now = self._now.settle(self._window)
        row = self._row(place, kid, entered_at, tick=True)
        self.stretch = None
        return (Enter(row),)

    def rule(self, said: e.TicksVoided | e.ClockConfirmed, place: int, kid: KeyId, entered_at: datetime) -> tuple[Enter, ...]:
        """Post a ruling, and what the ticks come to by it. Raises NoRuling."""
        ruling = _ruling(said, place, kid, entered_at)
        if not ruling.first <= ruling.last < place:
            raise NoRuling("no-such-ticks", "A ruling is about ticks before it, from a first to a last.")
        self._rulings.append(ruling)
        try:
            self._now, self._window = self._folded(ruling.first)
        except NoRuling:
            self._rulings.pop()
            raise
        self._changed.append((place, ruling.first))
        return Enter(ruling), Enter(self._row(place, kid, entered_at, tick=False))

    def revoke(self, revocations: Sequence[Revocation]) -> tuple[Enter, ...]:
        """Post what the ticks come to without the rulings that one entry's revocations of keys make void (rule 13)."""
        struck = [first for first in map(self._strike, revocations) if first is not None]
        if not struck:
            return ()
        self._now, self._window = self._folded(min(struck), bounded=False)  # a stolen key must lose, whatever it costs
        place = revocations[0]
        return (Enter(self._row(place.entered, place.kid, place.entered_at, tick=False)),)

    def _strike(self, revocation: Revocation) -> int | None:
        """Leave out the rulings that a revocation voids; return the first place that they were about."""
        as_of = revocation.entered + 1
        struck = [r for r in self._rulings if r.entered < revocation.entered and revocation.voids(r, as_of)]
        if not struck:
            return None
        self._rulings = [r for r in self._rulings if r not in struck]
        first = min(r.first for r in struck)
        self._changed.append((revocation.entered, first))
        return first

    def _row(self, place: int, kid: KeyId, entered_at: datetime, *, tick: bool) -> Tick:
        now, stretch = self._now, self.stretch if tick else None
        row = Tick(
            entered=place,
            kid=kid,
            entered_at=entered_at,
            tick=tick,
            at=now.at,
            led_from=stretch.first if stretch else None,
            led_to=stretch.last if stretch else None,
            latest=now.latest,
            settled=now.settled,
            reached=now.reached,
            alarm=now.alarm,
        )
        self._fresh.append(row)
        return row

    def _folded(self, first: int, *, bounded: bool = True) -> tuple[Reckoning, deque[Reading]]:
        """Fold again from a place: from one so early that its row before was written knowing all that is ruled before it."""
        for changed_at, changed_from in sorted(self._changed, key=lambda c: c[1], reverse=True):
            if changed_from < first <= changed_at:
                first = changed_from
        now, window = self._as_of(first)
        confirmed = {r.first for r in self._rulings if not r.voids}
        for count, row in enumerate(self._rows_from(first)):
            if bounded and count >= FOLD_ROWS_MAX:
                raise NoRuling("too-far-back", f"Over {FOLD_ROWS_MAX} ticks stand after these: void up to a later one.")
            if row.tick and row.at is not None:
                now = now.then(row.entered, row.at, _stretch(row), confirmed=row.entered in confirmed)
                window.append((row.at, row.entered_at))
                now = now.settle(window)
        return now, window

    def _as_of(self, position: int) -> tuple[Reckoning, deque[Reading]]:
        """Return what the newest row before a position carries, and the readings before it that no ruling voids."""
        newest = next(self._rows_before(position, voided=True), None)
        readings = ((r.at, r.entered_at) for r in self._rows_before(position) if r.tick and r.at is not None)
        return Reckoning.of(newest), deque(reversed(list(islice(readings, WINDOW_ROWS))), WINDOW_ROWS)

    def _void(self, position: int) -> Ruling | None:
        return next((r for r in self._rulings if r.voids and r.first <= position <= r.last), None)

    def _rows_before(self, position: int, *, voided: bool = False) -> Iterator[Tick]:
        """Yield the rows before a position, newest first, passing over whole ranges that are void."""
        rows: Sequence[Tick] = [row for row in self._fresh if row.entered < position]
        while True:
            for row in reversed(rows):
                position = row.entered
                if not voided and (void := self._void(position)):
                    position = void.first
                    break
                yield row
            rows = [row for row in self._fresh if row.entered < position]
            if not (rows := rows or self._ledger.ticks_before(position, PAGE_ROWS)):
                return

    def _rows_from(self, position: int) -> Iterator[Tick]:
        """Yield the rows from a position on, oldest first, passing over whole ranges that are void."""
        while rows := self._ledger.ticks_from(position, PAGE_ROWS) or [r for r in self._fresh if r.entered >= position]:
            for row in rows:
                position = row.entered + 1
                if void := self._void(row.entered):
                    position = void.last + 1
                    break
                yield row


def _stretch(row: Tick) -> Stretch | None:
    return Stretch(row.led_from, row.led_to) if row.led_from and row.led_to else None


def _ruling(said: e.TicksVoided | e.ClockConfirmed, place: int, kid: KeyId, entered_at: datetime) -> Ruling:
    voids = isinstance(said, e.TicksVoided)
    first, last = (said.first, said.last) if isinstance(said, e.TicksVoided) else (said.position, said.position)
    return Ruling(entered=place, kid=kid, entered_at=entered_at, voids=voids, first=first, last=last, reason=said.reason)
