"""Pushes Kafka's compaction until a tombstoned key's values are gone.

The log can say what a client can see: whether it still returns a value. It cannot look into the brokers' files; these keep a
replaced segment for ``file.delete.delay.ms`` more, which is waited for. The erasure that counts is the shredded key.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from comity.adapters import log_rules
from comity.domain.log import Entry, Placed, Stream, Topic
from comity.errors import Unavailable

if TYPE_CHECKING:
    from comity.adapters.kafka_log import KafkaLog

ROUND_SECONDS_MIN = 0.25  # just over the fast setting of segment.ms
ROUND_SECONDS_MAX = 10.0  # each round appends a tombstone: with slow settings they must not become many
POLL_SECONDS = 0.5
ENTRIES_MAX = 500


class Patience:
    """How long is waited for compaction, and how long the reading may take beside: a topic is as long as all its bookings."""

    def __init__(self, waiting_seconds: float, reading_seconds: float = 0.0) -> None:
        self.deadline, self._reading = time.monotonic() + waiting_seconds, reading_seconds

    @property
    def left(self) -> float:
        """Return for how long may be waited."""
        return self.deadline - time.monotonic()

    @contextmanager
    def reading(self) -> Iterator[float]:
        """Give until when may be read; what it took of its own time is not taken off the waiting."""
        began = time.monotonic()
        try:
            yield self.deadline + self._reading
        finally:
            took = min(time.monotonic() - began, self._reading)
            self._reading -= took
            self.deadline += took


def settle(log: KafkaLog, topic: Topic, keys: Collection[bytes], patience: Patience) -> bool:
    """Return True once no value of these keys comes from the log any more; False where one stands or the time ran out."""
    wanted = set(keys)
    try:
        found = {stream: _oldest_value(log, stream, wanted, 0, patience) for stream in log.streams(topic)} if wanted else {}
        kept = {key for stream, (_, standing) in found.items() for key in _kept(log, stream, standing, patience)}
        gone = [_settled(log, stream, wanted - kept, patience) for stream, (first, _) in found.items() if first is not None]
        time.sleep(max(0.0, min(log.file_delete_seconds, patience.left)))
    except Unavailable:
        return False
    return all(gone) and not kept and patience.left > 0


def _kept(log: KafkaLog, stream: Stream, standing: Mapping[bytes, int], patience: Patience) -> set[bytes]:
    """Return the keys whose value stands in their own stream: for every reader, so not what a transaction took back."""
    own = {key: at for key, at in standing.items() if log_rules.stream_of(stream.topic, key) == stream}
    return {key for key, at in own.items() if _is_committed(log, stream, at, patience)}


def _is_committed(log: KafkaLog, stream: Stream, at: int, patience: Patience) -> bool:
    """Say whether readers meet an entry, or may yet: behind a transaction that is open nothing comes."""
    with log.open({stream: at}) as reader:
        while patience.left > 0:
            for batch in reader.poll(timeout_seconds=POLL_SECONDS, entries_max=1).values():
                return any(placed.position == at for placed in batch.entries)
    return True


def _settled(log: KafkaLog, stream: Stream, keys: set[bytes], patience: Patience) -> bool:
    """Let the stream's segments roll until no value of these keys comes any more; False where one stands in its own stream.

    A foreign producer may have put it into another stream, which the key's own tombstone does not reach: it gets one there.
    """
    wait = ROUND_SECONDS_MIN
    first, standing = _oldest_value(log, stream, keys, 0, patience)
    while first is not None and not _kept(log, stream, standing, patience):
        if wait > patience.left:
            return False
        # The active segment is never compacted. The same tombstone once more changes nothing and lets it roll.
        for key in standing or {min(keys)}:
            log.append(stream.topic, Entry(key, None), timeout_seconds=patience.left, stream=stream)
        time.sleep(wait)
        first, standing = _oldest_value(log, stream, keys, first, patience)
        wait = min(2 * wait, ROUND_SECONDS_MAX)
    return not standing


def _oldest_value(
    log: KafkaLog, stream: Stream, keys: set[bytes], start: int, patience: Patience
) -> tuple[int | None, dict[bytes, int]]:
    """Return where the oldest value of these keys stands from ``start`` on, and the places of those that are their keys' newest.

    Raises Unavailable where the stream could not be read to its end in time.
    """
    first: int | None = None
    standing: dict[bytes, int] = {}
    at, end = start, log.end(stream)
    with patience.reading() as deadline, log.open_all({stream: start}) as reader:  # what was aborted lies in the files as well
        while at < end:
            if time.monotonic() > deadline:
                raise Unavailable("the stream is too long to be read in this time", advice="Allow more time.")
            for batch in reader.poll(timeout_seconds=POLL_SECONDS, entries_max=ENTRIES_MAX).values():
                at = batch.next
                for placed in batch.entries:
                    first = _noted(placed, keys, standing, first)
    return first, standing


def _noted(placed: Placed, keys: set[bytes], standing: dict[bytes, int], first: int | None) -> int | None:
    """Note whether an entry of one of these keys is a value, and return the oldest value's position so far."""
    key = placed.entry.key
    if key is None or key not in keys:
        return first
    if placed.entry.value is None:
        standing.pop(key, None)
        return first
    standing[key] = placed.position
    return placed.position if first is None else first
