"""Rebuilds the ledger from the journal, in memory and by the pure rules, and compares; looks over gallery, vault and photographs.

It changes nothing. What it lists, ``comity rebuild`` mends: no repair goes another way than a replay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from comity.domain import posting as p
from comity.domain.ids import RecordId, record_key
from comity.domain.log import JOURNAL
from comity.domain.merkle import Frontier
from comity.errors import Halted
from comity.ports import EventLog, KeyVault, LedgerView, PhotoStore, Posted, Progress, TemplateStore
from comity.projection.ledger import LedgerProjection
from comity.projection.watch import PositionWatch

READ_SECONDS, ENTRIES_MAX = 5.0, 1_000


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as the journal says: what, and how to mend it."""

    what: str
    advice: str


class ReferenceLedger:
    """The ledger's writer over ``MemoryLedger``: as little code as can be, to hold the real one against."""

    def __init__(self) -> None:
        self.memory = p.MemoryLedger()
        self.taken: dict[tuple[str, str], tuple[bytes, int]] = {}
        self._progress = Progress(0, 0, "", Frontier())

    def claim(self, topic_id: str) -> Progress:
        """Take the journal as it is."""
        self._progress = Progress(0, 1, topic_id, Frontier())
        return self._progress

    def rows(self, kind: type[p.Row]) -> tuple[p.Row, ...]:
        """Return the rows of one kind."""
        return tuple(self.memory.rows[kind].values())

    def signing_keys(self) -> tuple[p.Key, ...]:
        """Return no key: a replay from 0 learns them all."""
        return ()

    def seen(self, signer: str, event_id: str) -> tuple[bytes, int] | None:
        """Return the digest and position of an order already taken."""
        return self.taken.get((signer, event_id))

    def apply(self, seen: Progress, after: Progress, posted: Sequence[Posted]) -> None:
        """Execute the changes in memory."""
        if seen != self._progress:
            raise Halted("the reference was moved by another")
        for entry in posted:
            self.memory.execute(entry.changes, entry.position)
            if entry.event_id and not entry.refused:
                self.taken.setdefault((entry.signer, entry.event_id), (entry.value_sha256, entry.position))
        self._progress = after

    def progress(self) -> Progress:
        """Return how far the replay is."""
        return self._progress


class Fsck:
    """Compares everything that is derived with what it is derived from."""

    def __init__(self, log: EventLog, ledger: LedgerView, store: TemplateStore, vault: KeyVault, photos: PhotoStore) -> None:
        self._log, self._ledger, self._store, self._vault, self._photos = log, ledger, store, vault, photos

    def __call__(self, progress: Callable[[int, int], None] = lambda _done, _total: None) -> tuple[Finding, ...]:
        """Return what is not as the journal says; nothing is a good answer. ``progress(done, total)`` counts positions."""
        goal = self._ledger.progress()
        reference = self._replay(goal.next, progress)
        findings = list(self._compare(reference, goal))
        findings += self._gallery(reference.memory)
        return tuple(findings)

    def _replay(self, goal: int, progress: Callable[[int, int], None]) -> ReferenceLedger:
        reference = ReferenceLedger()
        projection = LedgerProjection(self._log, reference, PositionWatch())  # type: ignore[arg-type]
        with self._log.open(projection.starts()) as reader:
            while (done := reference.progress().next) < goal:
                wanted = min(ENTRIES_MAX, goal - done)
                batch = reader.poll(timeout_seconds=READ_SECONDS, entries_max=wanted).get(JOURNAL)
                if batch is None:
                    break
                projection.apply(JOURNAL, batch)
                progress(batch.next, goal)
        return reference

    def _compare(self, reference: ReferenceLedger, goal: Progress) -> list[Finding]:
        done = reference.progress()
        if done.next < goal.next:
            return [Finding("the journal is shorter than the ledger", "Restore the journal; the ledger is ahead of it.")]
        if done.frontier != goal.frontier:
            return [Finding("the journal's Merkle head differs from the ledger's", "The journal was changed. Call for help.")]
        found = []
        for kind, rows in reference.memory.rows.items():
            held, expected = set(map(_comparable, self._ledger.every(kind))), set(map(_comparable, rows.values()))
            if extra := len(held - expected):
                found.append(Finding(f"{extra} rows of {kind.__name__} that the journal does not say", "comity rebuild ledger"))
            if missing := len(expected - held):
                found.append(Finding(f"{missing} rows of {kind.__name__} missing", "comity rebuild ledger"))
        return found

    def _gallery(self, memory: p.MemoryLedger) -> list[Finding]:
        admitted = {row.record_id for row in memory.rows[p.Record].values() if isinstance(row, p.Record)}
        shredded = {r for r in admitted if self._vault.wrapped(record_key(r)) is None}
        held = {t.record_id for batch in self._store.all() for t in batch}
        kept = {RecordId(name.split("/")[1]) for name in self._photos.names() if name.startswith("record/")}
        checks = (
            (held - admitted, "records in the gallery that were never admitted", "comity rebuild gallery"),
            (held & shredded, "erased records in the gallery", "comity rebuild gallery"),
            (admitted - shredded - held, "admitted records missing from the gallery", "comity rebuild gallery"),
            (kept & shredded, "erased records in the photograph store", "Restart: the erasure is done again at start."),
            (admitted - shredded - kept, "admitted records without photographs", "Have the agency send them again."),
        )
        return [Finding(f"{len(records)} {what}", advice) for records, what, advice in checks if records]


def _comparable(row: p.Row) -> tuple[object, ...]:
    return (type(row).__name__, *(getattr(row, name) for kind in type(row).__mro__ for name in getattr(kind, "__slots__", ())))
