"""What waits to be certified: which records of which order, and what is looked for, encrypted until it was not found.

A job is one file, encrypted under a key of its own in the vault. It holds short pieces of what was destroyed, never the whole:
of a wrapped key less than half, so that whoever opens the job cannot undo the shredding. Once the last certificate stands the
key is shredded, then the file goes. A crash between leaves a file that nobody can open, which the next opening deletes.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from comity.domain.ids import OrderId, OrderName, Ori, PartyId, RecordId
from comity.duties.scan import pieces
from comity.errors import KeyShredded, NotFound
from comity.ports import KeyVault, PhotoStore
from comity.wire import sealing

FOLDER = "erasure"
KEY_NAME_BYTES = 16
WRAPPED_BYTES_SHOWN = 24  # of 60: the nonce and 12 of the key's 32 bytes; the other 20 cannot be guessed

TEMPLATE = "template"
CIPHERTEXT = "ciphertext"
WRAPPED_KEY = "wrapped key"

Needles = Mapping[RecordId, Mapping[str, frozenset[bytes]]]  # by record and kind


@dataclass(frozen=True, slots=True)
class Job:
    """One part of an order, which stands at ``ordered``: at most 1,000 records.

    The name is the same whenever the journal is carried out again; the part is the certificate's.
    """

    name: str
    order: OrderName
    ordered: int
    part: int
    records: tuple[RecordId, ...]
    owners: tuple[Ori, ...]
    keys: int = 0
    templates: int = 0
    needles: Needles = field(default_factory=dict, repr=False)
    shared: int = 0  # pieces that are looked for no more: other records hold them as well

    def without(self, pieces: frozenset[bytes]) -> Job:
        """Return the job without these pieces of templates."""
        mine = self.by_kind.get(TEMPLATE, frozenset()) & pieces
        if not mine:
            return self
        needles = {
            record: {kind: wanted - mine if kind == TEMPLATE else wanted for kind, wanted in kinds.items()}
            for record, kinds in self.needles.items()
        }
        return replace(self, needles=needles, shared=self.shared + len(mine))

    def adding(self, needles: Needles, keys: int = 0, templates: int = 0) -> Job:
        """Return the job with more to look for; of other jobs' records, nothing."""
        together = {record: dict(kinds) for record, kinds in self.needles.items()}
        for record in self.records:
            for kind, wanted in needles.get(record, {}).items():
                mine = together.setdefault(record, {})
                mine[kind] = mine.get(kind, frozenset()) | wanted
        return replace(self, needles=together, keys=max(self.keys, keys), templates=max(self.templates, templates))

    @property
    def by_kind(self) -> dict[str, frozenset[bytes]]:
        """Return what is looked for, by kind."""
        kinds: dict[str, set[bytes]] = {}
        for wanted in self.needles.values():
            for kind, found in wanted.items():
                kinds.setdefault(kind, set()).update(found)
        return {kind: frozenset(found) for kind, found in sorted(kinds.items()) if found}


def pieces_of(kind: str, found: Iterable[bytes]) -> frozenset[bytes]:
    """Return the pieces by which these are looked for."""
    shown = WRAPPED_BYTES_SHOWN if kind == WRAPPED_KEY else None
    return frozenset(piece for data in found for piece in pieces(data[:shown]))


