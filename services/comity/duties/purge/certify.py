"""Destroys, looks where the bytes lay, and enters a certificate: for each job that waits, whatever becomes of the others.

A job that fails is tried again by itself, after a pause that doubles, and so is one whose certificate says "found".
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import structlog

from comity.domain.log import Stream
from comity.duties.purge.destroy import READING_SECONDS, Destroyer
from comity.duties.purge.jobs import Job, Jobs
from comity.duties.purge.needles import Haystack
from comity.duties.purge.notary import DIRECTED, SWEEP, Notary, bears_templates, share, sought
from comity.duties.purge.places import Places
from comity.duties.purge.states import Phase, States, together
from comity.duties.scan import Scanned, scan
from comity.errors import ComityError

logger = structlog.get_logger(__name__)

NAME = "erasure"
STOP_SECONDS = 30.0  # then it is left behind: nobody waits for ever to end
POLL_SECONDS = 0.5
TOGETHER_MAX, RECORDS_TOGETHER_MAX = 100, 2_000  # what shares one look at the files
SCAN_TRIES, SCAN_PAUSE_SECONDS = 20, 0.5  # an engine may take a moment to unlink what it rewrote
APART_AFTER = 2  # tries that found templates: then whether other records hold the same is worth a walk through the store


class Certifier:
    """A thread of its own: nobody's shredding waits for somebody else's certificate."""

    def __init__(self, *, jobs: Jobs, haystack: Haystack, destroyer: Destroyer, notary: Notary, places: Places) -> None:
        self.name = NAME
        self.positions: dict[Stream, int] = {}
        self.states = States()
        self._jobs, self._haystack, self._destroy, self._notary, self._places = jobs, haystack, destroyer, notary, places
        self._lock = threading.Lock()
        self._to_look_at: list[Job] = []
        self._stop = threading.Event()
        self._news = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"comity-{NAME}", daemon=True)

    # --- life, as a follower's ---

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Stop; a scan under way is given up."""
        self._stop.set()
        self._news.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def lag(self) -> int:
        """Return how many jobs wait for their first certificate."""
        with self._lock:
            return len(self._to_look_at) + len(self.states.of(Phase.WAITING))

    @property
    def failure(self) -> str | None:
        """Return what fails."""
        return self.states.failure

    def status(self) -> dict[str, Any]:
        """Return how many jobs stand where, and those that want looking at."""
        return self.states.told()

    # --- work ---

    def remember(self) -> None:
        """Take up what waited when the exchange stopped, once the ledger says what is certified."""
        for job in self._jobs.all():
            self.states.put(job, self._stood(job))
        kept = {(job.order, job.part) for job in self._jobs.all()}
        for job in self._notary.unswept():
            if (job.order, job.part) not in kept:  # its file in erasures/ was lost, or its key
                self.states.put(job, Phase.LOST)

    def take(self, jobs: Sequence[Job]) -> None:
        """Take on jobs whose keys are shredded; of one that is not kept, only look whether a ciphertext came back."""
        with self._lock:
            for job in jobs:
                if self._jobs.has(job.name):
                    self.states.put(job)
                else:
                    self._to_look_at.append(job)
        self._news.set()

    def prepared(self, job: Job) -> Job | None:
        """Return a job with all that is looked for, durably, before any of it goes; None where it can no longer be opened."""
        whole = self._jobs.load(job.name)
        if whole is None:
            return None
        more = self._haystack.ciphertexts(whole.records)
        if more:
            whole = whole.adding(more)
            self._jobs.keep(whole)
        return whole

    def destroy(self, jobs: Sequence[Job]) -> tuple[str, ...]:
        """Destroy what these jobs name; return what could not be seen to be gone."""
        return self._destroy(sorted({record for job in jobs for record in job.records}))

    def destroy_what_came_back(self) -> None:
        """Destroy once more what was put back, file by file, into a store whose mark says that it was destroyed."""
        records = self._haystack.came_back()
        if records:
            logger.warning("destroyed records were put back: they are destroyed again", records=len(records))
            self._destroy(records)

    def apart(self, jobs: Sequence[Job]) -> list[Job]:
        """Return the jobs without what other records hold as well, once templates were found."""
        return self._haystack.apart(jobs)

    def unsettled(self, jobs: Sequence[Job]) -> tuple[str, ...]:
        """Return where the log's old values could not be seen to be gone yet. Reading may take half a night."""
        return self._destroy.unsettled(sorted({record for job in jobs for record in job.records}), READING_SECONDS)

    def _stood(self, job: Job) -> Phase:
        """Return where a job stands by the journal, at start."""
        if any(row.found for row in self._notary.rows(job, SWEEP, job.part)[-1:]):
            return Phase.FOUND
        directed = self._notary.rows(job, DIRECTED, job.part)
        return Phase.CERTIFIED if directed and not directed[-1].found else Phase.WAITING

    def _run(self) -> None:
        while not self._stop.is_set():
            self._news.clear()
            if not self._turn():
                self._news.wait(POLL_SECONDS)

    def _turn(self) -> bool:
        """Do some of what is due; return whether there was any."""
        with self._lock:
            looked_at = self._to_look_at[:TOGETHER_MAX]
        for job in looked_at:
            self._look_at(job)
        jobs = together(self.states.due(), TOGETHER_MAX, RECORDS_TOGETHER_MAX)
        if jobs:
            self._certify(jobs)
        return bool(looked_at or jobs)

    def _look_at(self, job: Job) -> None:
        """Keep a job after all where a ciphertext came back, with an older photo store for instance."""
        try:
            more = self._haystack.ciphertexts(job.records)
            if more:
                self._jobs.keep(job.adding(more))
                self.states.put(job)
        except Exception as error:
            logger.exception("erasure failed")
            self.states.failed(job, _why(error))
        with self._lock:
            self._to_look_at.remove(job)

    def _certify(self, jobs: Sequence[Job]) -> None:
        try:
            held = [whole for job in jobs if (whole := self.prepared(job)) is not None]
            unsettled = self.destroy(held)
            ready = [job for job in held if job.by_kind]
            self.set_aside(jobs, ready)
            if not ready:
                return
            looked_at, scanned = self._look(ready)
            ready = [job for job in looked_at if job.by_kind]  # of some, others hold all that was looked for
            self.set_aside(looked_at, ready)
        except Exception as error:  # noqa: BLE001 - logged and told in the status, whatever it is
            self._failed(jobs, error)
            return
        for job in ready:
            self._enter(job, share(job, scanned), unsettled)

    def set_aside(self, jobs: Sequence[Job], ready: Sequence[Job]) -> None:
        """Certify nothing where there was nothing to look for: the bytes went with another order, or never lay here."""
        names = {job.name for job in ready}
        for job in jobs:
            if job.name in names:
                continue
            if self._notary.rows(job):
                self.states.drop(job)
                self._jobs.drop(job.name)
            else:
                self.states.put(job, Phase.NOTHING)

    def _enter(self, job: Job, scanned: Scanned, unsettled: Sequence[str]) -> None:
        if scanned.unproven:  # no certificate: it would say "nothing found", and stand
            self.states.failed(job, f"{len(scanned.unreadable)} files cannot be read")
            return
        try:
            found = self._notary.enter(job, DIRECTED, scanned, unsettled)
        except Exception as error:  # noqa: BLE001 - as above
            self._failed([job], error)
            return
        if found:
            self.states.failed(job, f"bytes still found in {found} places", Phase.FOUND)
        else:
            self.states.put(job, Phase.CERTIFIED)

    def _look(self, jobs: list[Job]) -> tuple[list[Job], Scanned]:
        """Look where the bytes lay, until nothing is found: an engine may take a moment to unlink what it rewrote."""
        owners = {owner for job in jobs for owner in job.owners}
        records = {record for job in jobs for record in job.records}
        for tried in range(1, SCAN_TRIES + 1):
            scanned = scan(self._places.of(owners, records), sought(jobs), self._stop)
            if scanned.clean or tried == SCAN_TRIES or self._stop.wait(SCAN_PAUSE_SECONDS):
                break
            if tried == APART_AFTER and bears_templates(scanned):
                jobs = self.apart(jobs)
        if not scanned.clean:
            logger.error("bytes found after an erasure", files=sum(map(len, scanned.found.values())))
        return jobs, scanned

    def _failed(self, jobs: Sequence[Job], error: Exception) -> None:
        if self._stop.is_set():
            return  # it is tried again at the next start
        logger.error("erasure not certified", jobs=len(jobs), exc_info=error)
        for job in jobs:
            self.states.failed(job, _why(error))


def _why(error: Exception) -> str:
    return error.message if isinstance(error, ComityError) else f"{type(error).__name__}: {error}"[:200]
