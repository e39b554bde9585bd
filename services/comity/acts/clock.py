"""The clock as an operator sees it, what an administrator rules on it, and whether its newest tick is new enough to judge by."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from comity.acts.alarms import Alarm
from comity.acts.journal import Journal
from comity.acts.pace import ENTRY_TARGETS
from comity.domain import entries as e
from comity.domain.clock import TICK_AHEAD_MAX
from comity.domain.posting import Ruling, Tick
from comity.errors import Conflict, InvalidInput, NotFound, Unavailable
from comity.ports import LedgerView, Watch
from comity.wire.signing import SigningKey

TICK_AGE_MAX = timedelta(seconds=60)  # rule 8: without a clock nothing expires, so nothing is shown
IDLE = timedelta(minutes=5)  # between ticks that nobody asks for: three of them, over ten minutes, let a seal lapse
WAIT_SECONDS = 30.0  # a ruling on last month's ticks takes the ledger a second or two
REASON_CHARS_MAX = 500
RULINGS = "rulings on ticks"  # whose pace it is: apart from what any party appends
SHOWN_MAX = 20  # ticks that an operator is shown
LOOK_BACK_ROWS = 10_000  # ticks that are looked over for those ahead of this machine's clock: three busy days


class Freshness:
    """Says whether the newest tick is new enough to judge by. Thread-safe.

    The tick's own time is compared, not the latest: after a jump and its return the latest stays ahead.
    A tick ahead of this machine's clock (which went back a moment ago) says nothing of its age: it counts for a minute.
    """

    def __init__(self, now: Callable[[], datetime], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._now, self._monotonic, self._lock = now, monotonic, threading.Lock()
        self._ahead: tuple[datetime, float] | None = None  # the tick ahead that was seen, and when it was first

    def check(self, tick: Tick | None) -> None:
        """Raise Unavailable where the clock has stopped."""
        if tick is None or tick.at is None or self._old(tick.at):
            raise Unavailable(
                "The exchange's clock has stopped, so grants and seals cannot be judged; nothing was disclosed.",
                advice="Wait for the next tick; if it does not come, look at `comity clock show`.",
            )

    def _old(self, at: datetime) -> bool:
        age = self._now() - at
        if age >= -TICK_AGE_MAX:
            return age > TICK_AGE_MAX
        with self._lock:
            if self._ahead is None or self._ahead[0] != at:
                self._ahead = (at, self._monotonic())
            return self._monotonic() - self._ahead[1] > TICK_AGE_MAX.total_seconds()


@dataclass(frozen=True, slots=True)
class Shown:
    """The clock as of now, and this machine's own."""

    machine: datetime
    newest: Tick | None
    alarms: tuple[Alarm, ...]
    ticks: tuple[Tick, ...]

    @property
    def age_seconds(self) -> float | None:
        """Return how old the newest tick is by this machine's clock; negative where it is ahead of it."""
        at = self.newest.at if self.newest else None
        return None if at is None else round((self.machine - at).total_seconds(), 1)

    @property
    def held_by(self) -> int | None:
        """Return the position of the tick that jumped, from which on nothing loosens; None where none did."""
        return self.newest.alarm if self.newest else None


