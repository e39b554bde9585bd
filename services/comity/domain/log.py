"""What a log holds: topics, streams, entries and their places (DESIGN.md §3). Bytes only, so that poison can be kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
APPENDED_MS_MAX = 253_370_764_800_000  # the year 9999: whatever a broker or a machine says, no follower stops at it


class Topic(StrEnum):
    """The exchange's topics; ``compacted`` ones keep the newest value of a key until its tombstone."""

    ENROLMENTS = "comity.enrolments"
    TEMPLATES = "comity.templates"
    JOURNAL = "comity.journal"
    NOTICES = "comity.notices"
    QUARANTINE = "comity.quarantine"

    @property
    def compacted(self) -> bool:
        """Say whether older values of a key go, and all of them after a tombstone."""
        return self in (Topic.ENROLMENTS, Topic.TEMPLATES)


@dataclass(frozen=True, slots=True, order=True)
class Stream:
    """One partition of a topic: the unit that has positions."""

    topic: Topic
    partition: int = 0


JOURNAL = Stream(Topic.JOURNAL)


@dataclass(frozen=True, slots=True)
class Entry:
    """What is appended: raw bytes, and headers in order. ``value is None`` is a tombstone."""

    key: bytes | None
    value: bytes | None = field(repr=False)
    headers: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Placed:
    """An entry at its place: a 0-based position in its stream, and the log's own clock (milliseconds since the epoch)."""

    entry: Entry
    stream: Stream
    position: int
    appended_at_ms: int

    @property
    def appended_at(self) -> datetime:
        """Return the log's own time; one that no calendar holds is taken for the nearest that ours does."""
        return EPOCH + timedelta(milliseconds=max(0, min(self.appended_at_ms, APPENDED_MS_MAX)))


@dataclass(frozen=True, slots=True)
class Batch:
    """Entries of one stream in order; ``next`` is the position to go on from, and moves on empty batches too."""

    entries: tuple[Placed, ...]
    next: int


def leaf(placed: Placed) -> bytes:
    """Return an entry's bytes as the Merkle tree takes them: all that a verdict rests on, each part behind its length.

    That is the log's own time too, and whether there is a key or a value at all: none is not the same as an empty one.
    """
    entry = placed.entry
    parts = [placed.appended_at_ms.to_bytes(8, "big", signed=True), _optional(entry.key), _optional(entry.value)]
    for name, value in entry.headers:
        parts += [name.encode("utf-8", "surrogateescape"), value]  # a stranger's header name may be no UTF-8
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _optional(octets: bytes | None) -> bytes:
    return b"\x00" if octets is None else b"\x01" + octets
