"""Looks through every file, once a day at a quiet hour, for what all orders since the last time destroyed.

One pass serves them all. What is found is destroyed once more at the next sweep, and its job stays: a certificate that says
"found" is no end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from comity.domain.log import Stream
from comity.duties.purge.certify import Certifier
from comity.duties.purge.jobs import Job, Jobs
from comity.duties.purge.notary import DIRECTED, SWEEP, Notary, bears_templates, share, sought
from comity.duties.purge.states import Phase
from comity.duties.scan import Scanned, scan

logger = structlog.get_logger(__name__)

NAME = "sweep"
STOP_SECONDS = 30.0  # then it is left behind: nobody waits for ever to end
POLL_SECONDS = 20.0  # how late a sweep may begin
RETRY = timedelta(hours=1)  # after one that could not be done
AFTER_START = timedelta(minutes=10)  # for one that was missed: whoever starts an exchange wants to use it first


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep looked through, for how many parts of orders, and for how many of them something was found."""

    jobs: int
    files: int
    bytes: int
    found: int


class Sweeper:
    """A thread that sweeps once a day, and whoever asks by hand. One sweep at a time."""

    def __init__(
        self,
        *,
        jobs: Jobs,
        certifier: Certifier,
        notary: Notary,
        roots: Sequence[Path],
        hour: int,
        now: Callable[[], datetime],
    ) -> None:
        self.name = NAME
        self.positions: dict[Stream, int] = {}
        self.failure: str | None = None
        self._jobs, self._certifier, self._notary, self._roots = jobs, certifier, notary, roots
        self._hour, self._now = hour, now
        self._turn = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"comity-{NAME}", daemon=True)

    def start(self) -> None:
        """Begin to wait for the hour."""
        self._thread.start()

    def stop(self) -> None:
        """Stop; a sweep under way is given up."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def lag(self) -> int:
        """Return nothing: whoever waits for the duties does not wait for the night."""
        return 0

    def __call__(self) -> Swept:
        """Look through every file now, for all that is certified by a directed check alone or was still found."""
        with self._turn:
            self._certifier.destroy_what_came_back()
            found_before = self._prepared(self._certifier.states.of(Phase.FOUND))
            if found_before:
                self._certifier.destroy(found_before)
            jobs = [*found_before, *self._prepared(self._certifier.states.of(Phase.CERTIFIED))]
            jobs = [job for job in jobs if job.by_kind]
            if not jobs:
                return Swept(0, 0, 0, 0)
            unsettled = self._certifier.unsettled(jobs)
            scanned = scan(self._roots, sought(jobs), self._stop)
            if bears_templates(scanned):
                looked_at = self._certifier.apart(jobs)
                jobs = [job for job in looked_at if job.by_kind]
                self._certifier.set_aside(looked_at, jobs)
                scanned = scan(self._roots, sought(jobs), self._stop)
            found = sum(self._certified(job, share(job, scanned), unsettled) > 0 for job in jobs)
            return Swept(len(jobs), scanned.files, scanned.bytes, found)

    def _prepared(self, jobs: Sequence[Job]) -> list[Job]:
        return [whole for job in jobs if (whole := self._certifier.prepared(job)) is not None]

    def _certified(self, job: Job, scanned: Scanned, unsettled: Sequence[str]) -> int:
        states = self._certifier.states
        if scanned.unproven:  # no certificate: the next sweep reads them, or says it again
            states.put(job, Phase.CERTIFIED, f"{len(scanned.unreadable)} files cannot be read")
            return 0
        found = self._notary.enter(job, SWEEP, scanned, unsettled)
        if found:
            states.put(job, Phase.FOUND, f"bytes still found in {found} places")
            logger.error("bytes found after an erasure", files=found)
        elif unsettled:  # a broker may take hours: the next sweep says whether it is done
            states.put(job, Phase.CERTIFIED, "; ".join(unsettled))
        else:
            states.drop(job)
            self._jobs.drop(job.name)
        return found

    def _run(self) -> None:
        due = self._first()
        while not self._stop.wait(POLL_SECONDS):
            if self._now() < due:
                continue
            try:
                swept = self()
            except Exception as error:
                logger.exception("sweep failed")
                self.failure = f"{type(error).__name__}: {error}"[:200]
                due = self._now() + RETRY
            else:
                logger.info("swept", jobs=swept.jobs, files=swept.files, bytes=swept.bytes, found=swept.found)
                self.failure = None
                due = self._next(self._now())

    def _first(self) -> datetime:
        """Return when to sweep first: soon, where the exchange stood still in the quiet hour that something waits for."""
        now = self._now()
        waits = [row.entered_at for job in self._certifier.states.of(Phase.CERTIFIED) for row in self._notary.rows(job, DIRECTED)]
        due = self._next(min(waits, default=now))
        return due if due > now else now + AFTER_START

    def _next(self, now: datetime) -> datetime:
        """Return when the quiet hour comes next."""
        due = now.replace(hour=self._hour, minute=0, second=0, microsecond=0)
        return due if due > now else due + timedelta(days=1)
