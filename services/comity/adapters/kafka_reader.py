"""Reads streams of Kafka from given positions, whatever strangers wrote there."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka import errors as kafka_errors
from kafka.consumer.fetcher import ConsumerRecord

from comity.adapters.kafka_lenient import build, make_lenient, seek_in_epoch, topic_id
from comity.adapters.kafka_seen import Seen
from comity.adapters.kafka_shape import Difference, deleted
from comity.domain.log import Batch, Entry, Placed, Stream
from comity.errors import Halted, Unavailable

POLL_SECONDS_MAX = 0.05  # where only holes came poll returns when its time is up, and the position with it
FETCH_BYTES_MAX = 64 * 1024 * 1024  # what one answer of a broker may hold, one entry above it
ASK_SECONDS_MAX = 5.0
LOOK_SECONDS = 5.0  # how old what is known of the topics may be: one that was made anew meanwhile is told by its id alone


class KafkaReader:
    """Follows streams from positions. Owned by one thread; ``close`` it."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        names: Mapping[Stream, TopicPartition],
        starts: Mapping[Stream, int],
        alive: Callable[[], None],
        seen: Seen,
        sound: Callable[[Difference], None],
        isolation: str = "read_committed",
    ) -> None:
        self._alive = alive  # raises once the log is closed
        self._seen, self._sound = seen, sound
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
            isolation_level=isolation,
            fetch_max_bytes=FETCH_BYTES_MAX,
            max_partition_fetch_bytes=FETCH_BYTES_MAX // 16,
            metadata_max_age_ms=int(1000 * LOOK_SECONDS),
        )
        make_lenient(self._consumer)
        self._consumer.assign(list(self._at))
        for partition, at in self._at.items():
            epoch = seen.epoch(self._streams[partition], at)
            self._consumer.seek(partition, at) if epoch is None else seek_in_epoch(self._consumer, partition, at, epoch)

    def poll(self, *, timeout_seconds: float, entries_max: int) -> Mapping[Stream, Batch]:
        """Return what came, waiting up to ``timeout_seconds``; nothing while no broker can be reached.

        Raises Halted where a position lies beyond its stream's end, a checksum is wrong, or the log is not what it was (it went
        back, or entries of the journal were deleted); Unavailable where this client may not read.
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
            came = self._polled(seconds, entries_max)
            # Never the last entry's position + 1: control records and compaction holes come after it too.
            following = {partition: self._consumer.position(partition, timeout_ms=0) for partition in self._at}
        except (kafka_errors.CorruptRecordError, kafka_errors.LogTruncationError) as error:
            advice = "The broker's log is damaged or was cut: look at its disks, then run `comity fsck`."
            raise Halted(f"Kafka's log cannot be read on ({type(error).__name__})", advice=advice) from error
        except kafka_errors.KafkaError as error:
            advice = "Look at the brokers and at this client's rights."
            raise Unavailable(f"Kafka cannot be read ({type(error).__name__})", advice=advice) from error
        self._check_topics()
        batches = {}
        for partition, at in self._at.items():
            if (next_ := following[partition]) is not None and next_ != at:
                stream = self._streams[partition]
                entries = tuple(_placed(stream, record) for record in came.get(partition, ()))
                batches[stream], self._at[partition] = Batch(entries, next_), next_
                self._seen.read(stream, next_, _epochs(came.get(partition, ())))
        return batches

    def _polled(self, seconds: float, entries_max: int) -> dict[TopicPartition, list[ConsumerRecord]]:
        try:
            return self._consumer.poll(timeout_ms=int(1000 * seconds), max_records=entries_max)
        except kafka_errors.OffsetOutOfRangeError as error:
            for partition, at in dict(error.args[0]).items():
                self._step_in(partition, at, error)
            return {}

    def _step_in(self, partition: TopicPartition, at: int, error: kafka_errors.OffsetOutOfRangeError) -> None:
        """Go to the first entry kept, where those before it were deleted; stop where the log ends before the position.

        Of the journal nothing is ever deleted: without what is missing nothing can be judged. What is missing of another topic
        that is kept for ever is told, and passed over, for everything else goes on.
        """
        beginning = self._consumer.beginning_offsets([partition], timeout_ms=int(1000 * ASK_SECONDS_MAX))[partition]
        if at >= beginning:
            advice = "The topic was restored or made anew: run `comity fsck`."
            raise Halted(f"position {at} of {partition.topic} lies beyond the log's end", advice=advice) from error
        lost = deleted(self._streams[partition], partition.topic, at, beginning)
        if lost is not None and lost.endangers:
            raise Halted(lost.what, advice=lost.command) from error
        if lost is not None:
            self._sound(lost)
        self._consumer.seek(partition, beginning)

    def _check_topics(self) -> None:
        """Raise Halted where a topic is not the one that this reader began with: its positions are other entries'."""
        for partition, stream in self._streams.items():
            self._seen.is_topic(stream.topic, partition.topic, topic_id(self._consumer, partition.topic))
            self._seen.check(stream.topic)


def _placed(stream: Stream, record: ConsumerRecord) -> Placed:
    headers = tuple((str(name), bytes(value or b"")) for name, value in record.headers)
    return Placed(Entry(record.key, record.value, headers), stream, record.offset, record.timestamp)


def _epochs(records: Sequence[ConsumerRecord]) -> dict[int, int]:
    """Return in which leader's time each position was given; brokers of old do not say."""
    return {
        record.offset: record.leader_epoch for record in records if record.leader_epoch is not None and record.leader_epoch >= 0
    }
