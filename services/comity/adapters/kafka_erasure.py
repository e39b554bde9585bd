"""Pushes Kafka's compaction until a tombstoned key's values are gone.

The log can say what a client can see: whether it still returns a value. It cannot look into the brokers' files; these keep a
replaced segment for ``file.delete.delay.ms`` more, which is waited for. The erasure that counts is the shredded key.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from comity.adapters import log_rules
from comity.domain.log import Entry, Stream, Topic
from comity.errors import Unavailable

if TYPE_CHECKING:
    from comity.adapters.kafka_log import KafkaLog

ROUND_SECONDS_MIN = 0.25  # just over the fast setting of segment.ms
ROUND_SECONDS_MAX = 10.0  # each round appends a tombstone: with slow settings they must not become many
POLL_SECONDS = 0.5
ENTRIES_MAX = 500


def settle(log: KafkaLog, topic: Topic, key: bytes, *, timeout_seconds: float) -> bool:
    """Return True once no value of the key comes from the log any more; False where the key stands or the time ran out."""
    deadline, wait = time.monotonic() + timeout_seconds, ROUND_SECONDS_MIN
    stream = log_rules.stream_of(topic, key)
    try:
        first, stands = _oldest_value(log, stream, key, 0, deadline)
        while first is not None and not stands:
            if time.monotonic() + wait > deadline:
                return False
            time.sleep(wait)
            # The active segment is never compacted. The same tombstone once more changes nothing and lets it roll.
            log.append(topic, Entry(key, None), timeout_seconds=deadline - time.monotonic())
            first, stands = _oldest_value(log, stream, key, first, deadline)
            wait = min(2 * wait, ROUND_SECONDS_MAX)
        time.sleep(max(0.0, min(log.file_delete_seconds, deadline - time.monotonic())))
    except Unavailable:
        return False
    return not stands and time.monotonic() < deadline


def _oldest_value(log: KafkaLog, stream: Stream, key: bytes, start: int, deadline: float) -> tuple[int | None, bool]:
    """Return the position of the key's oldest value from ``start`` on, and whether its newest entry is a value.

    Raises Unavailable where the stream could not be read to its end in time.
    """
    first, stands, at, end = None, False, start, log.end(stream)
    with log.open({stream: start}) as reader:
        while at < end:
            if time.monotonic() > deadline:
                raise Unavailable("the stream is too long to be read in this time", advice="Allow more time.")
            for batch in reader.poll(timeout_seconds=POLL_SECONDS, entries_max=ENTRIES_MAX).values():
                at = batch.next
                for placed in batch.entries:
                    if placed.entry.key == key:
                        stands = placed.entry.value is not None
                        first = placed.position if first is None and stands else first
    return first, stands
