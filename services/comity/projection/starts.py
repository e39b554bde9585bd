"""Where a follower goes on: at its own positions, as long as they are positions in this very topic.

A topic that was made anew, or restored from an older copy, has other entries at the old positions, or none. Reading from its
beginning repairs it, for what was read before changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from comity.acts.alarms import Alarms
from comity.domain.log import Stream, Topic
from comity.ports import EventLog, Positions

TOPIC = "topic"  # kept beside the positions: which topic they are positions in, as a number
ADVICE = "It was made anew, or restored from an older copy: it is read from its beginning."
LOST = {
    Topic.ENROLMENTS: " What was sent since then and is not admitted, its agency has to send again.",
    Topic.TEMPLATES: " What it lost is put back by: comity rebuild gallery.",
}


@dataclass(frozen=True)
class Starts:
    """Says where followers of one exchange go on."""

    log: EventLog
    positions: Positions
    alarms: Alarms

    def __call__(self, name: str, topic: Topic) -> Mapping[Stream, int]:
        """Return the next position of each stream; all of them the first, with an alarm, where they are not this topic's."""
        streams, known = {_name(stream): stream for stream in self.log.streams(topic)}, _number(self.log.identity(topic))
        held = self.positions.load(name)
        starts = {stream: held.get(text, 0) for text, stream in streams.items()}
        # An older journal stops the ledger, which says what to do.
        shorter = topic.compacted and any(at > self.log.end(stream) for stream, at in starts.items())
        if shorter or held.get(TOPIC, known) != known:
            self.positions.clear(name)
            self.alarms.sound(f"another-{topic}", f"{topic} is not what {name} has read.", ADVICE + LOST.get(topic, ""))
            starts = dict.fromkeys(starts, 0)
        self.positions.save(name, TOPIC, known)
        return starts


def _name(stream: Stream) -> str:
    """Return the name under which a follower keeps its position in a stream."""
    return f"{stream.topic}/{stream.partition}" if stream.topic.compacted else str(stream.topic)


def _number(identity: str) -> int:
    return int.from_bytes(hashlib.sha256(identity.encode()).digest()[:6], "big")