class Jobs:
    """The jobs, in a store of their own. Thread-safe; holds the needles of none in memory."""

    def __init__(self, store: PhotoStore, vault: KeyVault) -> None:
        self._store, self._vault = store, vault
        self._lock = threading.Lock()
        self._held: dict[str, Job] = {}  # without needles
        self._keys: dict[str, str] = {}  # the names of their keys in the vault: never the same again, for it is shredded
        self._of_record: dict[RecordId, set[str]] = {}
        self._parts: dict[OrderName, int] = {}
        for name in sorted(self._store.names()):
            self._remember(name.removeprefix(f"{FOLDER}/"))

    def _remember(self, name: str) -> None:
        found = self._opened(name)
        if found is None:
            self._store.delete(f"{FOLDER}/{name}")  # its key was shredded, or is lost with an older vault: nobody can open it
        else:
            self._hold(*found)

    def _hold(self, job: Job, key: str) -> None:
        with self._lock:
            self._keys[job.name] = key
            self._parts[job.order] = max(self._parts.get(job.order, -1), job.part)
            self._held[job.name] = replace(job, needles={})
            for record in job.records:
                self._of_record.setdefault(record, set()).add(job.name)

    def all(self) -> tuple[Job, ...]:
        """Return every job, without its needles, by the order's place."""
        with self._lock:
            return tuple(sorted(self._held.values(), key=lambda job: (job.ordered, job.part)))

    def has(self, name: str) -> bool:
        """Say whether this job is kept."""
        with self._lock:
            return name in self._held

    def newest_part(self, order: OrderName) -> int:
        """Return the highest part that was given to a job of this order since the start; -1 where there is none."""
        with self._lock:
            return self._parts.get(order, -1)

    def keep(self, job: Job) -> None:
        """Keep a job durably; the same again replaces it."""
        key = self._keys.get(job.name) or f"{FOLDER}/{secrets.token_hex(KEY_NAME_BYTES)}"
        sealed = sealing.seal(self._vault.issue(key), _written(job), context=_context(job.name))
        self._store.put(f"{FOLDER}/{job.name}", key.encode() + b"\n" + sealed)
        self._hold(job, key)

    def load(self, name: str) -> Job | None:
        """Return a job with its needles; None where it is gone, or cannot be opened any more."""
        found = self._opened(name)
        return None if found is None else found[0]

    def _opened(self, name: str) -> tuple[Job, str] | None:
        held = self._store.get(f"{FOLDER}/{name}")
        if held is None:
            return None
        key, _, sealed = held.partition(b"\n")
        try:
            opened = sealing.unseal(self._vault.open(key.decode()), sealed, context=_context(name))
        except (KeyShredded, NotFound, ValueError):
            return None
        return _read(opened), key.decode()

    def beside(self, records: Iterable[RecordId]) -> Needles:
        """Return what other jobs look for of these records: a second order finds nothing itself, once a first has shredded."""
        with self._lock:
            names = {name for record in records for name in self._of_record.get(record, ())}
        together: dict[RecordId, dict[str, frozenset[bytes]]] = {}
        for name in names:
            job = self.load(name)
            for record, kinds in job.needles.items() if job else ():
                mine = together.setdefault(record, {})
                for kind, wanted in kinds.items():
                    mine[kind] = mine.get(kind, frozenset()) | wanted
        return together

    def drop(self, name: str) -> None:
        """Forget a job: what was looked for goes with its key."""
        with self._lock:
            key = self._keys.pop(name, None)
        if key is not None:
            self._vault.shred([key])
        self._store.delete(f"{FOLDER}/{name}")
        with self._lock:
            job = self._held.pop(name, None)
            for record in job.records if job else ():
                self._of_record.get(record, set()).discard(name)
                if not self._of_record.get(record):
                    self._of_record.pop(record, None)


def _context(name: str) -> bytes:
    return f"{FOLDER}/{name}".encode()


def _written(job: Job) -> bytes:
    said = {
        "order": [job.order.party, job.order.order_id],
        "at": [job.name, job.ordered, job.part],
        "records": job.records,
        "owners": job.owners,
        "gone": [job.keys, job.templates],
        "needles": {record: _hex(kinds) for record, kinds in job.needles.items()},
    }
    return json.dumps(said).encode()


def _read(octets: bytes) -> Job:
    said = json.loads(octets)
    party, order_id = said["order"]
    name, ordered, part = said["at"]
    keys, templates = said["gone"]
    return Job(
        name=name,
        order=OrderName(PartyId(party), OrderId(order_id)),
        ordered=ordered,
        part=part,
        records=tuple(map(RecordId, said["records"])),
        owners=tuple(map(Ori, said["owners"])),
        keys=keys,
        templates=templates,
        needles={RecordId(record): _bytes(kinds) for record, kinds in said["needles"].items()},
    )


def _hex(kinds: Mapping[str, frozenset[bytes]]) -> dict[str, list[str]]:
    return {kind: sorted(piece.hex() for piece in wanted) for kind, wanted in kinds.items()}


def _bytes(kinds: Mapping[str, list[str]]) -> dict[str, frozenset[bytes]]:
    return {kind: frozenset(map(bytes.fromhex, wanted)) for kind, wanted in kinds.items()}
