"""How fast a party may append and look up: a bucket of tokens each, so that one feed run wild starves nobody (rule 12).

A restart fills every bucket: the limit is against floods, not an account of what was sent.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from comity.errors import TooMany

EVENTS_PER_SECOND = 50.0  # sustained; the encoder makes some ten templates a second, so a feed never notices
BURST_EVENTS = 500  # a morning's bookings of a large agency, sent at once
LOOKS_PER_SECOND = 10.0  # an agency's feed asks once a booking, a clerk once an order: as fast as the encoder is
BURST_LOOKS = 300  # a morning's feed; whoever tries numbers out meets it within a minute
PARTIES_MAX = 10_000  # buckets held; far more than a state has agencies and courts


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


def looks() -> Pace:
    """Return the pace of look-ups: what an order would cover, and what a record's number comes to."""
    return Pace(per_second=LOOKS_PER_SECOND, burst=BURST_LOOKS, what="look-ups")


class Pace:
    """The buckets of one intake. Thread-safe."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        per_second: float = EVENTS_PER_SECOND,
        burst: int = BURST_EVENTS,
        what: str = "events",
    ) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._per_second, self._burst, self._what = per_second, burst, what
        self._buckets: dict[str, _Bucket] = {}

    def take(self, party: str) -> None:
        """Count one event of this party. Raises TooMany, with the seconds to wait, where it came too fast."""
        with self._lock:
            now = self._clock()
            bucket = self._buckets.pop(party, None) or _Bucket(self._burst, now)
            bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.at) * self._per_second)
            bucket.at = now
            self._buckets[party] = bucket  # the newest last: the one that is forgotten was idle longest
            if len(self._buckets) > PARTIES_MAX:
                del self._buckets[next(iter(self._buckets))]
            missing = 1 - bucket.tokens
            if missing <= 0:
                bucket.tokens -= 1
                return
        raise TooMany(
            f"{party} sends more than {self._per_second:g} {self._what} a second.",
            advice="Wait as long as Retry-After says, and send more slowly; nothing of this one was taken.",
            retry_after_seconds=max(1, math.ceil(missing / self._per_second)),
        )
