"""A log that lost entries beneath whoever follows it: told, whoever reads and whoever appends next; never passed over."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType

from brokers import Broker, fetch_jars
from comity.adapters.kafka_log import KafkaLog
from comity.adapters.kafka_shape import Difference
from comity.adapters.kafka_topics import FAST_COMPACTION
from comity.adapters.local_kafka import LocalKafka
from comity.domain.log import JOURNAL, Batch, Entry, Stream, Topic
from comity.errors import Halted
from comity.ports import Reader
from comity.projection.projector import Follower

pytestmark = pytest.mark.kafka
SECONDS = 20.0
KEPT = (Topic.JOURNAL, Topic.ENROLMENTS, Topic.TEMPLATES)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[LocalKafka]:
    fetch_jars()
    with LocalKafka(tmp_path / "kafka") as kafka:
        yield kafka


@pytest.fixture
def admin(broker: Broker) -> Iterator[KafkaAdminClient]:
    client = KafkaAdminClient(bootstrap_servers=broker.bootstrap, **broker.security)
    yield client
    client.close()


def opened(broker: Broker, prefix: str) -> KafkaLog:
    return KafkaLog(broker.bootstrap, security=broker.security, prefix=prefix, compaction=FAST_COMPACTION)


def append(log: KafkaLog, topic: Topic, count: int, word: str = "value") -> Stream:
    """Append entries of one key, so of one stream."""
    for number in range(count):
        placed = log.append(topic, Entry(b"key", b"%s %d" % (word.encode(), number)), timeout_seconds=SECONDS)
    return placed.stream


def elsewhere(broker: Broker | LocalKafka, prefix: str, topic: Topic, count: int) -> None:
    """Append entries of the same key by another process's means."""
    other = KafkaLog(broker.bootstrap, security=broker.security, prefix=prefix, compaction=FAST_COMPACTION)
    append(other, topic, count, "another")
    other.close()


def come(reader: Reader, count: int) -> list[int]:
    """Read until so many entries came, and return their positions."""
    came: list[int] = []
    deadline = time.monotonic() + SECONDS
    while len(came) < count and time.monotonic() < deadline:
        for batch in reader.poll(timeout_seconds=0.2, entries_max=100).values():
            came += [placed.position for placed in batch.entries]
    return came


def cut(folder: Path) -> None:
    """Take the last batch of a stopped broker's stream, as a loss of power does that had not reached the disk."""
    segment = max(folder.glob("*.log"))
    content, at, last = segment.read_bytes(), 0, 0
    while at < len(content):
        at, last = at + 12 + int.from_bytes(content[at + 8 : at + 12], "big"), at
    with segment.open("r+b") as file:
        file.truncate(last)
    for index in (*folder.glob("*.index"), *folder.glob("*.timeindex"), *folder.parent.glob(".kafka_cleanshutdown")):
        index.unlink()


def test_an_entry_that_a_broker_lost_halts_its_reader_at_every_poll(own: LocalKafka) -> None:
    log = KafkaLog(own.bootstrap, security=own.security, compaction=FAST_COMPACTION)
    try:
        append(log, Topic.JOURNAL, 5)
        with log.open({JOURNAL: 0}) as reader:
            assert len(come(reader, 5)) == 5
            own.stop()
            cut(own.data() / f"{Topic.JOURNAL}-0")
            own.start()
            halted = 0
            while halted < 8:  # the library raises it from one place, or from another
                try:
                    assert not reader.poll(timeout_seconds=0.1, entries_max=10)
                except Halted:
                    halted += 1
    finally:
        log.close()


def test_a_follower_of_a_stream_that_lost_an_entry_stays_down(own: LocalKafka) -> None:
    """It must not open anew at a position that is another entry's by then."""
    log = KafkaLog(own.bootstrap, security=own.security, compaction=FAST_COMPACTION)
    applied: list[int] = []

    def apply(_stream: Stream, batch: Batch) -> None:
        applied.extend(placed.position for placed in batch.entries)

    stream = append(log, Topic.ENROLMENTS, 5)
    follower = Follower("test", log, lambda: {stream: len(applied)}, apply)
    try:
        follower.start()
        _until(lambda: len(applied) == 5)
        own.stop()
        cut(own.data() / f"{Topic.ENROLMENTS}-{stream.partition}")
        own.start()
        _until(lambda: follower.failure is not None)
        elsewhere(own, "", Topic.ENROLMENTS, 3)
        time.sleep(2.5)  # a retry comes after one second
        assert applied == [0, 1, 2, 3, 4]
        assert follower.failure is not None
        assert "Kafka" in follower.failure
    finally:
        follower.stop()
        log.close()


def _until(true: object) -> None:
    deadline = time.monotonic() + 2 * SECONDS
    while not true():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("topic", KEPT)
@pytest.mark.parametrize("how", ["polling", "waiting"])
def test_a_topic_that_was_made_anew_halts_its_readers(broker: Broker, admin: KafkaAdminClient, topic: Topic, how: str) -> None:
    """It may be longer than the position by the time: then nothing else tells."""
    prefix = broker.prefix()
    log = opened(broker, prefix)
    try:
        stream = append(log, topic, 3)
        with log.open({stream: 0}) as reader:
            assert len(come(reader, 3)) == 3
            admin.delete_topics([prefix + topic])
            if how == "polling":
                with pytest.raises(Halted):
                    _polls_while(reader, lambda: elsewhere(broker, prefix, topic, 6))
            else:
                elsewhere(broker, prefix, topic, 6)
                with pytest.raises(Halted):  # at the latest once it looks at the topic again
                    come(reader, 100)
    finally:
        log.close()


