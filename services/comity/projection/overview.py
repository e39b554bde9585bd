"""How far everything of a running exchange is: for whoever operates it, and for whoever waits."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from comity.acts.alarms import Alarm, Alarms
from comity.domain.log import JOURNAL
from comity.domain.posting import Agency
from comity.errors import Unavailable
from comity.ports import Candidates, EventLog, LedgerView
from comity.projection.projector import Follows
from comity.projection.watch import PositionWatch

LOOK_SECONDS = 0.02
Answer = TypeVar("Answer")
ANSWER_SECONDS = 1.0  # who asks how the exchange is wants to know it now
AWAY, LEDGER = "log-away", "ledger"
CLOCK_STANDS = {"clock-none", "clock-stopped"}


class Patience:
    """Waits for a question for so long and no longer; one that is still open is waited for again, and not put twice."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: Future[Any] | None = None

    def within(self, seconds: float, ask: Callable[[], Answer]) -> Answer:
        """Return the answer. Raises Unavailable where there is none in time, and whatever the question raises."""
        with self._lock:
            asked = self._open
            if asked is None or asked.done():
                asked = self._open = Future()
                threading.Thread(target=_answer, args=(asked, ask), name="comity-asking", daemon=True).start()
        try:
            answer: Answer = asked.result(seconds)
        except TimeoutError:
            raise Unavailable(f"no answer within {seconds:g} s", advice="Look at the disk, or at the brokers.") from None
        return answer


def _answer(asked: Future[Any], ask: Callable[[], object]) -> None:
    try:
        asked.set_result(ask())
    except BaseException as error:  # noqa: BLE001 - it is told to whoever waits
        asked.set_exception(error)


@dataclass(frozen=True, kw_only=True)
class Overview:
    """The followers of one exchange, and what they feed."""

    home: Path
    log: EventLog
    ledger: LedgerView
    watch: PositionWatch
    gallery: Candidates
    alarms: Alarms
    followers: Mapping[str, Follows]
    asking: Patience = field(default_factory=Patience)

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

    def parts(self, alarms: Sequence[Alarm] = ()) -> dict[str, bool]:
        """Return of each part whether it works; ``alarms`` of the clock say whether it does."""
        end, _ = self._ends()
        return {
            "log": end is not None,
            "clock": not {alarm.kind for alarm in alarms} & CLOCK_STANDS,
            "ledger": self.watch.failure is None,
            **{name: f.failure is None for name, f in self.followers.items() if name != LEDGER},
        }

    def status(self, more: Sequence[Alarm] = ()) -> dict[str, Any]:
        """Return every position and lag, what stands still and why, and the alarms, ``more`` of them first.

        While the log does not answer, its end and what hangs on that are None, and an alarm says so.
        """
        end, lags = self._ends()
        return {
            "version": version("comity"),
            "home": str(self.home),
            "disk_free_bytes": shutil.disk_usage(self.home).free,
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
            end, lags = self.asking.within(ANSWER_SECONDS, self._asked)
        except Unavailable as error:
            self.alarms.sound(AWAY, f"The log does not answer: {error.message}", error.advice)
            return None, {}
        self.alarms.clear(AWAY)
        return end, lags

    def _asked(self) -> tuple[int, dict[str, int]]:
        return self.log.end(JOURNAL), {name: follower.lag() for name, follower in self.followers.items()}
