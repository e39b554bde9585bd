"""A clock over plain lists: for tests of what ticks, and rulings on them, come to."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from comity.domain import entries as e
from comity.domain import posting as p
from comity.domain.clock import Clock
from comity.domain.ids import KeyId, PartyId
from comity.domain.posting import Enter, MemoryLedger, RowT, Tick

KID = KeyId("kid")
SIGNER = p.Signer(PartyId("administrator"), e.Role.ADMINISTRATOR, KID)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
YEAR = timedelta(days=365)


@dataclass(frozen=True)
class Said:
    """One entry of a journal: a tick, a ruling, a revocation, or anything else; and when the log took it."""

    appended_at: datetime
    event: e.ClockTicked | e.TicksVoided | e.ClockConfirmed | e.KeyRevoked | None = None


class Poster:
    """Posts entries one after the other, and keeps their rows when told to."""

    def __init__(self) -> None:
        self.rows, self.place = MemoryLedger(), 0
        self.clock, self.waiting = Clock(Held(self.rows), 0, None), list[Enter]()

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """Return the rows so far, oldest first."""
        return self.rows.ticks_from(0, self.place)

    def post(self, one: Said) -> None:
        """Post the next entry."""
        if one.event is not None:
            changes = p.post(one.event, self.place, SIGNER, one.appended_at)
            clocked = self.clock.post(one.event, changes, self.place, KID, one.appended_at)
            self.waiting += [c for c in changes if isinstance(c, Enter)] + list(clocked)
        self.clock.passed(one.appended_at)
        self.place += 1

    def commit(self) -> None:
        """Let the rows reach the ledger."""
        for change in self.waiting:
            self.rows.execute((change,), change.row.entered)
        self.waiting.clear()
        self.clock.committed()

    def restart(self) -> None:
        """Go on as a new process would, from the ledger alone."""
        self.commit()
        self.clock = Clock(Held(self.rows), self.place, self.clock.stretch)


class Held:
    """What a clock reads back, of rows in memory."""

    def __init__(self, memory: MemoryLedger) -> None:
        self.memory = memory
        self.ticks_before, self.ticks_from = memory.ticks_before, memory.ticks_from

    def rows(self, kind: type[RowT], /, **where: str) -> tuple[RowT, ...]:
        """Return all rows of one kind."""
        assert not where
        return cast("tuple[RowT, ...]", tuple(self.memory.rows[kind].values()))


def played(history: Sequence[Said], cuts: Collection[int] = (), stops: Collection[int] = ()) -> Poster:
    """Post a history: its rows reach the ledger at each cut; at each stop the clock is made anew from them."""
    poster = Poster()
    for place, one in enumerate(history):
        poster.post(one)
        if place in cuts:
            poster.commit()
        if place in stops:
            poster.restart()
    poster.commit()
    return poster


# --- the same rules, said plainly ---


@dataclass(frozen=True)
class Told:
    """What the plain rules say of the clock."""

    latest: datetime | None
    settled: datetime | None
    alarm: int | None


def plainly(history: list[Said]) -> Told:
    """Say what the clock is after this history, from the beginning and without any state carried along."""
    ruled = [x.event for place, x in enumerate(history) if not _struck(history, place)]
    voids = [said for said in ruled if isinstance(said, e.TicksVoided)]
    confirmed = {said.position for said in ruled if isinstance(said, e.ClockConfirmed)}
    readings: list[tuple[datetime, datetime]] = []
    latest = settled = reached = None
    alarm = None
    between: list[datetime] = []
    for place, one in enumerate(history):
        led, tick = between, one.event
        valid = isinstance(tick, e.ClockTicked) and tick.at <= one.appended_at + 5 * SECOND
        between = [one.appended_at] if valid else [*between, one.appended_at]
        if not valid or any(v.first <= place <= v.last for v in voids):
            continue
        assert isinstance(tick, e.ClockTicked)
        reached = _led(reached, led)
        if place in confirmed:
            alarm, reached = None, tick.at
        elif reached is not None and tick.at > reached + HOUR:
            alarm = place if alarm is None else alarm
        elif reached is None or tick.at >= reached - HOUR:
            reached = tick.at
        latest = tick.at if latest is None else max(latest, tick.at)
        readings.append((tick.at, one.appended_at))
        if alarm is None:
            settled = _agreed(readings, settled)
    return Told(latest, settled, alarm)


def _struck(history: list[Said], place: int) -> bool:
    """Say whether the key that ruled there was revoked later, from a position that is not after it (rule 13)."""
    revoked = (x.event for x in history[place + 1 :] if isinstance(x.event, e.KeyRevoked))
    return any(said.void_from is not None and said.void_from <= place for said in revoked)


def _led(reached: datetime | None, led: list[datetime]) -> datetime | None:
    """Return how far time is seen to pass by what was appended since the tick before, the newest without a hole."""
    if not led:
        return reached
    first = len(led) - 1
    while first and abs(led[first] - led[first - 1]) <= HOUR:
        first -= 1
    if reached is None:
        return led[-1]
    return max(reached, led[-1]) if led[first] <= reached + HOUR else reached


def _agreed(readings: list[tuple[datetime, datetime]], settled: datetime | None) -> datetime | None:
    for start in range(len(readings) - 3, -1, -1):
        if readings[-1][1] - readings[start][1] >= 10 * MINUTE:
            low = min(at for at, _ in readings[start:])
            return low if settled is None else max(settled, low)
    return settled
