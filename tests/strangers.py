"""Strangers who may write to the log whatever its engine takes: past every rule of ours, with their own producers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol
from unittest.mock import patch

from hypothesis import strategies as st
from kafka import KafkaProducer
from kafka.record.default_records import DefaultRecordBatchBuilder

from comity.adapters.kafka_lenient import header
from comity.adapters.log_rules import RECORD_BYTES_MAX
from comity.adapters.sqlite_log import SqliteLog
from comity.domain.log import Entry, Stream, Topic
from comity.ports import EventLog
from comity.wire.limits import VALUE_BYTES_MAX

CODECS = (None, "gzip", "snappy", "lz4", "zstd")
PLAIN, COMMITTED, ABORTED = "plain", "committed", "aborted"
SECONDS = 30.0
FOREIGN_SCHEMA = b"\x00\x7f\xff\xff\xff"  # Confluent's framing, an id that nobody gave
GUID_FRAMING = b"\x01" + bytes(range(16))  # Confluent's other one


@dataclass(frozen=True, slots=True)
class Thrown:
    """One entry, where it goes, and how."""

    topic: Topic
    partition: int
    key: bytes | None
    value: bytes | None = field(repr=False)
    headers: tuple[tuple[str, bytes | None], ...] = field(repr=False)
    codec: str | None
    how: str


class Stranger(Protocol):
    """Who writes."""

    def write(self, thrown: Thrown) -> None:
        """Write it, if the engine takes it at all."""
        ...


class ThroughSqlite:
    """Writes rows as the log itself would, unasked."""

    def __init__(self, log: SqliteLog) -> None:
        self._log = log

    def write(self, thrown: Thrown) -> None:
        if thrown.how == ABORTED or (thrown.key is None and thrown.topic.compacted):
            return
        headers = tuple((name, value or b"") for name, value in thrown.headers)
        with self._log._writing(SECONDS) as connection:
            connection.execute("BEGIN IMMEDIATE")
            self._log._insert(connection, stream(self._log, thrown), Entry(thrown.key, thrown.value, headers))
            connection.execute("COMMIT")


NULL = b"null: no such bytes are drawn"  # kafka-python sends none, other clients do


def _with_nulls(builder: DefaultRecordBatchBuilder, *arguments: Any) -> Any:  # noqa: ANN401  # as the library has it
    *before, headers = arguments
    return _append(builder, *before, [(name, None if value == NULL else value) for name, value in headers])


_append: Any = DefaultRecordBatchBuilder.append


class ThroughKafka:
    """Produces with each codec, in transactions and without."""

    def __init__(self, client: Mapping[str, Any], prefix: str) -> None:
        self._prefix, self._names = prefix, itertools.count()
        more: dict[str, Any] = {**client, "max_request_size": 4 * RECORD_BYTES_MAX}
        self._plain = {codec: KafkaProducer(compression_type=codec, **more) for codec in CODECS}  # type: ignore[arg-type]
        self._transactional = KafkaProducer(transactional_id=f"{prefix}stranger", acks="all", **more)
        self._transactional.init_transactions()

    def write(self, thrown: Thrown) -> None:
        if thrown.key is None and (thrown.topic.compacted or thrown.value is None):
            return  # the broker refuses the first, this producer the second
        if thrown.how == PLAIN:
            self._send(self._plain[thrown.codec], thrown)
            return
        self._transactional.begin_transaction()
        try:
            self._send(self._transactional, thrown)
        except BaseException:
            self._transactional.abort_transaction()
            raise
        if thrown.how == COMMITTED:
            self._transactional.commit_transaction()
        else:
            self._transactional.abort_transaction()

    def close(self) -> None:
        """Close every producer."""
        for producer in (*self._plain.values(), self._transactional):
            producer.close()

    def _send(self, producer: KafkaProducer, thrown: Thrown) -> None:
        headers: Any = [(header(name), NULL if value is None else value) for name, value in thrown.headers]
        partition = thrown.partition if thrown.topic.compacted else 0
        with patch.object(DefaultRecordBatchBuilder, "append", _with_nulls):
            sent = producer.send(
                self._prefix + thrown.topic, key=thrown.key, value=thrown.value, headers=headers, partition=partition
            )
        producer.flush()
        sent.get(SECONDS)  # type: ignore[no-untyped-call]


def stream(log: EventLog, thrown: Thrown) -> Stream:
    """Return where it goes: a stranger does not ask where a key belongs."""
    streams = log.streams(thrown.topic)
    return streams[thrown.partition % len(streams)]


@contextmanager
def through_kafka(client: Mapping[str, Any], prefix: str) -> Iterator[Stranger]:
    """Let a stranger write to a broker."""
    stranger = ThroughKafka(client, prefix)
    try:
        yield stranger
    finally:
        stranger.close()


@dataclass(frozen=True, slots=True)
class Copied:
    """The same part of an entry that stands in this topic, the so manieth from its end; perhaps cut or doubled."""

    topic: Topic
    back: int
    spoilt: bool


@dataclass(frozen=True, slots=True)
class Victims:
    """The key of one of the records that strangers write at."""

    number: int


@dataclass(frozen=True, slots=True)
class Zeros:
    """So many of them."""

    count: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What to write: drawn apart from what stands in the log, so that an example can be played again."""

    topic: Topic
    partition: int
    key: bytes | Copied | Victims | Zeros | None
    value: bytes | Copied | Zeros | None
    headers: tuple[tuple[str, bytes | None], ...] | Copied = field(repr=False)
    codec: str | None
    how: str

    def thrown(self, entries: Mapping[Topic, Sequence[Entry]], victims: Sequence[bytes]) -> Thrown:
        """Return the entry, made of what stands in the log now."""

        def of(copied: Copied) -> Entry:
            found = entries[copied.topic]
            return found[-1 - copied.back % len(found)] if found else Entry(b"k", b"v")

        key, value, headers = self.key, self.value, self.headers
        if isinstance(key, Copied):
            key = of(key).key
        elif isinstance(key, Victims):
            key = victims[key.number % len(victims)]
        elif isinstance(key, Zeros):
            key = bytes(key.count)
        if isinstance(value, Copied):
            whole = of(value).value
            value = whole[:-3] if whole and value.spoilt else whole
        elif isinstance(value, Zeros):
            value = bytes(value.count)
        if isinstance(headers, Copied):
            headers = of(headers).headers * (2 if headers.spoilt else 1)
        return Thrown(self.topic, self.partition, key, value, headers, self.codec, self.how)


