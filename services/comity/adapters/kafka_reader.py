"""Reads streams of Kafka from given positions, whatever strangers wrote there."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka import errors as kafka_errors
from kafka.consumer.fetcher import ConsumerRecord, Fetcher
from kafka.record import MemoryRecords
from kafka.record.default_records import DefaultRecordBatch

from comity.domain.log import Batch, Entry, Placed, Stream
from comity.errors import Halted, Unavailable

POLL_SECONDS_MAX = 0.05  # where only holes came poll returns when its time is up, and the position with it
FETCH_BYTES_MAX = 64 * 1024 * 1024  # what one answer of a broker may hold, one entry above it
ASK_SECONDS_MAX = 5.0


class _Name(str):
    """A header's name that is no UTF-8: its bytes come back from it (PEP 383), where kafka-python encodes it again."""

    __slots__ = ()

    def encode(self, _encoding: str = "utf-8", _errors: str = "strict") -> bytes:
        return str.encode(self, "utf-8", "surrogateescape")


class _Bytes(bytes):
    """Bytes whose text is read leniently."""

    def __getitem__(self, at: Any) -> Any:  # noqa: ANN401  # as bytes has it
        got = super().__getitem__(at)
        return _Bytes(got) if isinstance(got, bytes) else got

    def decode(self, _encoding: str = "utf-8", _errors: str = "strict") -> str:
        return _Name(super().decode("utf-8", "surrogateescape"))


class _LenientBatch(DefaultRecordBatch):
    """Reads a header's name that is no UTF-8.

    kafka-python takes it for a corrupt batch and meets it again at every poll, though the broker stores it and its checksum is
    right: one entry of a stranger would stop every reader for ever.
    """

    __slots__ = ()

    def _read_msg(self, *arguments: Any) -> Any:  # noqa: ANN401  # as the library has it
        try:
            return super()._read_msg(*arguments)
        except UnicodeDecodeError:  # its position is where it was: read the record again
            self._buffer = _Bytes(self._buffer)
            return super()._read_msg(*arguments)


class _Records(MemoryRecords):
    __slots__ = ()

    def next_batch(self, *arguments: Any) -> Any:  # noqa: ANN401  # as the library has it
        batch = super().next_batch(*arguments)
        if isinstance(batch, DefaultRecordBatch):
            batch.__class__ = _LenientBatch
        return batch


class _PartitionRecords(Fetcher.PartitionRecords):
    def _unpack_records(self, tp: TopicPartition, records: MemoryRecords, *arguments: Any) -> Any:  # noqa: ANN401
        records.__class__ = _Records
        return super()._unpack_records(tp, records, *arguments)


def header(name: str) -> str:
    """Return a header's name in the form that kafka-python can send, whatever its bytes were."""
    return name if name.isascii() else _Name(name)


class KafkaReader:
    """Follows streams from positions. Owned by one thread; ``close`` it."""

    def __init__(self, settings: Mapping[str, Any], names: Mapping[Stream, TopicPartition], starts: Mapping[Stream, int]) -> None:
        self._streams = {names[stream]: stream for stream in starts}
        self._at = {names[stream]: at for stream, at in starts.items()}
        self._consumer = KafkaConsumer(
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
        self._consumer._fetcher.PartitionRecords = _PartitionRecords  # noqa: SLF001  # there is no public place for it
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
            advice = "Look at the broker, this client's rights, and whether the log was closed."
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
