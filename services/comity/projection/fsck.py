"""Rebuilds the ledger from the journal, in memory and by the pure rules, and compares; looks over gallery, vault and photographs.

It changes nothing. What it lists, ``comity rebuild`` mends: no repair goes another way than a replay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from comity.acts.probes import orphans
from comity.domain import posting as p
from comity.domain.ids import END, RecordId, record_key
from comity.domain.merkle import Frontier
from comity.domain.standing import counted
from comity.errors import Halted
from comity.ports import EventLog, KeyVault, LedgerView, PhotoStore, Posted, Progress, Taken, TemplateStore
from comity.projection.replay import replay

SETTLE_SECONDS = 60.0  # how long what is only behind may take to come
VERSION_AND_PHOTO = 2  # record/<id>/<version>/<photograph>
LEDGER, GALLERY, PHOTOGRAPHS = "comity rebuild ledger", "comity rebuild gallery", "comity rebuild photographs"
VAULT = "Stop, put the newest vault.db back, and start again; do not enrol before."
DESTROYED = "Restart: they are destroyed at start."
AGAIN = "Run: comity sweep. It destroys them again."


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as the journal says: what, and how to mend it."""

    what: str
    advice: str


class ReferenceLedger:
    """The ledger's writer over ``MemoryLedger``: as little code as can be, to hold the real one against."""

    def __init__(self) -> None:
        self.memory = p.MemoryLedger()
        self.order, self.versions, self.rows = self.memory.order, self.memory.versions, self.memory.those
        self.ticked = self.memory.ticked
        self.taken: dict[tuple[str, str], Taken] = {}
        self._progress = Progress(0, 0, "", Frontier())

    def claim(self, topic_id: str) -> Progress:
        """Take the journal as it is."""
        self._progress = Progress(0, 1, topic_id, Frontier())
        return self._progress

    def ticks_before(self, position: int, count: int) -> tuple[p.Tick, ...]:
        """Return the newest ticks before a position."""
        return self.memory.ticks_before(position, count)

    def ticks_from(self, position: int, count: int) -> tuple[p.Tick, ...]:
        """Return the first ticks from a position on."""
        return self.memory.ticks_from(position, count)

    def signing_keys(self) -> tuple[p.Key, ...]:
        """Return no key: a replay from 0 learns them all."""
        return ()

    def seen(self, signer: str, event_id: str) -> Taken | None:
        """Return what was taken under this id."""
        return self.taken.get((signer, event_id))

    def apply(self, seen: Progress, after: Progress, posted: Sequence[Posted]) -> None:
        """Execute the changes in memory."""
        if seen != self._progress:
            raise Halted("the reference was moved by another")
        for entry in posted:
            self.memory.execute(entry.changes, entry.position)
            if entry.taken:
                taken = Taken(entry.value_sha256, entry.position, entry.kid, entry.refused is not None)
                self.taken.setdefault((entry.signer, entry.taken), taken)
        self._progress = after

    def progress(self) -> Progress:
        """Return how far the replay is."""
        return self._progress


@dataclass(frozen=True, slots=True)
class _Derived:
    """What gallery, vault and photograph store hold of some records, and what the ledger admitted: by record."""

    admitted: Mapping[RecordId, int]  # its newest version
    held: Mapping[RecordId, frozenset[int]]  # the versions in the gallery
    kept: AbstractSet[tuple[RecordId, int]]  # photographs, by record and version
    keyless: AbstractSet[RecordId]
    erased: AbstractSet[RecordId]

    def doubts(self) -> dict[tuple[str, str], AbstractSet[RecordId]]:
        """Return which records are not as they should be, by what it is and how to mend it."""
        living = self.admitted.keys() - self.erased - self.keyless
        other = {r for r in self.held.keys() & living if self.held[r] != {self.admitted[r]}}
        bare = {r for r in living if (r, self.admitted[r]) not in self.kept}
        return {
            ("records in the gallery that were never admitted", GALLERY): self.held.keys() - self.admitted.keys(),
            ("erased records in the gallery", GALLERY): self.held.keys() & self.erased,
            ("records in the gallery in another version than was admitted", GALLERY): other,
            ("admitted records missing from the gallery", GALLERY): living - self.held.keys(),
            ("erased records in the photograph store", AGAIN): {r for r, _ in self.kept} & self.erased,
            ("admitted records without photographs", PHOTOGRAPHS): bare,
            ("admitted records whose keys are missing from the vault", VAULT): self.keyless,
        }


