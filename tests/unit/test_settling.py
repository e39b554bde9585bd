"""Whether a broker's old values are gone takes waiting and reading, each with its own time: a topic may be long."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from comity.adapters import log_rules
from comity.adapters.kafka_erasure import Patience, settle
from comity.domain.log import Batch, Entry, Placed, Stream, Topic

LONG = 10  # polls to a stream's end
POLL_SECONDS = 0.02
KEY = b"gone"


class LongLog:
    """A log that takes its time to be read; with a value that never goes, or without."""

    file_delete_seconds = 0.0

    def __init__(self, *values: Placed) -> None:
        self._values = {(placed.stream, placed.position): placed for placed in values}

    def streams(self, topic: Topic) -> tuple[Stream, ...]:
        return log_rules.streams(topic)

    def end(self, _: Stream) -> int:
        return LONG

    def append(self, _: Topic, entry: Entry, *, timeout_seconds: float, stream: Stream) -> Placed:
        assert timeout_seconds > 0
        return Placed(entry, stream, LONG, 0)

    @contextmanager
    def open_all(self, starts: Mapping[Stream, int]) -> Iterator[LongLog]:
        ((self._stream, self._at),) = starts.items()
        yield self

    def poll(self, **_: object) -> Mapping[Stream, Batch]:
        time.sleep(POLL_SECONDS)
        found = self._values.get((self._stream, self._at))
        self._at += 1
        return {self._stream: Batch(() if found is None else (found,), self._at)}


def settled(log: Any, waiting: float, reading: float = 0.0) -> bool:  # noqa: ANN401  # stands in for a broker's
    return settle(log, Topic.TEMPLATES, [KEY], Patience(waiting, reading))


def test_a_topic_that_takes_longer_to_read_than_is_waited_is_seen_to_be_clean_in_the_end() -> None:
    assert not settled(LongLog(), 0.3)
    assert settled(LongLog(), 0.3, 60)


def test_time_for_reading_is_no_time_for_waiting() -> None:
    """Else a broker that takes its hours gets tombstones for as many."""
    own = log_rules.stream_of(Topic.TEMPLATES, KEY)
    old = [Placed(Entry(KEY, b"value"), own, 0, 0), Placed(Entry(KEY, None), own, 1, 0)]
    began = time.monotonic()
    assert not settled(LongLog(*old), 0.6, 600)
    assert time.monotonic() - began < 10