_NAMES = st.sampled_from(
    ["ce_id", "ce_type", "ce_time", "ce_specversion", "ce_source", "ce_subject", "content-type", "jws", "CE_ID", "", "x"]
) | st.binary(max_size=12).map(lambda octets: octets.decode("utf-8", "surrogateescape"))
_OCTETS = st.none() | st.binary(max_size=40) | st.sampled_from([b"1.0", b"comity.v1.RecordEnrolled", b"\xff" * 2_000])
_HEADERS = st.lists(st.tuples(_NAMES, _OCTETS), max_size=12).map(tuple)
_VALUES = (
    st.none()
    | st.binary(max_size=60)
    | st.sampled_from([FOREIGN_SCHEMA, FOREIGN_SCHEMA + b"rest", GUID_FRAMING, b"\x00", b"\x00\x00\x00\x00\x01" + b"\xff" * 30])
)
_KEYS = st.none() | st.binary(max_size=40) | st.sampled_from([b"", b"clock", b"k" * 2_000])
_HUGE_KEYS = st.sampled_from([1_025, 70_000]).map(Zeros)
_HUGE = st.sampled_from([100_000, 1_048_577, VALUE_BYTES_MAX, VALUE_BYTES_MAX + 1, VALUE_BYTES_MAX + 60_000]).map(Zeros)
_COPIED = st.builds(Copied, st.sampled_from(list(Topic)), st.integers(0, 20), st.booleans())
_VICTIMS = st.builds(Victims, st.integers(0, 2))
_WHERE = (st.sampled_from(list(Topic)), st.integers(0, 2))
_HOW = (st.sampled_from(CODECS), st.sampled_from([PLAIN, COMMITTED, ABORTED]))
_SMALL = st.builds(Plan, *_WHERE, _KEYS | _VICTIMS | _COPIED | _HUGE_KEYS, _VALUES | _COPIED, _HEADERS | _COPIED, *_HOW)
_LARGE = st.builds(Plan, *_WHERE, _KEYS | _VICTIMS, _HUGE, st.just(()), st.sampled_from(CODECS), st.just(PLAIN))
PLANS: st.SearchStrategy[Plan] = st.one_of(*[_SMALL] * 9, _LARGE)
