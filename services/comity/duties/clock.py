"""The exchange's one clock: enters what time it is, because nothing else may say so (rule 8)."""

from __future__ import annotations

import threading

import structlog

from comity.acts.journal import Journal
from comity.domain.entries import ClockTicked
from comity.errors import ComityError

logger = structlog.get_logger(__name__)

TICK_SECONDS = 10.0  # a release refuses to judge by a tick older than 60 s: five may fail
STOP_SECONDS = 30.0  # then it is left behind: nobody waits for ever to end


class Clock:
    """A thread that ticks. One per exchange."""

    def __init__(self, journal: Journal, seconds: float = TICK_SECONDS) -> None:
        self._journal, self._seconds = journal, seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="comity-clock", daemon=True)

    def tick(self) -> None:
        """Enter the time now."""
        self._journal.enter(ClockTicked(self._journal.now()), key="clock")

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
        while not self._stop.wait(self._seconds):
            try:
                self.tick()
            except ComityError as error:  # the log is away: releases refuse by themselves once the last tick is old
                logger.warning("tick not entered", why=error.kind)
            except Exception:  # a clock that died would stop every search, so it outlives whatever it met
                logger.exception("tick not entered")
