"""Which log: one SQLite file, the broker that was started here, or brokers elsewhere. A home remembers which.

Without its memory a home on Kafka that was opened without naming it got a log of its own beside, in which nothing stood.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from comity.acts.alarms import Alarms
from comity.adapters.local_kafka import LocalKafka
from comity.adapters.sqlite_log import SqliteLog
from comity.errors import InvalidInput
from comity.ports import EventLog


@dataclass(frozen=True, slots=True)
class Choice:
    """Where a home's log lies: ``kafka`` is None for the SQLite file in the home; ``prefix`` goes before topics' names."""

    kafka: str | None
    prefix: str


def remembered(memory: Path, said: Choice) -> Choice:
    """Return where this home's log lies: what is said, and what is left unsaid as it was. Raises InvalidInput.

    Brokers may move; a home whose log is a file stays so.
    """
    try:
        held = Choice(**json.loads(memory.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return said
    except (OSError, ValueError, TypeError):
        raise InvalidInput(
            f"{memory} is no memory of a log.", advice="Delete it, and say --kafka where this home's log is on Kafka."
        ) from None
    if said.kafka is not None and held.kafka is None:
        raise InvalidInput(
            "This home's log is a file in it, and not on Kafka.", advice="Leave --kafka out, or name another home."
        )
    return Choice(said.kafka or held.kafka, said.prefix or held.prefix)


def remember(memory: Path, choice: Choice, *, started: bool) -> None:
    """Keep where a home's log lies: of a new home as soon as it was opened, else once the home has ``started`` on it.

    Brokers that were named by mistake may answer too; they hold another journal, and the start refuses them.
    """
    if memory.exists() and not started:
        return
    beside = memory.with_name(f"{memory.name}.new")
    beside.write_text(json.dumps(asdict(choice)) + "\n", encoding="utf-8")
    beside.replace(memory)


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
