"""What the acts and duties need of the world; each port has one contract suite that all its adapters pass."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from comity.domain.authority import Refusal
from comity.domain.ids import Ori, PartyId, RecordId, UserId
from comity.domain.judge import Facts
from comity.domain.log import Batch, Entry, Placed, Stream, Topic
from comity.domain.merkle import Frontier
from comity.domain.posting import Change, Key, Row
from comity.wire.signing import SigningKey

RowT = TypeVar("RowT", bound=Row)
Vector = NDArray[np.float32]  # (128,), L2-normalised


class Reader(Protocol):
    """Follows streams from given positions. Owned by one thread."""

    def poll(self, *, timeout_seconds: float, entries_max: int) -> Mapping[Stream, Batch]:
        """Return what came, per stream, waiting up to ``timeout_seconds`` for the first entry.

        ``Batch.next`` moves past holes (compaction, control records) even where no entry came.
        Streams without news may be absent.
        """
        ...


class EventLog(Protocol):
    """The log that everything is entered in: ``sqlite_log`` embedded, ``kafka_log`` in production."""

    def streams(self, topic: Topic) -> tuple[Stream, ...]:
        """Return the topic's streams, in order of their partitions."""
        ...

    def append(self, topic: Topic, entry: Entry, *, timeout_seconds: float) -> Placed:
        """Append durably and return the entry at its place; entries of one key keep one stream.

        Raises NotAppended where the log surely did not take it, OutcomeUnknown where it may have.
        """
        ...

    def open(self, starts: Mapping[Stream, int]) -> AbstractContextManager[Reader]:
        """Open a reader at these positions (the next position to read of each stream)."""
        ...

    def end(self, stream: Stream) -> int:
        """Return the stream's next position: for readiness and lag only, never for safety."""
        ...

    def settle(self, topic: Topic, key: bytes, *, timeout_seconds: float) -> bool:
        """Push compaction along after a tombstone; True once the key's old values are gone as far as the engine can tell."""
        ...

    def identity(self, topic: Topic) -> str:
        """Return the topic's id: another one means that the topic was made anew (rule 11)."""
        ...

    def close(self) -> None:
        """Release connections and files; idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class Block:
    """The unit of sharing in the gallery: one agency's records of one class. A grant picks blocks."""

    owner: Ori
    record_class: str


@dataclass(frozen=True, slots=True, repr=False)
class StoredTemplate:
    """One photograph's template with the facts that place it. ``template_id`` is unique for ever, see gallery_id."""

    template_id: int
    record_id: RecordId
    block: Block
    photo: int  # 0-based number of the photograph in its record
    vector: Vector


class TemplateStore(Protocol):
    """The Milvus collection: durable, written by the gallery projector alone."""

    def put(self, templates: Sequence[StoredTemplate]) -> None:
        """Store templates, durably before returning; the same ids again change nothing."""
        ...

    def forget(self, records: Collection[RecordId]) -> int:
        """Erase these records' templates from the store's files (not only from its answers); return how many rows went."""
        ...

    def all(self) -> Iterator[Sequence[StoredTemplate]]:
        """Yield every stored template in batches, for the resident scan and for fsck."""
        ...

    def nearest(self, probe: Vector, count: int) -> Sequence[tuple[RecordId, float]]:
        """Return what the raw engine proposes over all blocks, best first: for comparison and fsck, never for an answer."""
        ...

    def clear(self) -> None:
        """Drop everything, before a rebuild."""
        ...

    def close(self) -> None:
        """Release the engine and its lock; idempotent."""
        ...


@dataclass(frozen=True, slots=True, repr=False)
class Hit:
    """One near template, with its vector so that one function can score it again."""

    record_id: RecordId
    photo: int
    vector: Vector


@dataclass(frozen=True, slots=True)
class Near:
    """Near templates, and whether there is nothing further in these blocks."""

    hits: tuple[Hit, ...]
    exhausted: bool


