"""The log that agencies run: Apache Kafka through kafka-python 3.0.

An append writes in one place, the leader's log, and is acknowledged by all in-sync replicas (``acks=all``): a deposed leader
cannot acknowledge it, which is why an append is the fence (DESIGN.md §4). kafka-python does not say which of its errors
leave it open whether the entry was written: that is told apart here.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka import errors as kafka_errors

from comity.adapters import kafka_topics, log_rules
from comity.adapters.kafka_erasure import Patience, settle
from comity.adapters.kafka_lenient import CLOSING_SOCKETS, build, header
from comity.adapters.kafka_lookout import Lookout, Transactions
from comity.adapters.kafka_producer import ASK_SECONDS_MAX, Producer
from comity.adapters.kafka_reader import KafkaReader
from comity.adapters.kafka_seen import Seen, kept_for_ever
from comity.adapters.kafka_shape import Difference, deleted
from comity.domain.log import Entry, Placed, Stream, Topic
from comity.errors import NotAppended, OutcomeUnknown, TooLarge, Unavailable

BOOTSTRAP_SECONDS_MAX = 5.0  # the library would wait 30 s, and then not say why
REQUEST_SECONDS_MAX = 5.0
RETRY_SECONDS = 0.1  # between two tries of one entry

_TOO_LARGE = (kafka_errors.MessageSizeTooLargeError, kafka_errors.RecordListTooLargeError)
# The same bytes are refused at every try, so no earlier try can have written them.
_ALWAYS_REFUSED = (
    kafka_errors.InvalidRecordError,
    kafka_errors.InvalidTimestampError,
    kafka_errors.InvalidTopicError,
)


class KafkaLog:
    """The log on Kafka brokers. Thread-safe; not to be used after a fork.

    ``prefix`` goes before every topic's name; ``replication`` is for topics that are made here (None: the brokers' default);
    ``compaction`` for the compacted ones of these; ``security`` takes kafka-python's ``security_protocol``, ``sasl_…``, …
    and ``tools`` names the file in which Kafka's own tools find the same.
    ``differences`` says in what the topics are not as they should be, where no promise hangs on it; ``sound`` is told
    these and what comes to be so later, ``clear`` what no longer is.
    Raises Unavailable where no broker answers within 5 s, Halted where a topic has a shape that endangers a promise.
    """

    def __init__(
        self,
        bootstrap: str | Sequence[str],
        *,
        prefix: str = "",
        replication: int | None = None,
        compaction: Mapping[str, str] = kafka_topics.COMPACTION,
        security: Mapping[str, object] | None = None,
        tools: Path | None = None,
        sound: Callable[[Difference], None] | None = None,
        clear: Callable[[Difference], None] = lambda _: None,
    ) -> None:
        self._prefix, self._compaction, self._sound = prefix, compaction, sound or (lambda _: None)
        self._settings: dict[str, Any] = {
            **CLOSING_SOCKETS,
            **(security or {}),
            "bootstrap_servers": bootstrap if isinstance(bootstrap, str) else list(bootstrap),
            "bootstrap_timeout_ms": int(1000 * BOOTSTRAP_SECONDS_MAX),
            "request_timeout_ms": int(1000 * REQUEST_SECONDS_MAX),
            "reconnect_backoff_max_ms": 1000,
            "retry_backoff_ms": int(1000 * RETRY_SECONDS),
        }
        self._names = {
            stream: TopicPartition(self._name(topic), stream.partition) for topic in Topic for stream in self.streams(topic)
        }
        self._closing = threading.Lock()
        self._closed = False
        with contextlib.ExitStack() as opened, self._asking("reached"):
            self._admin = build(KafkaAdminClient, **self._settings)
            opened.callback(self._admin.close)
            servers = bootstrap if isinstance(bootstrap, str) else ",".join(bootstrap)
            servers += f" --command-config {tools}" if tools else ""
            differing, ids = kafka_topics.ensure(
                self._admin, self._name, replication=replication, compaction=compaction, bootstrap=servers
            )
            self._seen = Seen(ids)
            self._ends = build(
                KafkaConsumer,
                **self._settings,
                group_id=None,
                isolation_level="read_uncommitted",  # whatever stands behind an open transaction is still to be read
                allow_auto_create_topics=False,
                metrics_enabled=False,
            )
            opened.callback(self._ends.close)
            self._servers, self._known = servers, tuple(ids)
            self.differences = (*differing, *self._deleted())
            self._producer = Producer(self._settings)
            opened.callback(self._producer.close)
            self._producer.warm([self._name(topic) for topic in Topic])
            self._lookout = self._looking_out(sound, clear)
            opened.pop_all()

    @property
    def file_delete_seconds(self) -> float:
        """Return how long a broker keeps a compacted segment's file before it deletes it."""
        return int(self._compaction["file.delete.delay.ms"]) / 1000

    def streams(self, topic: Topic) -> tuple[Stream, ...]:
        """Return the topic's streams, in order of their partitions."""
        return log_rules.streams(topic)

    def append(self, topic: Topic, entry: Entry, *, timeout_seconds: float, stream: Stream | None = None) -> Placed:
        """Append to all in-sync replicas and return the entry at its place, dated by the broker.

        Raises NotAppended where no broker was asked or the broker refuses these bytes, OutcomeUnknown for other failures, Halted
        where the log went back (it stands in a log that is not the one of before), and InvalidInput or TooLarge for what no log
        takes.
        """
        stream = log_rules.admit(topic, entry, stream)
        deadline, before = time.monotonic() + timeout_seconds, self._seen.next(stream)
        self._seen.check(topic)
        future, producer = self._send(self._names[stream], entry, deadline)
        began = time.monotonic()
        try:
            metadata = future.get(max(0.0, deadline - began))
        except kafka_errors.KafkaError as error:
            failure = _failure(error, time.monotonic() - began)
            if future.is_done and not isinstance(failure, NotAppended):
                self._producer.retire(producer)  # it may never send again; after a size refused it surely will not
            raise failure from error
        if metadata.offset < 0:  # the broker knew it for a duplicate and no longer knew its place
            raise OutcomeUnknown("Kafka took the entry but did not say where it stands", advice="Ask again what was done.")
        self._seen.appended(stream, self._names[stream].topic, metadata.offset, before)
        return Placed(entry, stream, metadata.offset, metadata.timestamp)

    def settle(self, topic: Topic, keys: Collection[bytes], *, timeout_seconds: float, reading_seconds: float = 0.0) -> bool:
        """Push compaction along after tombstones; True once the log returns no value of these keys and could delete its files.

        It reads the topic from its beginning and appends a tombstone again until the segments roll: seconds where compaction is
        fast, hours with production's settings, so False means "ask again later". What the reading alone takes is given on top,
        up to ``reading_seconds``.
        """
        return topic.compacted and settle(self, topic, keys, Patience(timeout_seconds, reading_seconds))

    def open(self, starts: Mapping[Stream, int]) -> AbstractContextManager[KafkaReader]:
        """Open a reader at these positions, on connections of its own; close it by leaving the context."""
        return self._opened(starts, "read_committed")

    def open_all(self, starts: Mapping[Stream, int]) -> AbstractContextManager[KafkaReader]:
        """Open a reader that brings what lies in the log, also what a transaction wrote and took back or has not ended."""
        return self._opened(starts, "read_uncommitted")

    def _opened(self, starts: Mapping[Stream, int], isolation: str) -> AbstractContextManager[KafkaReader]:
        self._alive()
        with self._asking("reached"):
            reader = KafkaReader(self._settings, self._names, starts, self._alive, self._seen, self._sound, isolation)
            return contextlib.closing(reader)

    def end(self, stream: Stream) -> int:
        """Return the stream's next position: for readiness and lag only; a deposed leader answers with an old one."""
        self._alive()
        with self._asking("asked for its end"):
            ends = self._ends.end_offsets([self._names[stream]], timeout_ms=int(1000 * ASK_SECONDS_MAX))
        return int(ends[self._names[stream]])

    def identity(self, topic: Topic) -> str:
        """Return Kafka's id of the topic: a topic made anew under the same name has another one."""
        self._alive()
        with self._asking("asked for its topics"):
            described = kafka_topics.describe(self._admin, [self._name(topic)])[self._name(topic)]
        if described["error_code"]:
            error = kafka_topics.error_of(described).__name__
            raise Unavailable(
                f"Kafka does not describe {self._name(topic)} ({error})", advice="Look at the topic and this client's rights."
            )
        return str(described["topic_id"])

    def close(self) -> None:
        """Send what is under way, then close all connections; idempotent."""
        with self._closing:
            if not self._closed:
                self._closed = True
                if self._lookout is not None:
                    self._lookout.stop()
                self._producer.close()
                self._ends.close(autocommit=False)
                self._admin.close()

    def _name(self, topic: Topic) -> str:
        return self._prefix + topic.value

    def _alive(self) -> None:
        if self._closed:
            raise Unavailable("the log is closed", advice="The program is shutting down.")

    def _looking_out(self, sound: Callable[[Difference], None] | None, clear: Callable[[Difference], None]) -> Lookout | None:
        """Look at the topics again and again, where there is somebody to tell."""
        if sound is None:
            return None
        partitions = [self._names[stream] for topic in self._known for stream in self.streams(topic)]
        transactions = Transactions(self._admin, partitions, self._servers)

        def look() -> Iterator[Difference]:
            found, whole = kafka_topics.look(
                self._admin, self._name, compaction=self._compaction, bootstrap=self._servers, known=self._known
            )
            yield from found
            if whole:  # else there is a topic that no broker can be asked about
                yield from self._deleted()
                yield from transactions.held_up()

        lookout = Lookout(look, sound, clear)
        lookout.start(self.differences)
        return lookout

    def _deleted(self) -> Iterator[Difference]:
        """Yield what was deleted of topics from which nothing may be."""
        names = {self._names[stream]: stream for topic in self._known if kept_for_ever(topic) for stream in self.streams(topic)}
        begins = self._ends.beginning_offsets(list(names), timeout_ms=int(1000 * ASK_SECONDS_MAX)) if names else {}
        for partition, beginning in begins.items():
            if (lost := deleted(names[partition], partition.topic, 0, beginning)) is not None:
                yield lost

    def _send(self, partition: TopicPartition, entry: Entry, deadline: float) -> tuple[Any, KafkaProducer]:
        """Hand the entry to the producer. What fails here was sent to no broker."""
        size = log_rules.FRAME_BYTES_MAX + len(entry.value or b"")
        if self._closed or not self._producer.reserve(size, deadline - time.monotonic()):
            advice = "The program is shutting down." if self._closed else "Brokers are slow or away: try again shortly."
            raise NotAppended("the log is closed" if self._closed else "too much is under way to the log", advice=advice)
        headers = [(header(name), value) for name, value in entry.headers]
        try:
            fields = {"value": entry.value, "key": entry.key, "headers": headers}
            return self._producer.send(partition.topic, partition.partition, size, fields)
        except _TOO_LARGE as error:
            raise _too_large(error) from error
        except kafka_errors.KafkaError as error:
            advice = "Look at the brokers and this client's rights."
            raise NotAppended(f"Kafka was not asked ({type(error).__name__})", advice=advice) from error

    @contextlib.contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        try:
            yield
        except kafka_errors.KafkaError as error:
            servers = self._settings["bootstrap_servers"]
            advice = f"Is Kafka up at {servers}? A wrong password or protocol looks the same from here: see the client's log."
            raise Unavailable(f"Kafka could not be {what} ({type(error).__name__})", advice=advice) from error


def _too_large(error: kafka_errors.KafkaError) -> TooLarge:
    """Say that the topic takes less than this log does: the same bytes will never be taken."""
    advice = "Raise the topic's max.message.bytes, as `comity status` says."
    return TooLarge(f"Kafka refused the entry for its size ({type(error).__name__})", advice=advice)


def _failure(error: kafka_errors.KafkaError, seconds: float) -> NotAppended | OutcomeUnknown | TooLarge:
    """Say what a failed append means.

    A refusal of rights may follow a try whose answer was lost; one before a second try could begin is the first answer.
    """
    if isinstance(error, _TOO_LARGE):
        return _too_large(error)
    first_answer = isinstance(error, kafka_errors.AuthorizationError) and seconds < RETRY_SECONDS
    if isinstance(error, _ALWAYS_REFUSED) or first_answer:
        return NotAppended(f"Kafka refused the entry ({type(error).__name__})", advice="Look at this client's rights and limits.")
    return OutcomeUnknown(f"Kafka did not confirm the entry ({type(error).__name__})", advice="Ask again what was done.")
