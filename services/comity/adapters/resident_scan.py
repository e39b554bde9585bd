"""Who is near a probe: every template in RAM, in blocks per agency and class, scored exhaustively.

**Layout.** A block is a *shelf* of chunks; a chunk is one contiguous float32 matrix of at most 16,384 rows, so growth copies
nothing. A grant picks blocks, so what a requester may not search is not even read. Rows are always dense in their chunk: a
forgotten row is overwritten by the chunk's last one, whose old place is zeroed. Rows never move *between* chunks, else a search
that has passed the one and not yet reached the other would miss a living template.

**Readers and writers.** Writers take turns by one lock. Readers take none: each chunk carries a version, odd while a writer is
inside. A reader scores a chunk, copies the few rows it picked, and keeps them only if the version is even and unchanged; else
it scores that chunk again, at last under the writers' lock. So a scan of a million rows never delays an order, nobody reads
half a row, and a search that begins after ``forget`` returned cannot find what it forgot.

**Scoring** is one dot product a row (``numpy.vecdot``), not a matrix product: it is no slower on one thread, needs no BLAS
threads (which spin, and get in each other's way when two people search), and gives a row the same float32 score whatever stands
beside it, where a matrix product does not.

**Exactness.** A threshold rises while the scan goes on: the ``count``-th best so far less ``TIE_MARGIN``. A row below it can be
neither among the best nor tie with the last of them, whatever comes later, so dropping it loses nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from comity.domain.ids import RecordId, record_id
from comity.ports import Block, Edition, Hit, Near, StoredTemplate, Vector

TIE_MARGIN = 1.1e-4  # final scores are rounded to 4 decimals (1e-4); the rest covers float32 noise (about 1e-6)
NORM_TOLERANCE = 1e-3
CHUNK_ROWS = 16_384  # 8 MB of templates: large enough to scan at full speed, small enough to score again
FIRST_CHUNK_ROWS = 512  # small agencies take 256 KB; chunks double from there
BUCKETS = 2**21  # of the record index, 8 MB: one row a bucket at 2 million templates, seven at 15 million
ATTEMPTS = 4  # to read a chunk without the lock


def _key(record: RecordId) -> list[int]:
    number = int(record_id(record), 16)
    return [number >> 64, number & 0xFFFF_FFFF_FFFF_FFFF]


def _record(key: list[int]) -> RecordId:
    high, low = key
    return RecordId(f"{high:016x}{low:016x}")


class _Chunk:
    """Rows of one block: parallel arrays, the first ``rows`` of each in use, all others zero."""

    __slots__ = ("editions", "links", "number", "photos", "records", "rows", "shelf", "templates", "vectors", "version")

    def __init__(self, number: int, capacity: int, dimension: int, shelf: _Shelf) -> None:
        self.number = number
        self.shelf = shelf
        self.version = 0  # odd while a writer is inside
        self.rows = 0
        self.vectors = np.zeros((capacity, dimension), np.float32)
        self.templates = np.zeros(capacity, np.int64)
        self.records = np.zeros((capacity, 2), np.uint64)
        self.photos = np.zeros(capacity, np.uint16)
        self.editions = np.zeros(capacity, np.uint32)  # the enrolment's version
        self.links = np.zeros(capacity, np.int32)  # the next row of the same bucket

    @property
    def full(self) -> bool:
        return self.rows == len(self.templates)

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        return (self.vectors, self.templates, self.records, self.photos, self.editions, self.links)

    def append(self, template: StoredTemplate, key: list[int], link: int) -> int:
        """Write a row beyond the end, then let readers see it; return its offset."""
        row = self.rows
        self.vectors[row] = template.vector
        self.templates[row] = template.template_id
        self.records[row] = key
        self.photos[row] = template.photo
        self.editions[row] = template.version
        self.links[row] = link
        self.rows = row + 1
        return row

    def erase(self, row: int) -> None:
        """Overwrite a row by the last one, and the last one by zeros. Readers who are inside will read again."""
        last = self.rows - 1
        self.version += 1
        for array in self.arrays:
            array[row] = array[last]
            array[last] = 0
        self.rows = last
        self.version += 1

    def wipe(self) -> None:
        """Overwrite everything by zeros."""
        self.version += 1
        for array in self.arrays:
            array[: self.rows] = 0
        self.rows = 0
        self.version += 1


class _Shelf:
    """The chunks of one block; the tuple is replaced, never changed, so that readers may walk it."""

    __slots__ = ("chunks", "roomy")

    def __init__(self) -> None:
        self.chunks: tuple[_Chunk, ...] = ()
        self.roomy: dict[int, _Chunk] = {}  # those with room, by number


@dataclass(frozen=True, slots=True, repr=False)
class _Picked:
    """Copies of the rows that may be among the nearest: n rows of each array."""

    scores: NDArray[np.float32]
    templates: NDArray[np.int64]
    records: NDArray[np.uint64]
    photos: NDArray[np.uint16]
    editions: NDArray[np.uint32]
    vectors: NDArray[np.float32]

    @classmethod
    def of(cls, scores: NDArray[np.float32], rows: _Chunk | _Picked, which: NDArray[np.intp] | NDArray[np.bool_]) -> _Picked:
        photos, editions = rows.photos[which], rows.editions[which]
        return cls(scores[which], rows.templates[which], rows.records[which], photos, editions, rows.vectors[which])

    def rows(self, which: NDArray[np.intp] | NDArray[np.bool_]) -> _Picked:
        return self.of(self.scores, self, which)


class _Search:
    """One search under way: the probe, the threshold so far, and the rows picked so far."""

    __slots__ = ("_buffer", "_count", "_floor", "_held", "_parts", "_probe", "_trim_at", "seen")

    def __init__(self, probe: Vector, count: int) -> None:
        self._probe = probe
        self._count = count
        self._floor = -np.inf
        self._buffer = np.empty(CHUNK_ROWS, np.float32)
        self._parts: list[_Picked] = []
        self._held = 0
        self._trim_at = count
        self.seen = 0

    def pick(self, chunk: _Chunk) -> tuple[int, _Picked | None]:
        """Score a chunk and copy the rows above the threshold; return how many rows were scored, too."""
        rows = chunk.rows
        if not rows:
            return 0, None
        scores = np.vecdot(chunk.vectors[:rows], self._probe, out=self._buffer[:rows])
        if scores.max() < self._floor:
            return rows, None
        which = np.flatnonzero(scores >= self._floor)
        if len(which) > self._count:
            best = scores[which]
            which = which[best >= self._cut(best)]
        return rows, _Picked.of(scores, chunk, which)

    def add(self, rows: int, picked: _Picked | None) -> None:
        """Keep what a chunk gave, and raise the threshold now and then."""
        self.seen += rows
        if picked is None:
            return
        self._parts.append(picked)
        self._held += len(picked.scores)
        if self._held > self._trim_at:
            best = self._joined()
            self._floor = self._cut(best.scores)
            self._parts = [best.rows(best.scores >= self._floor)]
            self._held = len(self._parts[0].scores)
            self._trim_at = self._held + max(16, self._held // 4)

    def near(self) -> Near:
        """Return what stands above the final threshold, best first."""
        if not self._parts:
            return Near((), exhausted=True)
        best = self._joined()
        if self._held > self._count:
            best = best.rows(best.scores >= self._cut(best.scores))
        best = best.rows(np.lexsort((best.templates, -best.scores)))
        columns = zip(best.records.tolist(), best.photos.tolist(), best.editions.tolist(), best.vectors, strict=True)
        hits = tuple(Hit(_record(key), photo, vector, version) for key, photo, version, vector in columns)
        return Near(hits, exhausted=len(hits) == self.seen)

    def _cut(self, scores: NDArray[np.float32]) -> float:
        return float(np.partition(scores, -self._count)[-self._count]) - TIE_MARGIN

    def _joined(self) -> _Picked:
        return _Picked(*(np.concatenate([getattr(part, f.name) for part in self._parts]) for f in fields(_Picked)))


class ResidentScan:
    """Exact candidates from RAM: about 550 bytes a template of 128 dimensions. Thread-safe; implements ``Candidates``."""

    def __init__(self, *, dimension: int = 128) -> None:
        self._dimension = dimension
        self._writing = threading.Lock()
        self._shelves: dict[Block, _Shelf] = {}
        self._chunks: dict[int, _Chunk] = {}
        self._spare: list[int] = []  # numbers of chunks that were retired
        self._heads = np.zeros(BUCKETS, np.int32)  # the first row of each bucket of the record index; 0 is none
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def put(self, templates: Sequence[StoredTemplate]) -> None:
        """Hold templates; the same ids again change nothing.

        Vectors are (dimension,) float32 of length 1; all are checked before the first is held. Raises ValueError.
        """
        if not templates:
            return
        self._checked(np.stack([template.vector for template in templates]), rows=len(templates))
        if not all(0 <= t.photo < 2**16 and 0 <= t.template_id < 2**63 and 0 < t.version < 2**32 for t in templates):
            raise ValueError("a photograph's number, a version or a template id is out of range")
        for template, key in zip(templates, [_key(template.record_id) for template in templates], strict=True):
            with self._writing:  # for one row at a time, so that an order never waits for a batch
                self._hold(template, key)

    def forget(self, records: Collection[RecordId]) -> int:
        """Drop these records' templates and return how many there were.

        The bytes are overwritten before this returns; a search that begins afterwards cannot find them. Takes time in the rows
        of these records only. Raises ValueError for a malformed record id.
        """
        gone = 0
        for key in [_key(record) for record in records]:
            with self._writing:
                while handle := self._first(key):
                    self._erase(handle)
                    gone += 1
        return gone

    def held(self, records: Collection[RecordId]) -> list[Vector]:
        """Return copies of these records' templates, for a byte scan; takes time in their rows only."""
        found = []
        for key in [_key(record) for record in records]:
            with self._writing:  # a chain must not change while it is walked
                found += [chunk.vectors[row].copy() for chunk, row in self._rows_of(key)]
        return found

    def edition(self, record: RecordId) -> Edition | None:
        """Return the newest version held of a record and the highest id of its templates; takes time in its rows only."""
        key, newest = _key(record), None
        with self._writing:
            for chunk, row in self._rows_of(key):
                held = Edition(int(chunk.editions[row]), int(chunk.templates[row]))
                newest = held if newest is None else max(newest, held)
        return newest

    def keep(self, templates: NDArray[np.int64]) -> int:
        """Drop every template whose id is not among these (sorted); return how many went. For a rebuild's end."""
        with self._writing:
            others = [
                (chunk.records[row].tolist(), int(chunk.templates[row]))
                for chunk in self._chunks.values()
                for row in np.flatnonzero(~np.isin(chunk.templates[: chunk.rows], templates)).tolist()
            ]
        for key, template in others:
            with self._writing:
                if handle := self._first(key, template):
                    self._erase(handle)
        return len(others)

    def nearest(self, probe: Vector, blocks: Collection[Block], count: int) -> Near:
        """Return at least the ``count`` nearest templates of these blocks, best first, and all within the tie margin of the last.

        The probe is (dimension,) float32 of length 1. Other blocks are not read. Raises ValueError.
        """
        if count < 1:
            raise ValueError("count must be at least 1")
        search = _Search(self._checked(probe)[0], count)
        for block in dict.fromkeys(blocks):
            shelf = self._shelves.get(block)
            for chunk in shelf.chunks if shelf else ():
                self._scan(chunk, search)
        return search.near()

    def clear(self) -> None:
        """Forget everything, bytes overwritten."""
        with self._writing:
            chunks = list(self._chunks.values())
            self._shelves = {}
            self._chunks = {}
            self._spare = []
            self._heads[:] = 0
            self._count = 0
            for chunk in chunks:  # readers may still hold them
                chunk.wipe()

    def _checked(self, vectors: NDArray[np.float32], *, rows: int = 1) -> NDArray[np.float32]:
        """Return these vectors as (rows, dimension) float32; raises ValueError unless they are finite and of length 1."""
        given = np.asarray(vectors, np.float32)
        if given.shape[-1:] != (self._dimension,) or given.size != rows * self._dimension:
            raise ValueError(f"a template has {self._dimension} dimensions")
        given = given.reshape(rows, self._dimension)
        squares = np.einsum("ij,ij->i", given, given, dtype=np.float64)
        if not np.all(np.abs(np.sqrt(squares) - 1.0) <= NORM_TOLERANCE):  # also false for NaN and infinity
            raise ValueError("a template must be finite and L2-normalised")
        return given

    def _scan(self, chunk: _Chunk, search: _Search) -> None:
        for _ in range(ATTEMPTS):
            version = chunk.version
            rows, picked = search.pick(chunk)
            if not version & 1 and chunk.version == version:
                search.add(rows, picked)
                return
        with self._writing:  # a chunk that changes all the time: hold the writers, once
            search.add(*search.pick(chunk))

    # The record index: buckets of rows, linked through the chunks' own arrays. A row's handle is its chunk's number times
    # CHUNK_ROWS plus its offset plus 1, so that zero means none. 4 bytes a row and 8 MB; a dict takes 150 bytes a record.

    def _at(self, handle: int) -> tuple[_Chunk, int]:
        number, row = divmod(handle - 1, CHUNK_ROWS)
        return self._chunks[number], row

    def _rows_of(self, key: list[int]) -> Iterator[tuple[_Chunk, int]]:
        """Yield where this record's rows are."""
        handle = int(self._heads[key[1] % BUCKETS])
        while handle:
            chunk, row = self._at(handle)
            handle = int(chunk.links[row])
            if chunk.records[row].tolist() == key:
                yield chunk, row

    def _first(self, key: list[int], template_id: int | None = None) -> int:
        """Return the handle of a row of this record (and this template), or 0."""
        handle = int(self._heads[key[1] % BUCKETS])
        while handle:
            chunk, row = self._at(handle)
            if chunk.records[row].tolist() == key and template_id in (None, int(chunk.templates[row])):
                return handle
            handle = int(chunk.links[row])
        return 0

    def _link_to(self, handle: int) -> tuple[NDArray[np.int32], int]:
        """Return where this handle is written: an array and the place in it."""
        chunk, row = self._at(handle)
        links, place = self._heads, int(chunk.records[row, 1]) % BUCKETS
        while (found := int(links[place])) != handle:
            chunk, place = self._at(found)
            links = chunk.links
        return links, place

    def _hold(self, template: StoredTemplate, key: list[int]) -> None:
        if self._first(key, template.template_id):
            return
        chunk = self._room(template.block)
        bucket = key[1] % BUCKETS
        row = chunk.append(template, key, int(self._heads[bucket]))
        self._heads[bucket] = chunk.number * CHUNK_ROWS + row + 1
        if chunk.full:
            del chunk.shelf.roomy[chunk.number]
        self._count += 1

    def _erase(self, handle: int) -> None:
        chunk, row = self._at(handle)
        links, place = self._link_to(handle)
        links[place] = chunk.links[row]
        if row != chunk.rows - 1:  # the last row moves here
            links, place = self._link_to(handle - row + chunk.rows - 1)
            links[place] = handle
        chunk.erase(row)
        chunk.shelf.roomy[chunk.number] = chunk
        self._count -= 1
        if not chunk.rows:
            self._retire(chunk)

    def _room(self, block: Block) -> _Chunk:
        """Return a chunk of this block that has room."""
        shelf = self._shelves.get(block)
        if shelf is None:
            shelf = self._shelves[block] = _Shelf()
        if not shelf.roomy:
            capacity = min(CHUNK_ROWS, FIRST_CHUNK_ROWS << len(shelf.chunks))
            number = self._spare.pop() if self._spare else len(self._chunks)
            chunk = _Chunk(number, capacity, self._dimension, shelf)
            self._chunks[number] = shelf.roomy[number] = chunk
            shelf.chunks = (*shelf.chunks, chunk)
        return next(iter(shelf.roomy.values()))

    def _retire(self, chunk: _Chunk) -> None:
        """Give an empty chunk's memory back."""
        shelf = chunk.shelf
        del shelf.roomy[chunk.number], self._chunks[chunk.number]
        shelf.chunks = tuple(kept for kept in shelf.chunks if kept is not chunk)
        self._spare.append(chunk.number)
