"""Keeps the anchor: how far the journal was acknowledged, told to a disk that does not share the home's fate (F38).

What is acknowledged means, by kind. *A receipt* (an order, a grant, a registration by event) is given only once the anchor stands
behind it: that is rare and may take some milliseconds. *Everything else* (searches, enrolments, ticks) is gathered: the anchor
follows the ledger every few seconds and at the end, so of these a whole home restored may lack the last few seconds unnoticed.

At start the anchor is compared before anything is appended or served: the journal must reach as far, and its leaves from there on
must give the ledger's own head. Whoever is behind stops, and says so.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

from comity.acts.alarms import Alarms
from comity.domain import entries as e
from comity.domain.log import JOURNAL, leaf
from comity.domain.merkle import Frontier
from comity.errors import Halted, LedgerBehind, Unavailable
from comity.ports import Anchor, Anchored, EventLog, LedgerView

EVERY_SECONDS = 5.0
READ_SECONDS, ENTRIES_MAX = 10.0, 1_000
STOP_SECONDS = 10.0  # a disk that hangs does not keep the exchange from stopping
ALARM = "anchor"
ADVICE = (
    "This home, or its journal, was restored from an older copy. Stop, put the newest home or journal back, and start again. "
    "If the entries are lost for good: tell every court and agency which receipts no longer hold, then: comity anchor accept."
)


class AnchorDuty:
    """Compares at start, moves on, and is waited for by receipts. Thread-safe."""

    def __init__(self, anchor: Anchor, log: EventLog, ledger: LedgerView, alarms: Alarms, now: Callable[[], datetime]) -> None:
        self._anchor, self._log, self._ledger, self._alarms, self._now = anchor, log, ledger, alarms, now
        self._turn = threading.Lock()
        self._ended = threading.Event()
        self._held: Anchored | None = None
        self._id = ""
        self._thread = threading.Thread(target=self._run, name="comity-anchor", daemon=True)

    @property
    def starts(self) -> int:
        """Return how often the exchange was started, as far as the anchor knows."""
        return self._held.starts if self._held else 0

    def check(self) -> None:
        """Compare the journal with the anchor, once the ledger has read it to its end. Raises Halted."""
        self._held = self._anchor.read(self._journal())
        progress = self._ledger.progress()
        if self._held is None:
            if progress.next:
                what = (
                    "There was no anchor of this journal: nobody can tell whether this home is older than what was acknowledged."
                )
                self._alarms.sound(ALARM, what, "Look for its other copy; a new anchor is kept from now on.")
            return
        if progress.next < self._held.next:
            raise Halted(
                f"The journal ends at {progress.next}, but was acknowledged up to {self._held.next} ({self._held.at:%F %T %Z}).",
                advice=ADVICE,
            )
        self._compare(self._held, progress.next)

    def start(self) -> None:
        """Write the anchor, and begin to move it."""
        self._write(starts=self.starts + 1)
        self._thread.start()

    def stop(self) -> None:
        """Move it a last time; idempotent."""
        if self._thread.is_alive():
            self._ended.set()
            self._thread.join(STOP_SECONDS)

    def acknowledge(self, position: int) -> None:
        """Return once the anchor stands behind this position. Raises LedgerBehind where it cannot be written now."""
        if self._held is not None and self._held.next > position:
            return
        with self._turn:
            if self._held is not None and self._held.next > position:  # another's write took it along
                return
            try:
                self._write(starts=self.starts)
            except Unavailable as error:
                self._alarms.sound(ALARM, error.message, error.advice)
                raise LedgerBehind(
                    f"It stands at position {position}; the anchor could not be written, so there is no receipt yet.",
                    advice="It binds all the same. Send the very same event again to get its receipt.",
                ) from error

    def accept(self, reason: str) -> e.LossAccepted:
        """Put the anchor aside, whatever it says, and return what to enter once the exchange goes on without what is lost."""
        journal = self._journal()
        try:
            lost = self._anchor.read(journal)
        except Halted:  # it cannot be read, which is why the loss is accepted
            lost = None
        self._anchor.put_aside(journal)
        return e.LossAccepted(lost.next if lost else 0, (lost.frontier if lost else Frontier()).head(), reason)

    def _journal(self) -> str:
        self._id = self._id or self._log.identity(JOURNAL.topic)
        return self._id

    def _compare(self, held: Anchored, end: int) -> None:
        """Grow the anchor's tree by the journal's entries since, and compare with the ledger's."""
        frontier, at = held.frontier, held.next
        with self._log.open({JOURNAL: at}) as reader:
            while at < end:
                batch = reader.poll(timeout_seconds=READ_SECONDS, entries_max=min(ENTRIES_MAX, end - at)).get(JOURNAL)
                if batch is None or batch.next <= at:
                    break
                for placed in batch.entries:
                    frontier = frontier.append(leaf(placed))
                at = batch.next
        progress = self._ledger.progress()
        if at != progress.next or frontier != progress.frontier:
            raise Halted(
                f"The journal's entries before {held.next} are not those that were acknowledged by {held.at:%F %T %Z}.",
                advice=ADVICE,
            )

    def _write(self, *, starts: int) -> None:
        progress = self._ledger.progress()
        anchored = Anchored(progress.next, progress.frontier, self._now(), starts)
        self._anchor.write(self._journal(), anchored)
        self._held = anchored

    def _run(self) -> None:
        while not self._ended.wait(EVERY_SECONDS):
            self._move()
        self._move()

    def _move(self) -> None:
        try:
            with self._turn:
                if self._held is None or self._ledger.progress().next > self._held.next:
                    self._write(starts=self.starts)
            self._alarms.clear("anchor-behind")
        except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again, and told
            what = error.message if isinstance(error, Unavailable) else f"The anchor was not moved: {type(error).__name__}."
            self._alarms.sound("anchor-behind", what, "Look at the disk of COMITY_ANCHOR; receipts wait for it.")
