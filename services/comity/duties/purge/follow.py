"""Follows the journal: shreds the keys of what an expungement covers, at the order and at every admission behind it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import structlog

from comity.domain import entries as e
from comity.domain.ids import OrderName, Ori, RecordId, record_key
from comity.domain.log import JOURNAL, Batch, Placed, Stream
from comity.domain.posting import Certificate
from comity.domain.standing import certificates
from comity.duties.purge import covered
from comity.duties.purge.certify import Certifier
from comity.duties.purge.covered import Reached
from comity.duties.purge.jobs import CIPHERTEXT, Job, Jobs, Needles, pieces_of
from comity.duties.purge.needles import Haystack
from comity.ports import Candidates, ErasureMark, EventLog, KeyVault, LedgerView, Watch
from comity.wire.codec import Undecodable
from comity.wire.envelope import from_entry
from comity.wire.limits import RECORDS_PER_ENTRY_MAX

logger = structlog.get_logger(__name__)

NAME = "purge"
WAIT_SECONDS = 60.0
ENTRIES_MAX = 500
READ_SECONDS = 5.0
BEHIND_MAX = 1_000  # entries or admitted records that a start may have to look at once more


@dataclass
class _Behind:
    """How much was read since the marks were saved: reading it again is harmless, saving it costs a disk's turn."""

    next: int = 0
    weight: int = 0


@dataclass(frozen=True, slots=True)
class _Read:
    """What a batch of the journal asks for: orders by their places, and records by the places of their admissions."""

    orders: tuple[tuple[int, e.RecordsExpunged], ...]
    admitted: tuple[tuple[int, tuple[RecordId, ...]], ...]

    @property
    def weight(self) -> int:
        return sum(len(records) for _, records in self.admitted)