class TimeKeeping:
    """Shows the clock, confirms a tick, voids ticks: the last two signed by the administrator."""

    def __init__(self, journal: Journal, ledger: LedgerView, watch: Watch, administrator: SigningKey) -> None:
        self._journal, self._ledger, self._watch, self._administrator = journal, ledger, watch, administrator

    def show(self) -> Shown:
        """Return the clock, what is wrong with it, and its newest ticks."""
        newest = self._ledger.ticks_before(self._ledger.progress().next, SHOWN_MAX)
        last, now = newest[-1] if newest else None, self._journal.now()
        return Shown(now, last, tuple(self._alarms(last, now)), tuple(row for row in newest if row.tick))

    def confirm(self, position: int, reason: str, *, again: bool = False) -> int:
        """Say that a tick told the right time, so that it counts though it jumped; return the ruling's position.

        ``again``: it may have been said already. Raises InvalidInput, NotFound or Conflict.
        """
        if again and (said := self._said(position, position, reason, voids=False)) is not None:
            return said
        self._tick(position)
        return self._enter(e.ClockConfirmed(position, _reason(reason)))

    def void(self, first: int, last: int, reason: str, *, again: bool = False) -> int:
        """Say that the ticks between two positions told a wrong time, and count for nothing; return the ruling's position.

        ``again``: it may have been said already. Raises InvalidInput, NotFound or Conflict.
        """
        if again and (said := self._said(first, last, reason, voids=True)) is not None:
            return said
        if first > last:
            raise InvalidInput("The first position lies after the last.", advice="Give the first one first.")
        within = self._ledger.ticks_from(first, 1)
        if not within or within[0].entered > last:
            raise NotFound("No tick stands between these positions.", advice="See `comity clock show`.")
        if last >= self._ledger.progress().next:
            raise InvalidInput("What is not entered yet cannot be void.", advice="See `comity clock show`.")
        return self._enter(e.TicksVoided(first, last, _reason(reason)))

    def _said(self, first: int, last: int, reason: str, *, voids: bool) -> int | None:
        """Return where this very ruling stands, or None."""
        asked = (voids, first, last, reason.strip())
        rows = self._ledger.rows(Ruling)
        return next((row.entered for row in rows if (row.voids, row.first, row.last, row.reason) == asked), None)

    def _tick(self, position: int) -> Tick:
        rows = self._ledger.ticks_from(position, 1)
        if not rows or rows[0].entered != position or not rows[0].tick:
            raise NotFound(f"No tick that counts stands at {position}.", advice="See `comity clock show`.")
        return rows[0]

    def _enter(self, event: e.ClockConfirmed | e.TicksVoided) -> int:
        self._journal.pace.take(RULINGS, ENTRY_TARGETS)
        position = self._journal.enter(event, key="clock", signer=self._administrator).position
        if not self._watch.wait(position + 1, WAIT_SECONDS):
            raise Unavailable("It was entered, but the ledger has not confirmed it yet.", advice="See `comity clock show`.")
        for posted in self._ledger.refusals_between(position, position + 1):
            raise Conflict(posted.refused.message if posted.refused else "", advice="Nothing was changed.")
        return position

    def _alarms(self, newest: Tick | None, now: datetime) -> Iterator[Alarm]:
        if newest is None or newest.at is None or newest.latest is None:
            advice = "Start `comity up`; if it runs, look for what keeps ticks out of the log."
            yield Alarm("clock-none", "There is no tick that counts, so nothing can be judged.", advice, 1, now)
            return
        if newest.alarm is not None:
            yield self._jumped(newest.alarm, newest)
        if now - newest.at > IDLE + TICK_AGE_MAX:
            yield _stopped(newest.at, now)
        elif newest.latest > now + TICK_AHEAD_MAX:
            yield self._ahead(newest, newest.latest, now)

    def _jumped(self, position: int, newest: Tick) -> Alarm:
        (tick,) = self._ledger.ticks_from(position, 1)
        held = f" that had not by {_iso(newest.settled)}" if newest.settled else ""
        what = (
            f"The tick at {position} says {_iso(tick.at)}, over an hour after {_iso(tick.reached)}, up to where time was seen to"
            f" pass: the exchange was off, or its clock is wrong. Until somebody says which, no provisional seal lapses{held}."
        )
        advice = (
            f'If that time is right: comity clock confirm {position} --reason "…". If it is wrong, set this machine right, then:'
            f' comity clock void {position} LAST --reason "…", LAST being the last wrong tick of `comity clock show`.'
        )
        return Alarm("clock-jumped", what, advice, 1, tick.entered_at)

    def _ahead(self, newest: Tick, latest: datetime, now: datetime) -> Alarm:
        rows = self._ledger.ticks_before(newest.entered + 1, LOOK_BACK_ROWS)
        wrong = [row for row in rows if row.tick and row.at is not None and row.at > now + TICK_AHEAD_MAX]
        first, last = (str(wrong[0].entered), str(wrong[-1].entered)) if wrong else ("FIRST", "LAST")
        what = f"Ticks say {_iso(latest)}, but this machine's clock {_iso(now)}: grants that end before then have ended."
        advice = f'If this machine is right: comity clock void {first} {last} --reason "…". If it is wrong, set it right.'
        return Alarm("clock-ahead", what, advice, 1, wrong[0].entered_at if wrong else now)


def _stopped(at: datetime, now: datetime) -> Alarm:
    what = f"The newest tick says {_iso(at)}, but this machine's clock {_iso(now)}: no search is answered."
    advice = "If this machine's clock is right, look for what keeps ticks out of the log; else set it right."
    return Alarm("clock-stopped", what, advice, 1, at)


def _reason(text: str) -> str:
    if not text.strip() or len(text) > REASON_CHARS_MAX:
        raise InvalidInput(f"Say why, in {REASON_CHARS_MAX} characters at most.", advice="It is kept in the journal.")
    return text.strip()


def _iso(at: datetime | None) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z") if at else "never"
