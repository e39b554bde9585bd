"""Makes a view anew from the log, one at a time, while what is derived from it waits and nothing reads half of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

import numpy as np

from comity.domain.ids import RecordId
from comity.domain.log import JOURNAL, Placed
from comity.errors import Conflict, Halted, Unavailable
from comity.ports import Candidates, EventLog, KeyVault, Ledger, LedgerView, PhotoStore, TemplateStore
from comity.projection.photographs import rebuild_photographs
from comity.projection.projector import Follows
from comity.projection.replay import replay
from comity.projection.watch import PositionWatch

LEDGER, GALLERY, PHOTOGRAPHS = "ledger", "gallery", "photographs"
CATCH_UP_SECONDS = 600.0  # how long a view made anew may take until it has read the log's end
LOOK_SECONDS = 0.05
Pause = Callable[[str], AbstractContextManager[None]]


@dataclass(frozen=True, kw_only=True)
class Rebuilds:
    """The rebuilds of one exchange. ``paused`` stops a follower for as long as its block lasts, then starts it anew."""

    log: EventLog
    watch: PositionWatch
    ledger_view: LedgerView
    vault: KeyVault
    photos: PhotoStore
    store: TemplateStore
    scan: Candidates
    followers: Mapping[str, Follows]
    paused: Pause
    beside: Callable[[], AbstractContextManager[Ledger]]
    put_back: Callable[[Collection[RecordId]], int]
    keep: Callable[[Placed], None]
    turn: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, view: str) -> None:
        """Make one view anew."""
        {LEDGER: self.ledger, GALLERY: self.gallery, PHOTOGRAPHS: self.photographs}[view]()

    def ledger(self) -> None:
        """Build the ledger beside the one in use, and swap.

        Until then nothing is released, and whoever waits for the ledger waits: the one in use may be what is wrong.
        Raises Conflict where a rebuild is under way, Halted where the journal ends before its own end.
        """
        with self._alone():
            try:
                self._swap_ledger()
            finally:  # whichever ledger it is now, its follower has begun before anybody asks it
                self._catch_up(LEDGER)

    def _swap_ledger(self) -> None:
        with self.paused(LEDGER):
            self.watch.fail("it is being made anew from the journal.")
            goal = self.log.end(JOURNAL)
            with self.beside() as fresh:
                if replay(self.log, fresh, goal) < goal:
                    raise Halted("The journal could not be read to its end.", advice="Restore it; the ledger stands.")

    def gallery(self) -> None:
        """Make the template store anew; the resident scan goes on serving what it holds, and then holds what the store does.

        What the log lost meanwhile, as a topic that was made anew has, is put back from what is kept of it.
        """
        with self._alone():
            with self.paused(GALLERY):
                self.store.clear()
            self._catch_up(GALLERY)
            if self.put_back({template.record_id for batch in self.store.all() for template in batch}):
                self._catch_up(GALLERY)
            with self.paused(GALLERY):
                held = [np.array([t.template_id for t in batch], np.int64) for batch in self.store.all()]
                self.scan.keep(np.sort(np.concatenate(held)) if held else np.empty(0, np.int64))

    def photographs(self) -> None:
        """Put photographs, particulars, and what is kept beside them back from the log; whatever else is there stays."""
        with self._alone():
            rebuild_photographs(self.log, self.ledger_view, self.vault, self.photos, self.keep)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not self.turn.acquire(blocking=False):
            raise Conflict(
                "A view is being made anew already.", advice="Wait for it to end; `comity status` shows how far it is."
            )
        try:
            yield
        finally:
            self.turn.release()

    def _catch_up(self, name: str) -> None:
        deadline = time.monotonic() + CATCH_UP_SECONDS
        while (follower := self.followers[name]).lag() > 0:
            if time.monotonic() > deadline or follower.failure:
                why = follower.failure or "It has not read the log's end yet; it goes on."
                raise Unavailable(f"The {name} is not whole yet. {why}", advice="See `comity status`.")
            time.sleep(LOOK_SECONDS)
