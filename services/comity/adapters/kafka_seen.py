"""What this client has seen of the topics that are kept for ever: enough to tell that a log went back.

A broker that lost its disk, a topic that was made anew, an older copy that was restored: each gives places that were given
before to other entries. Whoever then waits for the ledger to reach such a place does not wait at all, and an order that stands
there is never read. So places must grow, and a topic must keep its id, for as long as a process lives; what happened while it
did not run is found at its start (the ledger's newest entries, the anchor).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

from comity.domain.log import Stream, Topic
from comity.errors import Halted

ADVICE = (
    "The topic was made anew, or the brokers were restored from an older copy, or lost what they had acknowledged. "
    "Stop; put the newest copy of the brokers' disks back; start again, and follow what it says."
)
EPOCHS_MAX = 1_000  # leaders of one stream since this process began


def kept_for_ever(topic: Topic) -> bool:
    """Say whether places of this topic are relied on: what is kept for a time may be made anew by anybody."""
    return topic is Topic.JOURNAL or topic.compacted


class Seen:
    """How far each stream was seen, and each topic's id. Thread-safe."""

    def __init__(self, ids: Mapping[Topic, str]) -> None:
        self._ids = dict(ids)
        self._lock = threading.Lock()
        self._next: dict[Stream, int] = {}
        self._epochs: dict[Stream, dict[int, tuple[int, int]]] = {}
        self._back: dict[Topic, str] = {}

    def next(self, stream: Stream) -> int:
        """Return the position behind all that was seen of a stream: what is appended from now on stands there or later."""
        return self._next.get(stream, 0)

    def note(self, stream: Stream, next_: int) -> None:
        """Remember how far a stream was read or appended to."""
        with self._lock:
            self._next[stream] = max(next_, self._next.get(stream, 0))

    def read(self, stream: Stream, next_: int, epochs: Mapping[int, int]) -> None:
        """Remember how far a stream was read, and of the entries that came: in which leader's time each position was given."""
        self.note(stream, next_)
        with self._lock:
            held = self._epochs.setdefault(stream, {})
            for position, epoch in epochs.items():
                first, last = held.get(epoch, (position, position))
                held[epoch] = (min(first, position), max(last, position))
            while len(held) > EPOCHS_MAX:
                del held[min(held)]

    def epoch(self, stream: Stream, position: int) -> int | None:
        """Return in which leader's time the entry before this position was given, where that was seen.

        A reader that is told so finds out, as one that went on reading would, that the entry was lost meanwhile.
        """
        with self._lock:
            held = self._epochs.get(stream, {})
            return next((epoch for epoch, (first, last) in held.items() if first < position <= last + 1), None)

    def appended(self, stream: Stream, name: str, position: int, before: int) -> None:
        """Note an append, begun when everything before ``before`` had been seen. Raises Halted where it stands among that."""
        if kept_for_ever(stream.topic) and position < before:
            self._went_back(stream.topic, f"{name} gave the place {position} a second time; it had reached {before}.")
        self.note(stream, position + 1)

    def is_topic(self, topic: Topic, name: str, topic_id: object) -> None:
        """Compare a topic's id, where it is known, with the one that it had at start. Raises Halted."""
        had = self._ids.get(topic)
        if kept_for_ever(topic) and topic_id is not None and had is not None and str(topic_id) != had:
            self._went_back(topic, f"{name} is another topic than at start: its id was {had}, now it is {topic_id}.")

    def check(self, topic: Topic) -> None:
        """Raise Halted where this topic went back before: it will pass the old places again, and then look whole."""
        if (why := self._back.get(topic)) is not None:
            raise Halted(why, advice=ADVICE)

    def _went_back(self, topic: Topic, why: str) -> None:
        self._back.setdefault(topic, why)
        raise Halted(why, advice=ADVICE)
