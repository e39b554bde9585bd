"""Whether a broker's topics are as the exchange needs them, and the command that mends what is not.

Topics that were made beforehand with a broker's defaults look right and are not: a journal is gone after seven days, a court's
order was never durable, a tombstone erases nothing. So each setting that a promise rests on is read and compared at start.
What endangers a promise stops the exchange; anything else is an alarm.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kafka import KafkaAdminClient
from kafka import errors as kafka_errors
from kafka.admin import ConfigResource, ConfigResourceType

from comity.adapters import log_rules
from comity.adapters.kafka_seen import kept_for_ever
from comity.domain.log import Stream, Topic
from comity.errors import Halted

REPLICAS_SAFE = 3  # with so many, two must have an entry before it is acknowledged
IN_SYNC_MIN = 2

# Kept for ever, and in one place: what is lost here was a court's order. The others can be made or sent again.
_ENDANGERS = {
    Topic.JOURNAL: frozenset(
        {"cleanup.policy", "retention.ms", "retention.bytes", "message.timestamp.type", "unclean.leader.election.enable"}
    ),
    # Without compaction nothing is ever erased; with a retention everything is.
    Topic.ENROLMENTS: frozenset({"cleanup.policy"}),
    Topic.TEMPLATES: frozenset({"cleanup.policy"}),
}
_COMPARED = (
    "cleanup.policy",
    "retention.ms",
    "retention.bytes",
    "message.timestamp.type",
    "max.message.bytes",
    "compression.type",
    "unclean.leader.election.enable",
    "max.compaction.lag.ms",
    "delete.retention.ms",
    "min.compaction.lag.ms",
    "file.delete.delay.ms",
)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which a topic is not as it has to be: what, the command that mends it, and whether a promise hangs on it."""

    name: str
    what: str
    command: str
    endangers: bool


def differences(
    admin: KafkaAdminClient,
    described: Mapping[Topic, Mapping[str, Any]],
    wanted: Callable[[Topic], Mapping[str, str]],
    bootstrap: str,
    made: Collection[Topic] = (),
) -> tuple[Difference, ...]:
    """Return in what the topics that this client may see differ from what is wanted.

    Of those that were ``made`` just now a broker may not know the settings yet, which is no difference.
    """
    names = {topic: str(said["name"]) for topic, said in described.items()}
    found = [difference for topic, said in described.items() for difference in _partitions(topic, said, bootstrap)]
    try:
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names.values()]
        answered = admin.describe_configs(resources, config_filter="all").get("topic", {}) if resources else {}
    except kafka_errors.KafkaError:
        answered = {}
    for topic, said in described.items():
        configured = {key: str(one["value"]) for key, one in answered.get(names[topic], {}).items()}
        if not configured:
            found += [] if topic in made else [_unread(names[topic], bootstrap)]
            continue
        replicas = min((len(one["replica_nodes"]) for one in said["partitions"]), default=0)
        found += _settings(topic, names[topic], configured, wanted(topic), bootstrap)
        found += _in_sync(names[topic], configured, replicas, bootstrap)
    return tuple(found)


def deleted(stream: Stream, name: str, at: int, beginning: int) -> Difference | None:
    """Return what was lost where a stream's entries from ``at`` on were deleted; None where its entries go in time."""
    if not kept_for_ever(stream.topic) or at >= beginning:
        return None
    what = f"{name}/{stream.partition}: the entries from {at} to {beginning - 1} were deleted"
    if stream.topic is Topic.JOURNAL:
        command = (
            "Nothing of the journal may ever be deleted: look at the topic's settings and at who may delete records "
            "(kafka-acls.sh --list), and put the brokers' disks back. A ledger that has read them goes on; none can be made anew."
        )
        return Difference(name, what, command, endangers=True)
    mends = {
        Topic.ENROLMENTS: "What was not admitted, its agency has to send again.",
        Topic.TEMPLATES: "What was lost is put back by: comity rebuild gallery.",
    }
    command = f"Look at who may delete records (kafka-acls.sh --list). {mends[stream.topic]}"
    return Difference(name, what, command, endangers=False)


def gone_topic(name: str) -> Difference:
    """Return that a topic which was there at start no longer is."""
    command = "It was deleted: stop, and put the brokers' disks back before anything makes it anew."
    return Difference(name, f"{name} is no longer there", command, endangers=True)


def halt_where_endangered(found: Sequence[Difference]) -> None:
    """Raise Halted where a promise hangs on a difference, naming all of them with their commands."""
    grave = [difference for difference in found if difference.endangers]
    if grave:
        what = "; ".join(dict.fromkeys(difference.what for difference in grave))
        raise Halted(what, advice=" ".join(dict.fromkeys(difference.command for difference in grave)))


def _partitions(topic: Topic, said: Mapping[str, Any], bootstrap: str) -> Iterator[Difference]:
    """Yield a wrong number of partitions: a key's entries would then not keep their stream."""
    count, needed, name = len(said["partitions"]), len(log_rules.streams(topic)), str(said["name"])
    if count != needed:
        tool = f"kafka-topics.sh --bootstrap-server {bootstrap}"
        command = (
            f"A topic's partitions cannot be changed without mixing its keys: while it is empty, make it anew: "
            f"`{tool} --delete --topic {name}`, then start again."
        )
        yield Difference(name, f"{name} has {count} partitions, it needs {needed}", command, endangers=True)


def _settings(
    topic: Topic, name: str, configured: Mapping[str, str], wanted: Mapping[str, str], bootstrap: str
) -> Iterator[Difference]:
    for key in _COMPARED:
        if key not in wanted or _is_well(key, configured.get(key, ""), wanted[key]):
            continue
        grave = key in _ENDANGERS.get(topic, frozenset())
        what = f"{name}: {key} is {configured.get(key) or 'not set'}, it needs {wanted[key]}"
        yield Difference(name, what, _alter(name, key, wanted[key], bootstrap), endangers=grave)


def _is_well(key: str, configured: str, wanted: str) -> bool:
    if key in ("max.compaction.lag.ms", "file.delete.delay.ms"):  # sooner is well, later is a value that outlives its tombstone
        return configured.isdecimal() and int(configured) <= int(wanted)
    if key in ("delete.retention.ms", "min.compaction.lag.ms"):  # longer is well: a view that slept meets the entry
        return configured.isdecimal() and int(configured) >= int(wanted)
    return configured == wanted


def _in_sync(name: str, configured: Mapping[str, str], replicas: int, bootstrap: str) -> Iterator[Difference]:
    """Yield where one disk's loss could take an acknowledged entry, or where no entry could ever be acknowledged."""
    text = configured.get("min.insync.replicas", "")
    needed = IN_SYNC_MIN if replicas >= REPLICAS_SAFE else 1
    now = int(text) if text.isdecimal() else 0
    if now < needed or now > max(replicas, 1):
        what = f"{name}: min.insync.replicas is {text or 'not set'} of {replicas} replicas, it needs {needed}"
        yield Difference(name, what, _alter(name, "min.insync.replicas", str(needed), bootstrap), endangers=False)


def _alter(name: str, key: str, value: str, bootstrap: str) -> str:
    tool = f"kafka-configs.sh --bootstrap-server {bootstrap}"
    return f"`{tool} --alter --entity-type topics --entity-name {name} --add-config {key}={value}`"


def _unread(name: str, bootstrap: str) -> Difference:
    tool = f"kafka-acls.sh --bootstrap-server {bootstrap}"
    command = f"`{tool} --add --allow-principal User:… --operation DescribeConfigs --topic {name}`"
    return Difference(name, f"{name}: its settings cannot be read", command, endangers=False)
