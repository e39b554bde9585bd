"""Faces, templates, and who is near a probe."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from comity.domain.ids import Ori, RecordId

Vector = NDArray[np.float32]  # (128,), L2-normalised


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
    version: int = 1  # of the enrolment that it was made from


@dataclass(frozen=True, slots=True, order=True)
class Edition:
    """Which templates of a record: those of the highest version, and of these the ones extracted last."""

    version: int
    template_id: int


@dataclass(frozen=True, slots=True)
class Marks:
    """How far a store has read, kept with it: an older copy of the store goes on from where that copy was.

    ``source``: which log it was read from. ``generation`` grows whenever the store is made anew.
    """

    generation: int
    source: str
    next: Mapping[str, int]


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
        """Drop everything, the marks first, before a rebuild."""
        ...

    def marks(self) -> Marks | None:
        """Return how far this store has read; None where it does not say so."""
        ...

    def mark(self, marks: Marks) -> None:
        """Remember how far this store has read, durably, after what was read was put."""
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
    version: int = 1


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

    def held(self, records: Collection[RecordId]) -> Sequence[Vector]:
        """Return copies of these records' templates, in time that depends on them alone."""
        ...

    def edition(self, record: RecordId) -> Edition | None:
        """Return the newest version held of a record and the highest id of its templates, or None."""
        ...

    def keep(self, templates: NDArray[np.int64]) -> int:
        """Drop every template whose id is not among these (sorted); return how many went."""
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
