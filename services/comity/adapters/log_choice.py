"""Which log: one SQLite file, the broker that was started here, or brokers elsewhere."""

from __future__ import annotations

from pathlib import Path

from comity.acts.alarms import Alarms
from comity.adapters.local_kafka import LocalKafka
from comity.adapters.sqlite_log import SqliteLog
from comity.ports import EventLog


def opened_log(path: Path, kafka: str | None, prefix: str, broker: LocalKafka | None, alarms: Alarms) -> EventLog:
    """Open the log: the file at ``path`` unless Kafka is named. Sounds an alarm for whatever topic is not as it should be."""
    if kafka is None:
        return SqliteLog(path)
    from comity.adapters.kafka_log import KafkaLog  # noqa: PLC0415 - kafka-python is read only where it is used
    from comity.adapters.kafka_shape import Difference  # noqa: PLC0415
    from comity.adapters.kafka_topics import FAST_COMPACTION  # noqa: PLC0415

    def sound(one: Difference) -> None:
        alarms.sound(f"topic {one.what}", one.what, one.command)

    def clear(one: Difference) -> None:
        alarms.clear(f"topic {one.what}")

    if broker is None:
        return KafkaLog(kafka, prefix=prefix, sound=sound, clear=clear)
    broker.start()
    return KafkaLog(
        broker.bootstrap,
        prefix=prefix,
        compaction=FAST_COMPACTION,
        security=broker.security,
        tools=broker.tools,
        sound=sound,
        clear=clear,
    )
