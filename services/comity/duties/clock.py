"""The exchange's one clock: enters what time it is, because nothing else may say so (rule 8).

It ticks when something hangs on it: for whoever is about to be judged, and once a grant or a provisional seal has come to its
end. Otherwise rarely: a tick every ten seconds was 1.9 GB of journal a year, by most of which nothing was judged (ADR 0039).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime
from math import inf

import structlog

from comity.acts.clock import IDLE
from comity.acts.journal import Journal
from comity.domain.entries import ClockTicked
from comity.errors import ComityError

logger = structlog.get_logger(__name__)

TICK_SECONDS = 30.0  # the oldest that whoever is to be judged finds: half of what a release refuses
LOOK_SECONDS = 10.0  # how soon after something's end the lists say so
ENDS_SECONDS = 1.0  # at most so often for ends: more than two ticks a second would leave the window too short to settle by
STOP_SECONDS = 30.0  # then it is left behind: nobody waits for ever to end


class Clock:
    """A thread that ticks, and a tick for whoever asks. One per exchange.

    ``ends(after, until)`` says whether a grant or a provisional seal comes to its end between two times.
    """

    def __init__(
        self,
        journal: Journal,
        ends: Callable[[datetime, datetime], bool],
        seconds: float = TICK_SECONDS,
    ) -> None:
        self._journal, self._ends, self._seconds = journal, ends, seconds
        self._lock = threading.Lock()
        self._ticked: tuple[datetime, float] | None = None  # what was said last, and when by the monotonic clock
        self._next = 0  # the position behind it
        self._tries = 0  # how many ticks were tried, entered or not
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="comity-clock", daemon=True)

    def tick(self) -> None:
        """Enter the time now."""
        now, began = self._journal.now(), time.monotonic()
        self._next = self._journal.enter(ClockTicked(now), key="clock").position + 1
        self._ticked = now, began

    def fresh(self) -> int:
        """Enter the time for whoever is to be judged, where it is old or something ended since; return the position behind it.

        A tick that is not entered is nobody's error here: who is judged by one too old is told so. Whoever waited
        for another's try does not try again: while the log is away each would wait for all before it.
        """
        tries = self._tries
        with self._lock:
            if tries == self._tries:
                self._try(due=self._is_old)
            return self._next

    def start(self) -> None:
        """Tick once, so that releases can judge at once, and go on."""
        self.tick()
        self._thread.start()

    def stop(self) -> None:
        """Stop ticking."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while not self._stop.wait(min(self._seconds, LOOK_SECONDS)):
            with self._lock:
                self._try(due=self._due)

    def _try(self, due: Callable[[], bool]) -> None:
        try:
            if due():
                try:
                    self.tick()
                finally:
                    self._tries += 1
        except ComityError as error:  # the log is away: releases refuse by themselves once the last tick is old
            logger.warning("tick not entered", why=error.kind)
        except Exception:  # a clock that died would stop every search, so it outlives whatever it met
            logger.exception("tick not entered")

    def _due(self) -> bool:
        return self._age() >= IDLE.total_seconds() or self._has_ended()

    def _is_old(self) -> bool:
        age = self._age()
        return age >= self._seconds or (age >= ENDS_SECONDS and self._has_ended())

    def _has_ended(self) -> bool:
        """Say whether something came to its end since the last tick, which does not know it."""
        return self._ticked is not None and self._ends(self._ticked[0], self._journal.now())

    def _age(self) -> float:
        """Return the seconds since the last tick, by whichever clock says more: a machine that slept, or was set right."""
        if self._ticked is None:
            return inf
        at, began = self._ticked
        return max(time.monotonic() - began, abs((self._journal.now() - at).total_seconds()))
