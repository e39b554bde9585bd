"""Reads single entries of the journal back: they never change, so what was read is kept, a bounded number of them."""

from __future__ import annotations

import threading
from collections import OrderedDict

from comity.domain import entries as e
from comity.domain.log import JOURNAL
from comity.errors import Unavailable
from comity.ports import EventLog
from comity.wire.codec import Undecodable
from comity.wire.envelope import from_entry

READ_SECONDS = 5.0
KEPT_MAX = 500  # an order of a thousand records has some 100 KB: 50 MB at the very most


class Entries:
    """The journal by position. Thread-safe."""

    def __init__(self, log: EventLog) -> None:
        self._log, self._lock, self._kept = log, threading.Lock(), OrderedDict[int, e.Event]()

    def at(self, position: int) -> e.Event:
        """Return what was entered at a position. Raises Unavailable where the log does not give it back now."""
        with self._lock:
            if position in self._kept:
                self._kept.move_to_end(position)
                return self._kept[position]
        event = self._read(position)
        with self._lock:
            self._kept[position] = event
            while len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
        return event

    def _read(self, position: int) -> e.Event:
        with self._log.open({JOURNAL: position}) as reader:
            batch = reader.poll(timeout_seconds=READ_SECONDS, entries_max=1).get(JOURNAL)
        placed = batch.entries[0] if batch and batch.entries else None
        try:
            if placed is not None and placed.position == position:
                return from_entry(placed.entry).event
        except Undecodable:
            pass
        raise Unavailable("The journal's entry could not be read back.", advice="Try again in a moment.")