@dataclass(frozen=True, kw_only=True)
class PurgeDuty:
    """Follows the journal behind the ledger. ``gate`` is passed by whoever keeps something of a record, and held to shred."""

    log: EventLog
    ledger: LedgerView
    watch: Watch
    vault: KeyVault
    gallery: Candidates
    haystack: Haystack
    jobs: Jobs
    certifier: Certifier
    marks: Mapping[str, ErasureMark]
    gate: threading.Lock
    _behind: _Behind = field(default_factory=_Behind)
    _numbering: threading.Lock = field(default_factory=threading.Lock)  # two threads keep jobs: no part is given twice

    def starts(self) -> Mapping[Stream, int]:
        """Return where to go on: where the oldest of the stores stands."""
        return {JOURNAL: min(mark.load() for mark in self.marks.values())}

    def again(self) -> int:
        """Carry out what the oldest store has not seen, before anything can be asked; return how many entries were read.

        A vault, a gallery or a photo store from before an order must not serve what the order covers (rule 9).
        """
        for job in self.jobs.all():
            self._look_again(job)
        (first,) = self.starts().values()
        at, end = first, self.watch.position
        with self.log.open({JOURNAL: first}) as reader:
            while at < end:
                batch = reader.poll(timeout_seconds=READ_SECONDS, entries_max=ENTRIES_MAX).get(JOURNAL)
                if batch is None or batch.next == at:
                    break  # the follower goes on from there
                self.apply(JOURNAL, batch)
                at = batch.next
        return at - first

    def apply(self, stream: Stream, batch: Batch) -> None:
        """Carry out the orders of a batch, and the earlier ones over what it admits."""
        if stream != JOURNAL:
            return
        read = _read(batch)
        reached: list[Reached] = []
        if read.orders or read.admitted:
            if not self.watch.wait(batch.next, WAIT_SECONDS):
                raise TimeoutError("the ledger did not reach the batch")
            for position, order in read.orders:
                reached += self._ordered(position, order)
            for position, records in read.admitted:
                reached += covered.by_admission(self.ledger, records, position)
        if reached:
            self._carry_out(reached)
        self._save(batch.next, read.weight, acted=bool(reached))

    def overtaken(self, event: e.RecordEnrolled) -> bool:
        """Destroy an enrolment that came behind an order that names it, and was never admitted; say whether there was one.

        Its key is shredded only where such an order stands. What is looked for are the bytes that it brought.
        """
        orders = covered.by_names(self.ledger, event)
        brought = {event.record_id: {CIPHERTEXT: pieces_of(CIPHERTEXT, (*event.photographs, event.particulars))}}
        jobs = [
            self._kept(f"{ordered}-{event.record_id}", name, ordered, {event.record_id: event.owner}, brought)
            for name, ordered in orders
        ]
        if jobs:
            self._shred(jobs)
        return bool(jobs)

    def _ordered(self, position: int, order: e.RecordsExpunged) -> list[Reached]:
        reached = covered.by_order(self.ledger, self.haystack.photos, order.order_id, position)
        return [] if reached is None or not reached.owners else [reached]

    def _carry_out(self, reached: Iterable[Reached]) -> None:
        """Keep what is looked for, of all of them; then shred the keys, of all of them; then hand on."""
        jobs = []
        for one in reached:
            for start in range(0, len(one.owners), RECORDS_PER_ENTRY_MAX):
                part = dict(islice(one.owners.items(), start, start + RECORDS_PER_ENTRY_MAX))
                jobs.append(self._kept(f"{one.ordered}-{one.place}-{start}", one.order, one.ordered, part))
        self._shred(jobs)

    def _kept(
        self, name: str, order: OrderName, ordered: int, owners: Mapping[RecordId, Ori], brought: Needles | None = None
    ) -> Job:
        """Keep a job durably with all that can be found at once, and return it without.

        Where the journal is carried out again and nothing came back, there is nothing to keep: it stands certified.
        """
        records = tuple(sorted(owners))
        taken = self.haystack.at_once(records)
        with self._numbering:
            held = self.jobs.load(name)
            part = held.part if held else self._part(order)
            job = Job(name, order, ordered, part, records, tuple(sorted(set(owners.values()))))
            if held is None and not (taken.keys or taken.templates or brought) and self._certified(order):
                return job
            job = (held or job).adding(taken.needles, taken.keys, taken.templates)
            job = job.adding(brought or {}).adding(self.jobs.beside(records))
            self.jobs.keep(job)
        return replace(job, needles={})

    def _shred(self, jobs: Sequence[Job]) -> None:
        records = sorted({record for job in jobs for record in job.records})
        with self.gate:  # whoever keeps something of a record has done so, or will find its key gone
            self.vault.shred([record_key(record) for record in records])
        self.gallery.forget(records)
        self.certifier.take(jobs)

    def _certified(self, order: OrderName) -> bool:
        return bool(certificates(self.ledger, order))

    def _look_again(self, job: Job) -> None:
        """Take up a job once more where something of it is there: a crash may have come between a put and its undoing."""
        taken = self.haystack.at_once(job.records)
        held = self.jobs.load(job.name)
        if held is not None and (taken.keys or taken.templates):
            self.jobs.keep(held.adding(taken.needles, taken.keys, taken.templates))
            self._shred([job])

    def _part(self, order: OrderName) -> int:
        rows = self.ledger.rows(Certificate, party=order.party, order_id=order.order_id)
        return max([self.jobs.newest_part(order), *(row.part for row in rows)]) + 1

    def _save(self, next_: int, weight: int, *, acted: bool) -> None:
        behind = self._behind
        behind.weight += weight + max(0, next_ - behind.next)
        behind.next = next_
        if acted or behind.weight >= BEHIND_MAX:
            for mark in self.marks.values():
                mark.save(next_)
            behind.weight = 0


def _read(batch: Batch) -> _Read:
    orders: list[tuple[int, e.RecordsExpunged]] = []
    admitted: list[tuple[int, tuple[RecordId, ...]]] = []
    for placed in batch.entries:
        event = _event(placed)
        if isinstance(event, e.RecordsExpunged):
            orders.append((placed.position, event))
        elif isinstance(event, e.RecordsAdmitted):
            admitted.append((placed.position, tuple(record.record_id for record in event.records)))
    return _Read(tuple(orders), tuple(admitted))


def _event(placed: Placed) -> e.Event | None:
    try:
        return from_entry(placed.entry).event
    except Undecodable:
        return None
