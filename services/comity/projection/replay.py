"""Replays a journal into a ledger from nothing: for a rebuild, and for comparing."""

from __future__ import annotations

from collections.abc import Callable

from comity.domain.log import JOURNAL
from comity.ports import EventLog, Ledger
from comity.projection.ledger import LedgerProjection
from comity.projection.watch import PositionWatch

READ_SECONDS = 5.0  # nothing for so long before the goal: the journal is shorter than was said
ENTRIES_MAX = 1_000  # one transaction's worth


def replay(log: EventLog, ledger: Ledger, goal: int, told: Callable[[int, int], None] = lambda _done, _goal: None) -> int:
    """Apply the journal up to ``goal`` and return how far it came. ``told(done, goal)`` counts positions."""
    projection = LedgerProjection(log, ledger, PositionWatch())
    starts = projection.starts()
    done = starts[JOURNAL]
    with log.open(starts) as reader:
        while done < goal:
            wanted = min(ENTRIES_MAX, goal - done)
            batch = reader.poll(timeout_seconds=READ_SECONDS, entries_max=wanted).get(JOURNAL)
            if batch is None or batch.next <= done:
                break
            projection.apply(JOURNAL, batch)
            done = batch.next
            told(done, goal)
    return done
