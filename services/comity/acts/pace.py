"""How fast a party may send, look up and burden the ledger: a bucket of tokens each, so that one feed run wild starves nobody.

Every release waits until the ledger has applied what stands before it, so what a party appends is counted by what it costs the
ledger, not by events: an order may name 9,000 targets (rule 12). What is counted is measured by tests/unit/test_pace.py.

A restart fills every bucket: the limit is against floods, not an account of what was sent.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from comity.domain import entries as e
from comity.errors import TooMany

EVENTS_PER_SECOND = 50.0  # sustained; the encoder makes some ten templates a second, so a feed never notices
BURST_EVENTS = 500  # a morning's bookings of a large agency, sent at once
LOOKS_PER_SECOND = 10.0  # an agency's feed asks once a booking, a clerk once an order: as fast as the encoder is
BURST_LOOKS = 300  # a morning's feed; whoever tries numbers out meets it within a minute
# The ledger applies 8,000 to 20,000 targets a second, or some 250 entries of one: an entry costs it as much as 20 targets.
ENTRY_TARGETS = 20
TARGETS_PER_SECOND = 1_000.0  # sustained: an eighth of the slower rate
BURST_TARGETS = 10_000  # the largest order at once, which the ledger applies in about a second: a release waits for two
PARTIES_MAX = 10_000  # buckets held; far more than a state has agencies and courts


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


def looks() -> Pace:
    """Return the pace of look-ups: what an order would cover, and what a record's number comes to."""
    return Pace(per_second=LOOKS_PER_SECOND, burst=BURST_LOOKS, what="look-ups")


def burden() -> Pace:
    """Return the pace of whatever is appended for a party, in targets."""
    return Pace(per_second=TARGETS_PER_SECOND, burst=BURST_TARGETS, what="targets")


def weight(event: e.Event) -> int:
    """Return what an entry costs the ledger, in targets."""
    named = len(event.records) + len(event.indexes) if isinstance(event, e.Cover) else 0
    return ENTRY_TARGETS + named


class Pace:
    """The buckets of one measure. Thread-safe."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        per_second: float | None = None,
        burst: int | None = None,
        what: str = "events",
    ) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._per_second, self._burst, self._what = per_second, burst, what
        self._buckets: dict[str, _Bucket] = {}

    def take(self, party: str, count: int = 1) -> None:
        """Count something of this party; more than a bucketful counts as one. Raises TooMany, with the seconds to wait."""
        burst, per_second = self._burst or BURST_EVENTS, self._per_second or EVENTS_PER_SECOND
        count = min(count, burst)
        with self._lock:
            now = self._clock()
            bucket = self._buckets.pop(party, None) or _Bucket(burst, now)
            bucket.tokens = min(burst, bucket.tokens + (now - bucket.at) * per_second)
            bucket.at = now
            self._buckets[party] = bucket  # the newest last: the one that is forgotten was idle longest
            if len(self._buckets) > PARTIES_MAX:
                del self._buckets[next(iter(self._buckets))]
            missing = count - bucket.tokens
            if missing <= 0:
                bucket.tokens -= count
                return
        raise TooMany(
            f"{party} sends more than {per_second:g} {self._what} a second.",
            advice="Wait as long as Retry-After says, and send more slowly; nothing of this one was taken.",
            retry_after_seconds=max(1, math.ceil(missing / per_second)),
        )
