"""How far everything of a running exchange is: for whoever operates it, and for whoever waits."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from comity.acts.alarms import Alarm, Alarms
from comity.domain.log import JOURNAL
from comity.domain.posting import Agency
from comity.errors import Unavailable
from comity.ports import Candidates, EventLog, LedgerView
from comity.projection.projector import Follows
from comity.projection.watch import PositionWatch

LOOK_SECONDS = 0.02
AWAY = "log-away"


@dataclass(frozen=True, kw_only=True)
class Overview:
    """The followers of one exchange, and what they feed."""

    log: EventLog
    ledger: LedgerView
    watch: PositionWatch
    gallery: Candidates
    alarms: Alarms
    followers: Mapping[str, Follows]

    def settle(self, timeout_seconds: float) -> bool:
        """Wait until every follower has read all there is.

        They feed each other, so none may be behind twice in a row, without a new entry in between.
        """
        deadline, before = time.monotonic() + timeout_seconds, None
        while time.monotonic() < deadline:
            ends = {stream: self.log.end(stream) for follower in self.followers.values() for stream in follower.positions}
            idle = all(follower.lag() == 0 for follower in self.followers.values())
            if idle and ends == before:
                return True
            before = ends if idle else None
            time.sleep(LOOK_SECONDS)
        return False

    def passed(self, timeout_seconds: float) -> bool:
        """Wait until every follower has read what stands there now, however much comes meanwhile; say whether they have."""
        deadline = time.monotonic() + timeout_seconds
        ends = {f.name: {s: self.log.end(s) for s in f.positions} for f in self.followers.values()}
        while time.monotonic() < deadline:
            if all(f.positions.get(s, 0) >= end for f in self.followers.values() for s, end in ends.get(f.name, {}).items()):
                return True
            time.sleep(LOOK_SECONDS)
        return False

    def caught_up(self, name: str, timeout_seconds: float) -> bool:
        """Wait until one follower has read all there is, or fails; say whether it has."""
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            if (follower := self.followers[name]).lag() == 0:
                return True
            if follower.failure is not None:
                return False
            time.sleep(LOOK_SECONDS)
        return False

    def status(self, more: Sequence[Alarm] = ()) -> dict[str, Any]:
        """Return every position and lag, what stands still and why, and the alarms, ``more`` of them first.

        While the log does not answer, its end and what hangs on that are None, and an alarm says so.
        """
        end, lags = self._ends()
        return {
            "journal": {"end": end, "applied": self.watch.position, "failure": self.watch.failure},
            "templates": len(self.gallery),
            "agencies": len(self.ledger.rows(Agency)),
            "alarms": [
                {"kind": a.kind, "what": a.what, "advice": a.advice, "count": a.count, "since": a.since.isoformat()}
                for a in (*more, *self.alarms.all())
            ],
            "followers": {
                name: {"lag": lags.get(name), "failure": f.failure, "at": {str(s.topic): n for s, n in f.positions.items()}}
                for name, f in self.followers.items()
            },
        }

    def _ends(self) -> tuple[int | None, dict[str, int]]:
        """Return the journal's end and how far each follower is behind; where the log does not answer, nothing, after one try."""
        try:
            end, lags = self.log.end(JOURNAL), {name: follower.lag() for name, follower in self.followers.items()}
        except Unavailable as error:
            self.alarms.sound(AWAY, f"The log does not answer: {error.message}", error.advice)
            return None, {}
        self.alarms.clear(AWAY)
        return end, lags
