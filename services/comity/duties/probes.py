"""Destroys probes once their time is up, and those that no search knows: key first, then file.

Their time is up by what the journal's ticks have settled: a machine's clock that is wrong for once destroys nothing.

It writes in one place, its position, after what it destroyed; a crash before it destroys again, which changes nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from comity.acts.probes import Probes, orphans
from comity.domain import entries as e
from comity.domain.log import JOURNAL, Placed
from comity.errors import ComityError
from comity.ports import EventLog, LedgerView, PhotoStore, Positions
from comity.wire.codec import Undecodable
from comity.wire.envelope import from_entry

logger = structlog.get_logger(__name__)

NAME = "probes"
STOP_SECONDS = 30.0  # then it is left behind: nobody waits for ever to end
REST_SECONDS = 3_600.0  # a probe's time is counted in days
READ_SECONDS, ENTRIES_MAX = 1.0, 1_000


@dataclass(frozen=True, kw_only=True)
class ProbeDuty:
    """A thread that destroys. One per exchange."""

    log: EventLog
    ledger: LedgerView
    probes: Probes
    photos: PhotoStore
    positions: Positions
    catch_up: Callable[[], object]
    keep: timedelta
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Begin, in the background."""
        thread = threading.Thread(target=self._run, name="comity-probes", daemon=True)
        self._threads.append(thread)
        thread.start()

    def stop(self) -> None:
        """Stop."""
        self._stop.set()
        for thread in self._threads:
            thread.join(STOP_SECONDS)

    def sweep(self) -> int:
        """Destroy the probes of the searches that were entered too long ago; return how many searches were looked at."""
        settled = self._settled()
        if settled is None:
            return 0
        at, looked_at = self._done(), 0
        with self.log.open({JOURNAL: at}) as reader:
            while not self._stop.is_set():
                batch = reader.poll(timeout_seconds=READ_SECONDS, entries_max=ENTRIES_MAX).get(JOURNAL)
                due = [placed for placed in batch.entries if placed.appended_at <= settled - self.keep] if batch else []
                for placed in due:
                    looked_at += self._destroyed(placed)
                if batch is None or len(due) < len(batch.entries):
                    at = due[-1].position + 1 if due else at
                    break
                at = batch.next
        self.positions.save(NAME, str(JOURNAL.topic), at)
        return looked_at

    def sweep_orphans(self) -> int:
        """Destroy the probes that no search knows, and those that came back with an older store; return how many."""
        lost = orphans(self.photos, self.ledger, self.catch_up, self._done())
        for search in lost:
            self.probes.destroy(search)
        return len(lost)

    def _done(self) -> int:
        """Return before which place in the journal all were destroyed."""
        return self.positions.load(NAME).get(str(JOURNAL.topic), 0)

    def _settled(self) -> datetime | None:
        """Return up to when time has passed for certain; None where nothing says so yet."""
        newest = self.ledger.ticks_before(self.ledger.progress().next, 1)
        return newest[-1].settled if newest else None

    def _destroyed(self, placed: Placed) -> int:
        try:
            event = from_entry(placed.entry).event
        except Undecodable:
            return 0
        if not isinstance(event, e.SearchPerformed):
            return 0
        self.probes.destroy(event.search_id)
        return 1

    def _run(self) -> None:
        orphans_left = True
        while True:
            try:
                if orphans_left:
                    self.sweep_orphans()
                    orphans_left = False
                self.sweep()
            except ComityError as error:  # a disk or a log that is away: the next round does it
                logger.warning("probes not destroyed", why=error.kind)
            except Exception:
                logger.exception("probes not destroyed")
            if self._stop.wait(REST_SECONDS):
                return
