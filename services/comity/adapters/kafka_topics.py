"""The exchange's topics on a broker: made where they are missing, recognised where they are there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from kafka import KafkaAdminClient
from kafka import errors as kafka_errors

from comity.adapters import log_rules
from comity.domain.log import Topic
from comity.errors import Halted, Unavailable

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

    The broker's clock dates every entry. It stores without compression whatever a stranger sent, for kafka-python raises on a
    codec that is not installed, and one such entry would stop every reader.
    """
    common = {
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": str(log_rules.RECORD_BYTES_MAX),
        "compression.type": "uncompressed",
    }
    if topic.compacted:
        return {**common, "cleanup.policy": "compact", **compaction}
    return {**common, "cleanup.policy": "delete", "retention.ms": _KEPT_MS[topic], "retention.bytes": _FOR_EVER}


def describe(admin: KafkaAdminClient, names: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return what the broker says of each topic, by name."""
    return {described["name"]: described for described in admin.describe_topics(list(names))}


def ensure(
    admin: KafkaAdminClient, name: Callable[[Topic], str], *, replication: int | None, compaction: Mapping[str, str]
) -> None:
    """Make the topics that are missing.

    Topics that this client may not see are left alone. Raises Halted where one has another number of partitions, for a key's
    entries would then not keep their stream; Unavailable where one is missing and may not be made.
    """
    found = {topic: describe(admin, [name(topic)]).get(name(topic), {}) for topic in Topic}
    missing = [topic for topic, said in found.items() if error_of(said) is kafka_errors.UnknownTopicOrPartitionError]
    try:
        if missing:
            wanted = {
                name(topic): {
                    "num_partitions": len(log_rules.streams(topic)),
                    "replication_factor": replication or -1,
                    "configs": settings(topic, compaction),
                }
                for topic in missing
            }
            admin.create_topics(wanted, timeout_ms=_CREATE_MS_MAX, wait_for_metadata=True)
    except kafka_errors.TopicAlreadyExistsError:
        admin.wait_for_topics([name(topic) for topic in missing])  # another process was faster
    except kafka_errors.KafkaError as error:
        advice = f"Let an administrator of the brokers make {', '.join(map(name, missing))}."
        raise Unavailable(f"Kafka did not make the topics ({type(error).__name__})", advice=advice) from error
    for topic, said in found.items():
        if error_of(said) is kafka_errors.NoError and len(said["partitions"]) != len(log_rules.streams(topic)):
            advice = f"It needs {len(log_rules.streams(topic))}; a topic's partitions cannot be changed without mixing its keys."
            raise Halted(f"{name(topic)} has {len(said['partitions'])} partitions", advice=advice)


def error_of(described: Mapping[str, Any]) -> type[kafka_errors.KafkaError]:
    """Return the error that a topic's description carries, ``NoError`` where it is well."""
    code = described.get("error_code", kafka_errors.UnknownTopicOrPartitionError.errno)
    error: type[kafka_errors.KafkaError] = kafka_errors.for_code(code)  # type: ignore[no-untyped-call]
    return error
