"""What could not be read, verified or applied: kept with its reason and its original bytes, and its sender told (rule 7)."""

from __future__ import annotations

from comity.acts.journal import Journal
from comity.domain import entries as e
from comity.domain.log import Batch, Entry, Placed, Stream, Topic
from comity.ports import LedgerView, Positions, Watch
from comity.wire.codec import Undecodable
from comity.wire.envelope import from_entry

NAME = "quarantine"
HEADERS_KEPT, HEADERS_BYTES_KEPT, TEXT_MAX = 20, 16 * 1024, 500
WAIT_SECONDS = 60.0


def put_aside(journal: Journal, placed: Placed, reason: str, message: str) -> None:
    """Append the original bytes to the quarantine, with where they stood and why."""
    where = f"{placed.stream.topic}/{placed.stream.partition}/{placed.position}"
    told = (("comity_reason", reason), ("comity_message", message[:TEXT_MAX]), ("comity_place", where))
    headers, left = [(name, text.encode()) for name, text in told], HEADERS_BYTES_KEPT
    for name, value in placed.entry.headers[:HEADERS_KEPT]:
        left -= len(name) + len(value)
        if left >= 0:  # a stranger's headers may fill what an entry takes: ours come first
            headers.append((name, value))
    journal.append(Topic.QUARANTINE, Entry(placed.entry.key, placed.entry.value or b"", tuple(headers)))


class QuarantineDuty:
    """Follows the journal behind the ledger: every entry that the ledger refused is put aside, and ``OrderRefused`` entered."""

    def __init__(self, journal: Journal, ledger: LedgerView, watch: Watch, positions: Positions) -> None:
        self._journal, self._ledger, self._watch, self._positions = journal, ledger, watch, positions

    def apply(self, stream: Stream, batch: Batch) -> None:
        """Report the refused entries of a batch. A crash before the position is saved reports them twice, which harms nobody."""
        if not self._watch.wait(batch.next, WAIT_SECONDS):
            raise TimeoutError("the ledger did not reach the batch")
        refused = {x.position: x.refused for x in self._ledger.refusals_between(batch.next - len(batch.entries), batch.next)}
        for placed in batch.entries:
            refusal = refused.get(placed.position)
            if refusal is None or _is_report(placed):
                continue
            put_aside(self._journal, placed, refusal.reason, refusal.message)
            event = e.OrderRefused(placed.position, refusal.reason, refusal.message)
            self._journal.enter(event, key=f"refused-{placed.position}")
        self._positions.save(NAME, str(stream.topic), batch.next, acted=bool(refused))


def _is_report(placed: Placed) -> bool:
    """Say whether this is itself a report: reporting its refusal would go on for ever."""
    try:
        return isinstance(from_entry(placed.entry).event, e.OrderRefused)
    except Undecodable:
        return False
