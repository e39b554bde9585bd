"""The template store on Milvus: embedded (milvus-lite, a directory) or a server or cluster (a URI), through one client.

The store keeps; it never answers (the gallery proposes, the ledger disposes). A row that Milvus has deleted keeps its bytes in
the files, and milvus-lite's ``compact()`` does nothing, so nothing is deleted here: ``forget`` writes the collection anew without
the rows and drops the old one. For this to take seconds an agency's templates lie in *shards* of at most 20,000 rows, each of
them one collection, ``templates_<ORI>_<shard>_<generation>``.

**Commit order of forget**, for each shard that holds such a row, and what a crash leaves after each step:

1. ``draft_…_<generation + 1>`` is created, filled with the living rows, flushed and counted. *Crash:* a draft, which the next
   opening drops; the old generation stands, nothing is forgotten yet, and the caller, who had no answer, asks again.
2. The draft is renamed to ``templates_…_<generation + 1>``. **This is the commit.** *Crash:* two generations of one shard; the
   next opening drops the lower one, unread. Where nothing lives there is no draft, and step 3 is the commit.
3. The old generation is renamed to ``dropped_…``. *Crash:* the next opening drops it.
4. It is dropped: its directory with data, index, log and manifest is removed. *Crash:* a directory half removed, listed or no
   longer listed; the next opening removes it either way, unread.

Should a step from 2 on *fail*, the store lets go of the engine, and whoever comes next opens it again, which finds out what
stands: so a second ``forget`` cannot report as gone what only a listing has lost, and no erasure waits for a restart.

A put is written to Milvus' log, flushed to files, and these are synchronised before it returns, so it survives the end of the
process (a power cut, too, unless lite's own compaction was rewriting these files: then rebuild from the log). Ids that are there
already are left alone, for lite would keep both rows' bytes and a server both rows.

On a server a drop is logical until its garbage collection (3 h by default) and its message queue's retention (days) are over.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from comity.adapters import gallery_marks
from comity.adapters.milvus_connection import MilvusConnection
from comity.domain.ids import Ori, RecordId, ori, record_id
from comity.errors import Unavailable
from comity.ports import Block, Marks, StoredTemplate, Vector

SHARD_ROWS = 20_000  # the most that a forget has to copy for one record: five seconds, at 0.27 ms a row
PAGE_ROWS = 10_000  # 5 MB of templates, some 60 MB while they are Python floats; Milvus allows 16,384
IDS_PER_QUERY = 500  # lite parses 20,000 ids in a second, and a hundred times that for longer lists
NORM_TOLERANCE = 1e-3
FIELDS = ["id", "record_id", "record_class", "photo", "version", "vector"]

_NAME = re.compile(r"(templates|draft|dropped)_([A-Z]{2}[A-Z0-9]{7})_(\d{4,})_(\d{6,})")
_CLASS = re.compile(r"[a-z][a-z_-]{0,31}")

T = TypeVar("T")
Row = dict[str, Any]
Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True, order=True)
class _Shard:
    """Up to SHARD_ROWS templates of one agency."""

    owner: Ori
    number: int

    def name(self, generation: int, state: str = "templates") -> str:
        return f"{state}_{self.owner}_{self.number:04d}_{generation:06d}"


def _batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _checked(template: StoredTemplate, dimension: int) -> StoredTemplate:
    """Return the template; raises ValueError where its form could harm a query, a file or a scan."""
    ori(template.block.owner)
    record_id(template.record_id)
    if not _CLASS.fullmatch(template.block.record_class):
        raise ValueError("a record class is up to 32 lower-case letters")
    if not (0 <= template.template_id < 2**63 and 0 <= template.photo < 2**15 and 0 < template.version < 2**31):
        raise ValueError("a photograph's number, a version or a template id is out of range")
    length = float(np.linalg.norm(np.asarray(template.vector, np.float64)))
    if np.shape(template.vector) != (dimension,) or not abs(length - 1.0) <= NORM_TOLERANCE:  # so NaN is refused, too
        raise ValueError(f"a template must be finite and L2-normalised, of {dimension} dimensions")
    return template


def _row(template: StoredTemplate) -> Row:
    return {
        "id": template.template_id,
        "record_id": template.record_id,
        "record_class": template.block.record_class,
        "photo": template.photo,
        "version": template.version,
        "vector": np.asarray(template.vector, np.float32),
    }


def _template(row: Row, owner: Ori) -> StoredTemplate:
    vector = np.asarray(row["vector"], np.float32)
    block = Block(owner, row["record_class"])
    return StoredTemplate(int(row["id"]), RecordId(row["record_id"]), block, int(row["photo"]), vector, int(row["version"]))


class MilvusStore:
    """Templates, durable, in Milvus. Thread-safe; implements ``TemplateStore``.

    ``where`` is a directory for the embedded engine (its one owner at a time: raises Unavailable with advice where another
    process has it) or the URI of a server. Importing pymilvus takes two seconds, so this happens here. Whatever Milvus raises
    comes out as Unavailable.
    """

    def __init__(self, where: Path | str, *, shard_rows: int = SHARD_ROWS, dimension: int = 128) -> None:
        self._turn = threading.RLock()  # lite must not be written by two, and a search during its flush may see the past
        self._shard_rows = shard_rows
        self._dimension = dimension
        self._closed = False
        self._generations: dict[_Shard, int] = {}
        self._ids: dict[_Shard, Ids] = {}  # sorted; read when first needed, kept up to date from then on
        self._loaded: set[str] = set()
        self._marks: Marks | None = None  # a server's are kept in memory alone: after a restart all is read again
        self._milvus = MilvusConnection(where)
        self._open()

    def put(self, templates: Sequence[StoredTemplate]) -> None:
        """Store templates, durably before returning; the same ids again change nothing.

        Vectors are (dimension,) float32 of length 1. All are checked before the first is stored. Raises ValueError, Unavailable.
        """
        given = {template.template_id: _checked(template, self._dimension) for template in templates}
        ordered = sorted(given.values(), key=lambda template: (template.block.owner, template.template_id))
        with self._in_turn():
            for owner, group in groupby(ordered, key=lambda template: template.block.owner):
                self._put(owner, {template.template_id: _row(template) for template in group})

    def forget(self, records: Collection[RecordId]) -> int:
        """Erase these records' templates from the files, by writing their shards anew; return how many rows went.

        Raises ValueError for a malformed record id (before anything is erased), Unavailable.
        """
        wanted = [record_id(record) for record in dict.fromkeys(records)]
        gone = 0
        with self._in_turn():
            for shard in sorted(self._generations) if wanted else ():
                doomed = self._ids_of(shard, wanted)
                if doomed:
                    self._rewrite(shard, doomed)
                    gone += len(doomed)
        return gone

    def all(self) -> Iterator[Sequence[StoredTemplate]]:
        """Yield every stored template, in batches of up to 10,000, by shard and id.

        The store may be used, and changed, between two batches: what is put or forgotten meanwhile may or may not come.
        """
        with self._in_turn():
            shards = sorted(self._generations)
        for shard in shards:
            ids: list[int] = []
            for rows in self._pages(shard, FIELDS):
                ids += [row["id"] for row in rows]
                yield [_template(row, shard.owner) for row in rows]
            with self._in_turn():
                if shard in self._generations:  # what this pass read need not be read again; whoever changed it, knows it
                    self._ids.setdefault(shard, np.array(ids, np.int64))

    def nearest(self, probe: Vector, count: int) -> Sequence[tuple[RecordId, float]]:
        """Return what Milvus itself proposes over all shards: up to ``count`` rows as (record, inner product), best first.

        Never for an answer: it knows no order and no grant. Raises Unavailable.
        """
        found: list[tuple[RecordId, float]] = []
        with self._in_turn():
            for shard in sorted(self._generations):
                hits = self._ask(
                    "search",
                    self._ready(shard),
                    data=[np.asarray(probe, np.float32)],
                    limit=count,
                    output_fields=["record_id"],  # left out, lite sends every field, the vector too
                    search_params={"metric_type": "IP"},
                )[0]
                found += [(RecordId(hit["entity"]["record_id"]), float(hit["distance"])) for hit in hits]
        return sorted(found, key=lambda hit: (-hit[1], hit[0]))[:count]

    def clear(self) -> None:
        """Drop everything, the marks first, so that a crash half way ends in a rebuild too."""
        with self._in_turn():
            held = self.marks()
            self.mark(Marks(held.generation + 1 if held else 1, "", {}))
            for shard in sorted(self._generations):
                self._drop(shard)

    def marks(self) -> Marks | None:
        """Return how far this store has read; None where it does not say so."""
        with self._in_turn():
            return gallery_marks.read(self._milvus.folder) if self._milvus.folder else self._marks

    def mark(self, marks: Marks) -> None:
        """Remember how far this store has read, durably where it is embedded. Raises Unavailable."""
        with self._in_turn():
            if self._milvus.folder:
                gallery_marks.write(self._milvus.folder, marks)
            self._marks = marks

    def close(self) -> None:
        """Release the engine and its lock; idempotent."""
        with self._turn:
            self._closed = True
            self._milvus.close()

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        with self._turn:
            if self._closed:  # an empty answer would say that there is nothing to erase
                raise Unavailable("The template store is closed.", advice="Start the service again.")
            if not self._milvus.is_open:  # a step failed half way: what stands is found out anew
                self._open()
            yield

    def _open(self) -> None:
        self._generations.clear()
        self._ids.clear()
        self._loaded.clear()
        self._milvus.open()
        with self._or_let_go():
            self._recover()

    @contextmanager
    def _or_let_go(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._milvus.close()
            raise

    def _ask(self, method: str, *arguments: object, **options: object) -> Any:  # noqa: ANN401 -- pymilvus is untyped
        """Call the client; every call goes through here, in turn."""
        return self._milvus.ask(method, *arguments, **options)

    def _recover(self) -> None:
        """Learn which shards there are, and finish or undo what a crash interrupted (see the top of this file)."""
        names: list[str] = self._ask("list_collections")
        self._milvus.sweep(names)
        for name, found in sorted((name, found) for name in names if (found := _NAME.fullmatch(name))):
            state, owner, number, generation = found.groups()
            if state == "templates":  # after the drafts and the dropped, and lower generations first
                self._supersede(_Shard(Ori(owner), int(number)), int(generation))
            else:
                self._ask("drop_collection", name)

    def _supersede(self, shard: _Shard, generation: int) -> None:
        old = self._generations.get(shard)
        self._generations[shard] = generation
        if old is not None:
            self._discard(shard.name(old))

    def _discard(self, name: str) -> None:
        """Drop a collection so that one half dropped is never taken for a whole one."""
        dropped = re.sub(r"^[a-z]+", "dropped", name)
        self._loaded.discard(name)
        with self._or_let_go():
            self._ask("rename_collection", name, dropped)
            self._ask("drop_collection", dropped)

    def _drop(self, shard: _Shard) -> None:
        generation = self._generations.pop(shard)
        self._ids.pop(shard, None)
        self._discard(shard.name(generation))

    def _ready(self, shard: _Shard) -> str:
        """Return the shard's collection, loaded: after opening or renaming it is not, and every read would fail."""
        name = shard.name(self._generations[shard])
        if name not in self._loaded:
            self._ask("load_collection", name)
            self._loaded.add(name)
        return name

    def _create(self, name: str) -> None:
        from pymilvus import DataType, MilvusClient  # noqa: PLC0415 -- imported by the constructor already

        schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("record_id", DataType.VARCHAR, max_length=32)
        schema.add_field("record_class", DataType.VARCHAR, max_length=32)
        schema.add_field("photo", DataType.INT16)
        schema.add_field("version", DataType.INT32)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=self._dimension)
        index = MilvusClient.prepare_index_params()
        index.add_index("vector", index_type="FLAT", metric_type="IP")  # exact: approximate indexes lose real people
        # A server's default lets the next reads miss what was just written; lite ignores this and is always strong.
        self._ask("create_collection", name, schema=schema, consistency_level="Strong")
        self._ask("create_index", name, index_params=index, sync=False)  # to wait takes half a second, and it is empty
        self._ask("load_collection", name)

    def _put(self, owner: Ori, rows: Mapping[int, Row]) -> None:
        given = np.array(sorted(rows), np.int64)
        there = [np.intersect1d(given, self._known(shard), assume_unique=True) for shard in self._shards_of(owner)]
        fresh = np.setdiff1d(given, np.concatenate(there), assume_unique=True) if there else given
        while len(fresh):
            shard = self._roomy(owner)
            ids = fresh[: self._shard_rows - len(self._known(shard))]
            known = self._ids.pop(shard)  # should this fail half way, Milvus is asked again what is there
            self._insert(self._ready(shard), [[rows[number] for number in ids.tolist()]])
            self._ids[shard] = np.union1d(known, ids)
            fresh = fresh[len(ids) :]

    def _insert(self, name: str, pages: Iterable[Sequence[Row]]) -> None:
        """Insert rows, then flush and synchronise: rows still in lite's memory make each search slow."""
        since = time.time() - 5.0  # the file system's clock is coarser than ours
        for page in pages:
            for batch in _batches(page, PAGE_ROWS):
                self._ask("insert", name, list(batch))
        self._ask("flush", name)
        self._milvus.settle(name, since)

    def _shards_of(self, owner: Ori) -> list[_Shard]:
        return sorted(shard for shard in self._generations if shard.owner == owner)

    def _roomy(self, owner: Ori) -> _Shard:
        """Return a shard of this agency that has room; a new one where all are full."""
        shards = self._shards_of(owner)
        for shard in shards:
            if len(self._known(shard)) < self._shard_rows:
                return shard
        fresh = _Shard(owner, max((shard.number for shard in shards), default=0) + 1)
        self._create(fresh.name(1, "draft"))
        self._ask("rename_collection", fresh.name(1, "draft"), fresh.name(1))  # what is called templates_… is whole
        self._generations[fresh], self._ids[fresh] = 1, np.empty(0, np.int64)
        return fresh

    def _known(self, shard: _Shard) -> Ids:
        """Return the ids in a shard, sorted. 8 bytes each; to ask Milvus about each put takes a query per shard."""
        if shard not in self._ids:
            self._ids[shard] = np.array([row["id"] for rows in self._pages(shard, ["id"]) for row in rows], np.int64)
        return self._ids[shard]

    def _ids_of(self, shard: _Shard, records: Sequence[RecordId]) -> set[int]:
        """Return the ids of these records' rows. Record ids are validated hex: lite takes no parameters in filters."""
        found: set[int] = set()
        for batch in _batches(records, IDS_PER_QUERY):
            listed = ", ".join(f'"{record}"' for record in batch)
            rows = self._ask("query", self._ready(shard), filter=f"record_id in [{listed}]", output_fields=["id"])
            found |= {int(row["id"]) for row in rows}
        return found

    def _pages(self, shard: _Shard, fields: Sequence[str]) -> Iterator[list[Row]]:
        """Yield the shard's rows by id; each page stands for itself, so that writers may come between."""
        after = -1
        while rows := self._page(shard, fields, after):
            yield rows
            after = rows[-1]["id"]

    def _page(self, shard: _Shard, fields: Sequence[str], after: int) -> list[Row]:
        with self._in_turn():
            if shard not in self._generations:  # forgotten meanwhile
                return []
            limits = {"batch_size": PAGE_ROWS, "limit": PAGE_ROWS, "filter": f"id > {after}"}
            # Only the iterator pages by id: a plain query with a limit takes the rows as they come.
            iterator = self._ask("query_iterator", self._ready(shard), output_fields=fields, **limits)
            try:
                return list(self._milvus.guarded(iterator.next))
            finally:
                iterator.close()

    def _rewrite(self, shard: _Shard, doomed: Collection[int]) -> None:
        """Write the shard's next generation without these rows, and drop this one (commit order: the top of this file)."""
        generation = self._generations[shard]
        living = np.setdiff1d(self._known(shard), np.array(sorted(doomed), np.int64), assume_unique=True)
        if not len(living):
            self._drop(shard)
            return
        draft = shard.name(generation + 1, "draft")
        try:
            self._create(draft)
            survivors = ([row for row in rows if row["id"] not in doomed] for rows in self._pages(shard, FIELDS))
            self._insert(draft, survivors)
            self._require_rows(draft, len(living))
        except BaseException:
            self._ask("drop_collection", draft)
            raise
        with self._or_let_go():
            self._ask("rename_collection", draft, shard.name(generation + 1))
        self._ids[shard] = living
        self._supersede(shard, generation + 1)

    def _require_rows(self, name: str, rows: int) -> None:
        counted = self._ask("query", name, filter="", output_fields=["count(*)"])[0]["count(*)"]
        if counted != rows:
            raise Unavailable("The copy of a shard came out incomplete; the shard stands.", advice="Run `comity fsck`.")
