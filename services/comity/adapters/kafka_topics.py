"""The exchange's topics on a broker: made where they are missing, recognised where they are there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from kafka import KafkaAdminClient
from kafka import errors as kafka_errors

from comity.adapters import log_rules
from comity.adapters.kafka_shape import (
    IN_SYNC_MIN,
    REPLICAS_SAFE,
    Difference,
    differences,
    gone_topic,
    halt_where_endangered,
)
from comity.domain.log import Topic
from comity.errors import Unavailable

_DAY_MS = 24 * 3600 * 1000
_FOR_EVER = "-1"
_KEPT_MS = {Topic.JOURNAL: _FOR_EVER, Topic.NOTICES: str(365 * _DAY_MS), Topic.QUARANTINE: str(90 * _DAY_MS)}
_CREATE_MS_MAX = 15_000

# A tombstone stays a day, so that a view that slept meets it; a value is gone an hour and a day later at the latest. No entry
# goes within its first hour, so that whoever follows sees what a stranger's entry under the same key pushed out.
COMPACTION: Mapping[str, str] = {
    "min.compaction.lag.ms": str(3600 * 1000),
    "segment.ms": str(3600 * 1000),
    "min.cleanable.dirty.ratio": "0.1",
    "max.compaction.lag.ms": str(_DAY_MS),
    "delete.retention.ms": str(_DAY_MS),
    "file.delete.delay.ms": "1000",
}
# For a broker of one's own: a tombstoned value is gone from its files after one to three seconds.
FAST_COMPACTION: Mapping[str, str] = {
    "segment.ms": "200",
    "min.cleanable.dirty.ratio": "0.01",
    "max.compaction.lag.ms": "200",
    "delete.retention.ms": str(_DAY_MS),
    "file.delete.delay.ms": "100",
}


def settings(topic: Topic, compaction: Mapping[str, str]) -> dict[str, str]:
    """Return a topic's settings.

    The broker's clock dates every entry. It stores without compression whatever a stranger sent: a batch that unpacks to more
    than an entry may have is then refused by the broker, where it would fill each reader's memory; and the scan for erased
    bytes could not look into packed files. Readers know every codec all the same, for topics that others made.
    """
    common = {
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": str(log_rules.RECORD_BYTES_MAX),
        "compression.type": "uncompressed",
        "unclean.leader.election.enable": "false",  # else a replica that missed an order may become the journal
    }
    if topic.compacted:
        return {**common, "cleanup.policy": "compact", **compaction}
    return {**common, "cleanup.policy": "delete", "retention.ms": _KEPT_MS[topic], "retention.bytes": _FOR_EVER}


def describe(admin: KafkaAdminClient, names: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return what the broker says of each topic, by name."""
    return {described["name"]: described for described in admin.describe_topics(list(names))}


def ensure(
    admin: KafkaAdminClient,
    name: Callable[[Topic], str],
    *,
    replication: int | None,
    compaction: Mapping[str, str],
    bootstrap: str,
) -> tuple[tuple[Difference, ...], dict[Topic, str]]:
    """Make the topics that are missing; return in what those that are there differ from what is needed, and their ids.

    Topics that this client may not see are left alone. Raises Halted where a promise hangs on a difference, Unavailable where
    a topic is missing and may not be made.
    """
    found = {topic: describe(admin, [name(topic)]).get(name(topic), {}) for topic in Topic}
    missing = [topic for topic, said in found.items() if error_of(said) is kafka_errors.UnknownTopicOrPartitionError]
    if missing:
        _make(admin, {name(topic): _wanted(topic, replication, compaction) for topic in missing})
        found |= {topic: describe(admin, [name(topic)]).get(name(topic), {}) for topic in missing}
    seen = {topic: said for topic, said in found.items() if error_of(said) is kafka_errors.NoError}
    differing = differences(admin, seen, lambda topic: settings(topic, compaction), bootstrap, missing)
    halt_where_endangered(differing)
    return differing, {topic: str(said["topic_id"]) for topic, said in seen.items()}


def look(
    admin: KafkaAdminClient,
    name: Callable[[Topic], str],
    *,
    compaction: Mapping[str, str],
    bootstrap: str,
    known: Collection[Topic],
) -> tuple[tuple[Difference, ...], bool]:
    """Return in what the topics that this client knew at start differ now from what is needed, and whether all are there."""
    found = {topic: describe(admin, [name(topic)]).get(name(topic), {}) for topic in known}
    seen = {topic: said for topic, said in found.items() if error_of(said) is kafka_errors.NoError}
    gone = [gone_topic(name(t)) for t, said in found.items() if error_of(said) is kafka_errors.UnknownTopicOrPartitionError]
    return (*gone, *differences(admin, seen, lambda topic: settings(topic, compaction), bootstrap)), not gone


def _wanted(topic: Topic, replication: int | None, compaction: Mapping[str, str]) -> dict[str, Any]:
    safe = {"min.insync.replicas": str(IN_SYNC_MIN)} if (replication or 0) >= REPLICAS_SAFE else {}
    return {
        "num_partitions": len(log_rules.streams(topic)),
        "replication_factor": replication or -1,
        "configs": settings(topic, compaction) | safe,
    }


def _make(admin: KafkaAdminClient, wanted: dict[str, dict[str, Any]]) -> None:
    try:
        admin.create_topics(wanted, timeout_ms=_CREATE_MS_MAX, wait_for_metadata=True)
    except kafka_errors.TopicAlreadyExistsError:
        admin.wait_for_topics(list(wanted))  # another process was faster
    except kafka_errors.KafkaError as error:
        advice = "Let an administrator make the topics, or allow this client Create and DescribeConfigs."
        raise Unavailable(f"Kafka did not make the topics ({type(error).__name__})", advice=advice) from error


def error_of(described: Mapping[str, Any]) -> type[kafka_errors.KafkaError]:
    """Return the error that a topic's description carries, ``NoError`` where it is well."""
    code = described.get("error_code", kafka_errors.UnknownTopicOrPartitionError.errno)
    error: type[kafka_errors.KafkaError] = kafka_errors.for_code(code)  # type: ignore[no-untyped-call]
    return error