class Candidates(Protocol):
    """Who is near a probe: the resident scan. Thread-safe."""

    def put(self, templates: Sequence[StoredTemplate]) -> None:
        """Hold templates; the same ids again change nothing."""
        ...

    def forget(self, records: Collection[RecordId]) -> int:
        """Drop these records' templates, their bytes overwritten before returning; return how many."""
        ...

    def nearest(self, probe: Vector, blocks: Collection[Block], count: int) -> Near:
        """Return at least the ``count`` nearest templates of these blocks and all within the tie margin of the last one.

        The margin (1.1e-4) covers float32 noise and the rounding to 4 decimals, so no record that could tie at the cut is missed.
        """
        ...

    def clear(self) -> None:
        """Forget everything, bytes overwritten."""
        ...

    def __len__(self) -> int:
        """Return the number of templates held."""
        ...


@dataclass(frozen=True, slots=True)
class Face:
    """A face found in a picture: box (x, y, width, height in pixels of the upright picture) and detector score (0-1)."""

    box: tuple[float, float, float, float]
    score: float
    eye_distance: float  # pixels


@dataclass(frozen=True, slots=True)
class Extracted:
    """A template with its quality (0-100, from the raw norm) and the model that made it."""

    vector: Vector = field(repr=False)
    quality: float
    norm: float
    model: str


class Picture(Protocol):
    """A decoded photograph and the faces in it, largest first."""

    @property
    def faces(self) -> tuple[Face, ...]:
        """Return the faces found, largest first."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """Return width and height in pixels, upright."""
        ...

    def extract(self, face: int = 0) -> Extracted:
        """Extract the template of one of the faces (index into ``faces``)."""
        ...


class FaceEncoder(Protocol):
    """Finds faces and extracts templates. Thread-safe."""

    @property
    def model(self) -> str:
        """Return the model's name and version: templates of different models never meet."""
        ...

    def open(self, photograph: bytes) -> Picture:
        """Decode a photograph from a stranger and find its faces.

        Raises PhotographRefused with a reason code: not-an-image, format, too-large, too-many-pixels, truncated, animated, …
        """
        ...


class KeyVault(Protocol):
    """A key per name, wrapped by the master key; one owning process. A shredded name is never issued again."""

    def issue(self, name: str) -> bytes:
        """Return the 32-byte key of this name, made now if it is new. Raises KeyShredded."""
        ...

    def open(self, name: str) -> bytes:
        """Return the key of this name. Raises KeyShredded or NotFound."""
        ...

    def wrapped(self, name: str) -> bytes | None:
        """Return the wrapped key as it stands in the vault's file, for byte scans; None where there is none."""
        ...

    def shred(self, names: Collection[str]) -> int:
        """Overwrite and delete these keys so that the file no longer holds them; return how many went. Idempotent."""
        ...

    def close(self) -> None:
        """Close the file; idempotent."""
        ...


class PhotoStore(Protocol):
    """Ciphertexts by name (photographs, particulars, court documents)."""

    def put(self, name: str, ciphertext: bytes) -> None:
        """Store durably and atomically; the same name again replaces."""
        ...

    def get(self, name: str) -> bytes | None:
        """Return the ciphertext, or None."""
        ...

    def delete(self, prefix: str) -> int:
        """Delete all names under a prefix; return how many."""
        ...

    def names(self) -> Iterator[str]:
        """Yield every name, for fsck."""
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the ledger is (``next``: the position to apply next), of which journal, under which writer's epoch."""

    next: int
    epoch: int
    topic_id: str
    frontier: Frontier


@dataclass(frozen=True, slots=True)
class Posted:
    """What one journal entry comes to: changes, or a refusal; ``seen`` remembers an order for ever (rule 10)."""

    position: int
    signer: str
    changes: tuple[Change, ...] = ()
    refused: Refusal | None = None
    event_id: str | None = None
    value_sha256: bytes = b""


