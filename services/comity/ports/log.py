"""The log that everything is entered in, and who follows it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from comity.domain.log import Batch, Entry, Placed, Stream, Topic


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

    def append(self, topic: Topic, entry: Entry, *, timeout_seconds: float, stream: Stream | None = None) -> Placed:
        """Append durably and return the entry at its place; entries of one key keep one stream.

        ``stream`` names another than the key's own: to take out what a stranger put there.

        Raises NotAppended where the log surely did not take it, OutcomeUnknown where it may have.
        """
        ...

    def open(self, starts: Mapping[Stream, int]) -> AbstractContextManager[Reader]:
        """Open a reader at these positions (the next position to read of each stream)."""
        ...

    def end(self, stream: Stream) -> int:
        """Return the stream's next position: for readiness and lag only, never for safety."""
        ...

    def settle(self, topic: Topic, keys: Collection[bytes], *, timeout_seconds: float, reading_seconds: float = 0.0) -> bool:
        """Push compaction along after tombstones; True once these keys' old values are gone as far as the engine can tell.

        Foreign producers choose streams as they like, so every stream is looked at, and what lies in another than the key's own
        is taken out there. All keys cost little more than one: a stream is read once for all of them. Reading may take
        ``reading_seconds`` beside: a broker's topic is as long as all its bookings.
        """
        ...

    def identity(self, topic: Topic) -> str:
        """Return the topic's id: another one means that the topic was made anew (rule 11)."""
        ...

    def close(self) -> None:
        """Release connections and files; idempotent."""
        ...


class Positions(Protocol):
    """How far each duty and projection is; a lost position is replayed, which changes nothing."""

    def load(self, name: str) -> Mapping[str, int]:
        """Return the next position of each stream that this follower has read, by the stream's name."""
        ...

    def save(self, name: str, stream: str, position: int, *, acted: bool = True) -> None:
        """Remember the next position to read; with ``acted`` false it may be kept back for a while: reading again is harmless."""
        ...

    def clear(self, name: str) -> None:
        """Start this follower from nothing."""
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
