"""Reads streams of Kafka from given positions, whatever strangers wrote there."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka import errors as kafka_errors
from kafka.consumer.fetcher import ConsumerRecord

from comity.adapters.kafka_lenient import build, make_lenient
from comity.domain.log import Batch, Entry, Placed, Stream
from comity.errors import Halted, Unavailable

POLL_SECONDS_MAX = 0.05  # where only holes came poll returns when its time is up, and the position with it
FETCH_BYTES_MAX = 64 * 1024 * 1024  # what one answer of a broker may hold, one entry above it
ASK_SECONDS_MAX = 5.0


class KafkaReader:
    """Follows streams from positions. Owned by one thread; ``close`` it."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        names: Mapping[Stream, TopicPartition],
        starts: Mapping[Stream, int],
        alive: Callable[[], None],
    ) -> None:
        self._alive = alive  # raises once the log is closed
        self._streams = {names[stream]: stream for stream in starts}
        self._at = {names[stream]: at for stream, at in starts.items()}
        self._consumer = build(
            KafkaConsumer,
            **settings,
            group_id=None,
            metrics_enabled=False,
            allow_auto_create_topics=False,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            fetch_max_bytes=FETCH_BYTES_MAX,
            max_partition_fetch_bytes=FETCH_BYTES_MAX // 16,
        )
        make_lenient(self._consumer)
        self._consumer.assign(list(self._at))
        for partition, at in self._at.items():
            self._consumer.seek(partition, at)

    def poll(self, *, timeout_seconds: float, entries_max: int) -> Mapping[Stream, Batch]:
        """Return what came, waiting up to ``timeout_seconds``; nothing while no broker can be reached.

        Raises Halted where a position lies beyond its stream's end or a checksum is wrong, Unavailable where this client may not
        read.
        """
        deadline = time.monotonic() + timeout_seconds
        while True:
            self._alive()
            left = max(0.0, deadline - time.monotonic())
            batches = self._round(min(left, POLL_SECONDS_MAX), entries_max)
            if batches or left <= 0:
                return batches

    def close(self) -> None:
        """Release the connections; idempotent."""
        self._consumer.close(autocommit=False)

    def _round(self, seconds: float, entries_max: int) -> dict[Stream, Batch]:
        try:
            came = self._consumer.poll(timeout_ms=int(1000 * seconds), max_records=entries_max)
        except kafka_errors.OffsetOutOfRangeError as error:
            self._step_in(error)
            came = {}
        except (kafka_errors.CorruptRecordError, kafka_errors.LogTruncationError) as error:
            advice = "The broker's log is damaged or was cut: look at its disks, then run `comity fsck`."
            raise Halted(f"Kafka's log cannot be read on ({type(error).__name__})", advice=advice) from error
        except kafka_errors.KafkaError as error:
            advice = "Look at the brokers and at this client's rights."
            raise Unavailable(f"Kafka cannot be read ({type(error).__name__})", advice=advice) from error
        batches = {}
        for partition, at in self._at.items():
            # Never the last entry's position + 1: control records and compaction holes come after it too.
            following = self._consumer.position(partition)
            if following is not None and following != at:
                stream = self._streams[partition]
                entries = tuple(_placed(stream, record) for record in came.get(partition, ()))
                batches[stream], self._at[partition] = Batch(entries, following), following
        return batches

    def _step_in(self, error: kafka_errors.OffsetOutOfRangeError) -> None:
        """Go to the first entry kept, where retention took those before it; stop where the log ends before the position."""
        for partition, at in dict(error.args[0]).items():
            beginning = self._consumer.beginning_offsets([partition], timeout_ms=int(1000 * ASK_SECONDS_MAX))[partition]
            if at >= beginning:
                advice = "The topic was restored or made anew: run `comity fsck`."
                raise Halted(f"position {at} of {partition.topic} lies beyond the log's end", advice=advice) from error
            self._consumer.seek(partition, beginning)


def _placed(stream: Stream, record: ConsumerRecord) -> Placed:
    headers = tuple((str(name), bytes(value or b"")) for name, value in record.headers)
    return Placed(Entry(record.key, record.value, headers), stream, record.offset, record.timestamp)