def _polls_while(reader: Reader, act: object) -> None:
    acting = threading.Thread(target=act)  # type: ignore[arg-type]
    acting.start()
    try:
        while acting.is_alive():
            assert not reader.poll(timeout_seconds=0.2, entries_max=10)
        assert come(reader, 1) == []
    finally:
        acting.join()


@pytest.mark.parametrize("topic", KEPT)
def test_an_append_below_what_was_seen_halts(broker: Broker, admin: KafkaAdminClient, topic: Topic) -> None:
    """Who waits for the ledger to reach such a place would not wait at all."""
    prefix = broker.prefix()
    log = opened(broker, prefix)
    try:
        append(log, topic, 3)
        admin.delete_topics([prefix + topic])
        opened(broker, prefix).close()
        with pytest.raises(Halted, match=prefix + topic):
            append(log, topic, 1)
        with pytest.raises(Halted):
            append(log, topic, 1)
    finally:
        log.close()


def test_what_a_reader_saw_counts_for_an_append(broker: Broker, admin: KafkaAdminClient) -> None:
    prefix = broker.prefix()
    other = opened(broker, prefix)
    append(other, Topic.JOURNAL, 3)
    other.close()
    log = opened(broker, prefix)
    try:
        with log.open({JOURNAL: 0}) as reader:
            assert come(reader, 3) == [0, 1, 2]
        admin.delete_topics([prefix + Topic.JOURNAL])
        opened(broker, prefix).close()
        with pytest.raises(Halted):
            append(log, Topic.JOURNAL, 1)
    finally:
        log.close()


def delete_before(admin: KafkaAdminClient, prefix: str, stream: Stream, position: int) -> None:
    if stream.topic.compacted:  # else the broker refuses
        admin.alter_configs(
            [ConfigResource(ConfigResourceType.TOPIC, prefix + stream.topic, {"cleanup.policy": "compact,delete"})]
        )
        time.sleep(1)
    admin.delete_records({TopicPartition(prefix + stream.topic, stream.partition): position})


def test_a_journal_without_its_beginning_halts_whoever_reads_it_and_is_told_at_start(
    broker: Broker, admin: KafkaAdminClient
) -> None:
    prefix = broker.prefix()
    log = opened(broker, prefix)
    try:
        append(log, Topic.JOURNAL, 5)
        delete_before(admin, prefix, JOURNAL, 3)
        with log.open({JOURNAL: 2}) as reader, pytest.raises(Halted, match="deleted"):
            reader.poll(timeout_seconds=SECONDS, entries_max=10)
        with log.open({JOURNAL: 3}) as reader:
            assert come(reader, 2) == [3, 4]
    finally:
        log.close()
    again = opened(broker, prefix)
    again.close()
    (told,) = again.differences
    assert told.what == f"{prefix}{Topic.JOURNAL}/0: the entries from 0 to 2 were deleted"


@pytest.mark.parametrize("topic", [Topic.ENROLMENTS, Topic.TEMPLATES])
def test_entries_of_other_topics_that_were_deleted_unread_are_told_and_passed_over(
    broker: Broker, admin: KafkaAdminClient, topic: Topic
) -> None:
    told: list[Difference] = []
    prefix = broker.prefix()
    log = KafkaLog(
        broker.bootstrap,
        security=broker.security,
        prefix=prefix,
        compaction={**FAST_COMPACTION, "segment.ms": "60000"},
        sound=told.append,
    )
    try:
        stream = append(log, topic, 5)
        delete_before(admin, prefix, stream, 3)
        with log.open({stream: 1}) as reader:
            assert come(reader, 2) == [3, 4]
        assert [one.what for one in told] == [f"{prefix}{topic}/{stream.partition}: the entries from 1 to 2 were deleted"]
    finally:
        log.close()


def test_what_is_kept_for_a_time_begins_where_its_time_ends(broker: Broker, admin: KafkaAdminClient) -> None:
    prefix = broker.prefix()
    log = opened(broker, prefix)
    try:
        stream = append(log, Topic.QUARANTINE, 5)
        delete_before(admin, prefix, stream, 3)
        with log.open({stream: 0}) as reader:
            assert come(reader, 2) == [3, 4]
    finally:
        log.close()
    again = opened(broker, prefix)
    again.close()
    assert again.differences == ()


def test_a_reader_that_opens_anew_knows_what_was_there_before_its_position(own: LocalKafka) -> None:
    """A follower whose work failed meanwhile opens again: the stream may be as long as before by then, of other entries."""
    log = KafkaLog(own.bootstrap, security=own.security, compaction=FAST_COMPACTION)
    try:
        append(log, Topic.JOURNAL, 5)
        with log.open({JOURNAL: 0}) as reader:
            assert len(come(reader, 5)) == 5
        own.stop()
        cut(own.data() / f"{Topic.JOURNAL}-0")
        own.start()
        elsewhere(own, "", Topic.JOURNAL, 3)
        with log.open({JOURNAL: 5}) as reader, pytest.raises(Halted):
            come(reader, 100)
        with log.open({JOURNAL: 3}) as reader:  # what is still there is read
            assert come(reader, 1)[0] == 3
    finally:
        log.close()
