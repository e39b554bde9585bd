"""Topics that others made, with a broker's defaults or worse: told at start, each with the command that mends it."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType

from brokers import Broker
from comity.adapters import kafka_lookout, kafka_shape, log_rules
from comity.adapters.kafka_log import KafkaLog
from comity.adapters.kafka_topics import COMPACTION, FAST_COMPACTION, settings
from comity.domain.log import JOURNAL, Entry, Topic
from comity.errors import Halted, TooLarge

pytestmark = pytest.mark.kafka
SECONDS = 20.0
MENDS = re.compile(r"--entity-name (\S+) --add-config ([^=]+)=([^`]+)`")


@pytest.fixture
def admin(broker: Broker) -> Iterator[KafkaAdminClient]:
    client = KafkaAdminClient(**broker.client)
    yield client
    client.close()


def make(
    admin: KafkaAdminClient, prefix: str, topic: Topic, configs: dict[str, str | None], partitions: int | None = None
) -> None:
    """Make a topic as it should be, but for what is named; None leaves a setting to the broker's default."""
    wanted = settings(topic, FAST_COMPACTION) | {name.replace("_", "."): value for name, value in configs.items()}
    admin.create_topics(
        {
            prefix + topic: {
                "num_partitions": partitions or len(log_rules.streams(topic)),
                "replication_factor": 1,
                "configs": {name: value for name, value in wanted.items() if value is not None},
            }
        },
        wait_for_metadata=True,
    )


def opened(broker: Broker, prefix: str) -> list[kafka_shape.Difference]:
    log = KafkaLog(broker.bootstrap, security=broker.security, prefix=prefix, compaction=FAST_COMPACTION)
    log.close()
    return list(log.differences)


def obey(admin: KafkaAdminClient, commands: str) -> int:
    """Do what the commands say, as kafka-configs.sh would."""
    found = MENDS.findall(commands)
    for name, key, value in found:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, {key: value})])
    return len(found)