class Fsck:
    """Compares everything that is derived with what it is derived from. The exchange may run on meanwhile."""

    def __init__(
        self,
        log: EventLog,
        ledger: LedgerView,
        store: TemplateStore,
        vault: KeyVault,
        photos: PhotoStore,
        passed: Callable[[float], bool] = lambda _seconds: True,
    ) -> None:
        """``passed(seconds)`` waits until every follower has read what was there when it was asked, and says whether."""
        self._log, self._ledger, self._store, self._vault, self._photos = log, ledger, store, vault, photos
        self._passed = passed

    def __call__(self, progress: Callable[[int, int], None] = lambda _done, _total: None) -> tuple[Finding, ...]:
        """Return what is not as the journal says; nothing is a good answer. ``progress(done, total)`` counts positions."""
        goal = self._ledger.progress()
        reference = self._replay(goal.next, progress)
        return (*self._compare(reference, goal), *self._derived(reference.memory), *self._probes())

    def _replay(self, goal: int, told: Callable[[int, int], None]) -> ReferenceLedger:
        reference = ReferenceLedger()
        replay(self._log, reference, goal, told)  # type: ignore[arg-type]
        return reference

    def _compare(self, reference: ReferenceLedger, goal: Progress) -> list[Finding]:
        done = reference.progress()
        if done.next < goal.next:
            return [Finding("the journal is shorter than the ledger", "Restore the journal; the ledger is ahead of it.")]
        if done.frontier != goal.frontier:
            return [Finding("the journal's Merkle head differs from the ledger's", "The journal was changed. Call for help.")]
        found = []
        for kind, rows in reference.memory.rows.items():
            held = {_as_of(row, goal.next) for row in self._ledger.every(kind) if row.entered < goal.next}
            expected = {_as_of(row, goal.next) for row in rows.values()}
            if extra := len(held - expected):
                found.append(Finding(f"{extra} rows of {kind.__name__} that the journal does not say", LEDGER))
            if missing := len(expected - held):
                found.append(Finding(f"{missing} rows of {kind.__name__} missing", LEDGER))
        return found

    def _derived(self, memory: p.MemoryLedger) -> list[Finding]:
        """Look twice: what is only behind is no finding, and by the second look it has come.

        What was in doubt at first is looked at again once every follower has read what was there then.
        """
        admitted = counted(memory.those(p.Record), memory.those(p.Revocation), END)
        first = self._look(_newest(admitted)).doubts()
        suspects = {record for records in first.values() for record in records}
        if not suspects:
            return []
        if not self._passed(SETTLE_SECONDS):
            return [Finding(f"{len(suspects)} records are still being worked at", "Run `comity fsck` again when they are done.")]
        now = _newest(self._ledger.admitted(suspects))
        second = self._look(now, suspects).doubts()
        return [
            Finding(f"{len(both)} {what}", advice)
            for (what, advice), records in first.items()
            if (both := records & second[what, advice])
        ]

    def _look(self, admitted: Mapping[RecordId, int], among: AbstractSet[RecordId] | None = None) -> _Derived:
        held: dict[RecordId, frozenset[int]] = {}
        for template in (template for batch in self._store.all() for template in batch):
            if among is None or template.record_id in among:
                held[template.record_id] = held.get(template.record_id, frozenset()) | {template.version}
        kept = set(self._kept())
        names = {record_key(record): record for record in admitted}
        keyless = {names[name] for name in self._vault.missing(names)}
        erased = {r for r in admitted if r not in keyless and self._vault.wrapped(record_key(r)) is None}
        return _Derived(admitted, held, kept, keyless, erased)

    def _probes(self) -> list[Finding]:
        lost = orphans(self._photos, self._ledger, lambda: self._passed(SETTLE_SECONDS))
        return [Finding(f"{len(lost)} probes that no search knows", DESTROYED)] if lost else []

    def _kept(self) -> Iterator[tuple[RecordId, int]]:
        for name in self._photos.names():
            kind, record, *rest = name.split("/")
            if kind == "record" and len(rest) == VERSION_AND_PHOTO and rest[1] == "0":
                yield RecordId(record), int(rest[0])


def _newest(rows: Iterable[p.Record]) -> dict[RecordId, int]:
    newest: dict[RecordId, int] = {}
    for row in rows:
        newest[row.record_id] = max(row.version, newest.get(row.record_id, 0))
    return newest


def _as_of(row: p.Row, goal: int) -> tuple[object, ...]:
    """Return a row as it stood before ``goal``, to compare by: the ledger may be further by now."""
    if row.ended >= goal:
        row = p.ended(row, END)
    return (type(row).__name__, *(getattr(row, name) for kind in type(row).__mro__ for name in getattr(kind, "__slots__", ())))