class LedgerView(Protocol):
    """What the acts read of the ledger. Thread-safe."""

    def facts(self, requester: str, records: Collection[RecordId], as_of: int) -> Facts:
        """Return, from one snapshot, every row that bears on judging these records for this requester from ``as_of`` on."""
        ...

    def prospect(self, targets: Collection[str]) -> Facts:
        """Return the rows that bear on a record not admitted yet, which would have these targets."""
        ...

    def found(self, targets: Collection[str]) -> tuple[RecordId, ...]:
        """Return the records that bear one of these targets (a record's own, or a blind index)."""
        ...

    def rows(self, kind: type[RowT], /, **where: str) -> tuple[RowT, ...]:
        """Return all rows of one kind with these values, oldest first: for kinds of which there are few."""
        ...

    def every(self, kind: type[RowT], /, **where: str) -> Iterator[RowT]:
        """Yield the rows of one kind with these values, oldest first, in parts."""
        ...

    def signing_keys(self) -> tuple[Key, ...]:
        """Return every signing key, past ones too."""
        ...

    def seen(self, signer: str, event_id: str) -> tuple[bytes, int] | None:
        """Return the digest and position of an order already taken."""
        ...

    def refusals(self, signer: str | None = None) -> tuple[Posted, ...]:
        """Return the newest entries that had no effect (up to 1,000), of one signer or of all."""
        ...

    def refusals_between(self, first: int, next_: int) -> tuple[Posted, ...]:
        """Return the entries without effect at these positions (``next_`` excluded)."""
        ...

    def progress(self) -> Progress:
        """Return how far the ledger is."""
        ...


class Ledger(LedgerView, Protocol):
    """The ledger's writer, held by its projector alone."""

    def claim(self, topic_id: str) -> Progress:
        """Take a new epoch, so that an older writer's next transaction rolls back. Raises Halted if the journal is another."""
        ...

    def apply(self, seen: Progress, after: Progress, posted: Sequence[Posted]) -> None:
        """Execute changes and move the position, in one transaction. Raises Halted unless the position is still ``seen``."""
        ...

    def reset(self) -> None:
        """Forget every row, before a rebuild from position 0."""
        ...


class Positions(Protocol):
    """How far each duty and projection is; a lost position is replayed, which changes nothing."""

    def load(self, name: str) -> Mapping[str, int]:
        """Return the next position of each stream that this follower has read, by the stream's name."""
        ...

    def save(self, name: str, stream: str, position: int) -> None:
        """Remember the next position to read."""
        ...

    def clear(self, name: str) -> None:
        """Start this follower from nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Rejection:
    """An enrolment that the encoder could not use, for its agency to read and act on (R6)."""

    record_id: RecordId
    owner: Ori
    version: int
    photo: int | None
    reason: str
    advice: str


class Rejections(Protocol):
    """What the encoder rejected, for the agencies."""

    def add(self, rejection: Rejection) -> None:
        """Remember a rejection; the same record and version again replaces it."""
        ...

    def of(self, owner: Ori, record: RecordId | None = None) -> tuple[Rejection, ...]:
        """Return an agency's newest rejections (up to 1,000), or one record's."""
        ...


class Watch(Protocol):
    """Lets a release wait until the ledger has applied everything before a position."""

    def wait(self, position: int, timeout_seconds: float) -> bool:
        """Return True once ``applied >= position``; False at the deadline. Raises Halted if the projector has stopped."""
        ...

    @property
    def position(self) -> int:
        """Return the next position to apply."""
        ...


class Keyring(Protocol):
    """Signing keys that the exchange holds for parties who press buttons at the desk; their own systems hold their own."""

    def signer(self, party: str) -> SigningKey:
        """Return this party's signing key. Raises NotFound where the exchange does not hold it."""
        ...


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody signed in: a pseudonym for the log, the party they act for, and their roles."""

    user_id: UserId
    name: str = field(repr=False)
    party: PartyId
    roles: frozenset[str]


class Identity(Protocol):
    """Who may sign in, and who is: embedded, a small file of demo users; in production an OIDC provider."""

    def add(self, name: str, party: str, roles: Collection[str]) -> Person:
        """Add a person who acts for a party; the pseudonym is new and random. Raises Conflict for a name known there."""
        ...

    def people(self) -> tuple[Person, ...]:
        """Return everybody who may sign in."""
        ...

    def link(self, user_id: UserId) -> str:
        """Return a new token that signs this person in once, within a few minutes."""
        ...

    def sign_in(self, token: str) -> str:
        """Exchange a one-time token for a session's token. Raises NotSignedIn."""
        ...

    def person(self, session: str) -> Person:
        """Return who holds this session. Raises NotSignedIn."""
        ...

    def sign_out(self, session: str) -> None:
        """End a session; idempotent."""
        ...