def is_well(broker: Broker, prefix: str) -> bool:
    """Say whether no difference is left, once the broker has taken in what it was told."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(Halted):
            if not opened(broker, prefix):
                return True
        time.sleep(0.2)
    return False


def test_topics_that_were_made_here_are_as_they_should_be(broker: Broker) -> None:
    assert opened(broker, prefix := broker.prefix()) == []
    assert opened(broker, prefix) == []


@pytest.mark.parametrize(
    ("topic", "configs"),
    [
        (Topic.JOURNAL, {"cleanup_policy": "compact"}),
        (Topic.JOURNAL, {"cleanup_policy": "compact,delete"}),
        (Topic.JOURNAL, {"retention_ms": "604800000"}),
        (Topic.JOURNAL, {"retention_ms": None}),
        (Topic.JOURNAL, {"retention_bytes": "1000000"}),
        (Topic.JOURNAL, {"message_timestamp_type": "CreateTime"}),
        (Topic.JOURNAL, {"unclean_leader_election_enable": "true"}),
        (Topic.ENROLMENTS, {"cleanup_policy": "delete"}),
        (Topic.TEMPLATES, {"cleanup_policy": "compact,delete"}),
    ],
)
def test_what_endangers_a_promise_halts_and_its_command_mends_it(
    broker: Broker, admin: KafkaAdminClient, topic: Topic, configs: dict[str, str | None]
) -> None:
    prefix = broker.prefix()
    make(admin, prefix, topic, configs)
    (key,) = (name.replace("_", ".") for name in configs)
    with pytest.raises(Halted) as caught:
        opened(broker, prefix)
    assert prefix + topic in caught.value.message
    assert key in caught.value.message
    assert ",".join(broker.bootstrap) in caught.value.advice
    assert obey(admin, caught.value.advice) == 1
    assert is_well(broker, prefix)


@pytest.mark.parametrize(
    ("topic", "configs"),
    [
        (Topic.JOURNAL, {"max_message_bytes": "1048588"}),
        (Topic.JOURNAL, {"compression_type": "producer"}),
        (Topic.JOURNAL, {"min_insync_replicas": "3"}),
        (Topic.ENROLMENTS, {"max_message_bytes": "200000000"}),
        (Topic.ENROLMENTS, {"message_timestamp_type": "CreateTime"}),
        (Topic.ENROLMENTS, {"unclean_leader_election_enable": "true"}),
        (Topic.TEMPLATES, {"max_compaction_lag_ms": None}),
        (Topic.TEMPLATES, {"delete_retention_ms": "1000"}),
        (Topic.ENROLMENTS, {"file_delete_delay_ms": "60000"}),
        (Topic.QUARANTINE, {"retention_ms": "1000"}),
        (Topic.QUARANTINE, {"cleanup_policy": "compact"}),
        (Topic.NOTICES, {"retention_bytes": "1000"}),
    ],
)
def test_what_is_merely_not_as_it_should_be_is_told_with_its_command(
    broker: Broker, admin: KafkaAdminClient, topic: Topic, configs: dict[str, str | None]
) -> None:
    prefix = broker.prefix()
    make(admin, prefix, topic, configs)
    (told,) = opened(broker, prefix)
    assert next(iter(configs)).replace("_", ".") in told.what
    assert prefix + topic in told.what
    assert obey(admin, told.command) == 1
    assert is_well(broker, prefix)


@pytest.mark.parametrize(("topic", "partitions"), [(Topic.JOURNAL, 2), (Topic.ENROLMENTS, 1), (Topic.TEMPLATES, 4)])
def test_another_number_of_partitions_halts(broker: Broker, admin: KafkaAdminClient, topic: Topic, partitions: int) -> None:
    prefix = broker.prefix()
    make(admin, prefix, topic, {}, partitions)
    with pytest.raises(Halted, match=f"{partitions} partitions") as caught:
        opened(broker, prefix)
    assert f"--delete --topic {prefix}{topic}" in caught.value.advice


def test_all_topics_with_a_brokers_defaults_are_told_at_once(broker: Broker, admin: KafkaAdminClient) -> None:
    """FC-42: made beforehand, with defaults."""
    prefix = broker.prefix()
    for topic in Topic:
        make(admin, prefix, topic, dict.fromkeys(name.replace(".", "_") for name in settings(topic, COMPACTION)))
    with pytest.raises(Halted) as caught:
        opened(broker, prefix)
    for topic in (Topic.JOURNAL, Topic.ENROLMENTS, Topic.TEMPLATES):
        assert prefix + topic in caught.value.message
    while True:
        try:
            for told in opened(broker, prefix):
                assert obey(admin, told.command)
            break
        except Halted as halted:
            obey(admin, halted.advice)
            time.sleep(0.2)
    assert is_well(broker, prefix)


def test_of_three_replicas_two_must_have_an_entry(monkeypatch: pytest.MonkeyPatch, broker: Broker) -> None:
    """One broker stands for three here: what is compared is what the broker says."""
    monkeypatch.setattr(kafka_shape, "REPLICAS_SAFE", 1)
    told = opened(broker, broker.prefix())
    assert {one.what.split(": ")[1] for one in told} == {"min.insync.replicas is 1 of 1 replicas, it needs 2"}


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
@pytest.mark.parametrize("kept", ["producer", "its own"])
def test_every_codec_that_a_broker_keeps_can_be_read(broker: Broker, admin: KafkaAdminClient, codec: str, kept: str) -> None:
    prefix = broker.prefix()
    make(admin, prefix, Topic.JOURNAL, {"compression_type": "producer" if kept == "producer" else codec})
    values = [b"%d " % n + b"all alike" * 300_000 for n in range(3)]
    producer = KafkaProducer(
        **broker.client,
        compression_type=codec,  # type: ignore[arg-type]
        linger_ms=500,
        max_request_size=2**25,
    )
    sent = [producer.send(prefix + Topic.JOURNAL, key=b"k", value=value, partition=0) for value in values]
    for one in sent:
        one.get(SECONDS)  # type: ignore[no-untyped-call]
    producer.close()
    log = KafkaLog(broker.bootstrap, security=broker.security, prefix=prefix, compaction=FAST_COMPACTION)
    try:
        with log.open({JOURNAL: 0}) as reader:
            came: list[bytes | None] = []
            while len(came) < len(values):
                for batch in reader.poll(timeout_seconds=SECONDS, entries_max=10).values():
                    came += [placed.entry.value for placed in batch.entries]
    finally:
        log.close()
    assert came == values


def test_a_topic_that_takes_less_says_that_the_entry_is_too_large(broker: Broker, admin: KafkaAdminClient) -> None:
    prefix = broker.prefix()
    make(admin, prefix, Topic.QUARANTINE, {"max_message_bytes": "10000"})
    log = KafkaLog(broker.bootstrap, security=broker.security, prefix=prefix, compaction=FAST_COMPACTION)
    try:
        with pytest.raises(TooLarge):
            log.append(Topic.QUARANTINE, Entry(b"k", bytes(20_000)), timeout_seconds=SECONDS)
        assert log.append(Topic.QUARANTINE, Entry(b"k", b"small"), timeout_seconds=SECONDS).position == 0
    finally:
        log.close()


class Told:
    """Keeps what is sounded and not cleared."""

    def __init__(self) -> None:
        self.held: dict[str, kafka_shape.Difference] = {}

    def sound(self, one: kafka_shape.Difference) -> None:
        self.held[one.what] = one

    def clear(self, one: kafka_shape.Difference) -> None:
        del self.held[one.what]

    def until(self, *words: str) -> list[kafka_shape.Difference]:
        """Wait until what is held bears these words, one each."""
        deadline = time.monotonic() + SECONDS
        while True:
            held = list(self.held.values())
            if len(held) == len(words) and all(word in one.what for word, one in zip(words, held, strict=True)):
                return held
            assert time.monotonic() < deadline, held
            time.sleep(0.05)


@contextlib.contextmanager
def looking(broker: Broker, prefix: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[KafkaLog, Told]]:
    monkeypatch.setattr(kafka_lookout, "LOOK_SECONDS", 0.3)
    told = Told()
    log = KafkaLog(
        broker.bootstrap, security=broker.security, prefix=prefix, compaction=FAST_COMPACTION, sound=told.sound, clear=told.clear
    )
    try:
        yield log, told
    finally:
        log.close()


def test_what_is_changed_by_hand_while_it_runs_is_told_and_cleared_once_it_is_mended(
    broker: Broker, admin: KafkaAdminClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = broker.prefix()
    with looking(broker, prefix, monkeypatch) as (_, told):
        name = prefix + Topic.JOURNAL
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, {"retention.ms": "604800000"})])
        (one,) = told.until(f"{name}: retention.ms is 604800000")
        assert obey(admin, one.command) == 1
        told.until()
        admin.delete_topics([name])
        told.until(f"{name} is no longer there")


@pytest.mark.parametrize("topic", [Topic.JOURNAL, Topic.ENROLMENTS])
def test_a_transaction_that_is_left_open_counts_as_lag_and_is_told_until_it_ends(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, topic: Topic
) -> None:
    """Nothing behind it comes to any reader: it must not look as if nothing stood there."""
    prefix = broker.prefix()
    producer = KafkaProducer(**broker.client, transactional_id=prefix + "left-open", acks="all")
    with looking(broker, prefix, monkeypatch) as (log, told):
        producer.init_transactions()
        producer.begin_transaction()
        stream = log_rules.stream_of(topic, b"key")
        producer.send(prefix + topic, key=b"key", value=b"open", partition=stream.partition)
        producer.flush()
        behind = log.append(topic, Entry(b"key", b"behind"), timeout_seconds=SECONDS)
        assert log.end(stream) == behind.position + 1 == 2
        assert not topic.compacted or not log.settle(topic, [b"key"], timeout_seconds=1)
        (one,) = told.until(f"{prefix}{topic}/{stream.partition}: a transaction was left open at 0")
        assert "--start-offset 0" in one.command
        producer.abort_transaction()
        told.until()
        with log.open({stream: 0}) as reader:
            came = reader.poll(timeout_seconds=SECONDS, entries_max=10)
        assert [placed.position for placed in came[stream].entries] == [1]
    producer.close()


def test_what_a_transaction_took_back_is_not_gone_while_it_lies_in_the_log(broker: Broker) -> None:
    """Nobody reads it, and the broker keeps it until its segment is compacted: an erasure must not say that it was."""
    prefix = broker.prefix()
    log = KafkaLog(broker.bootstrap, security=broker.security, prefix=prefix, compaction=FAST_COMPACTION)
    producer = KafkaProducer(**broker.client, transactional_id=prefix + "aborts", acks="all")
    try:
        producer.init_transactions()
        stream = log.append(Topic.ENROLMENTS, Entry(b"key", None), timeout_seconds=SECONDS).stream
        assert log.settle(Topic.ENROLMENTS, [b"key"], timeout_seconds=SECONDS)
        producer.begin_transaction()
        producer.send(prefix + Topic.ENROLMENTS, key=b"key", value=b"taken back", partition=stream.partition)
        producer.flush()
        producer.abort_transaction()
        end = log.end(stream)
        assert log.settle(Topic.ENROLMENTS, [b"key"], timeout_seconds=SECONDS)  # although nothing else comes into the topic
        assert log.end(stream) > end
        with log.open_all({stream: 0}) as reader:
            came = reader.poll(timeout_seconds=SECONDS, entries_max=10)
        assert {placed.entry.value for placed in came[stream].entries} == {None}
    finally:
        producer.close()
        log.close()
