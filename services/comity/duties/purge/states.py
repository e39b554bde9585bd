"""Where each job stands, how often it failed, and when it is tried next; in memory, for the journal and the jobs say it again."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from comity.duties.purge.jobs import Job

RETRY_SECONDS_MIN, RETRY_SECONDS_MAX = 1.0, 3_600.0
STATUS_MAX = 100  # jobs told one by one: an operator mends the first and looks again


class Phase(StrEnum):
    """Where a job stands, for a person to read."""

    WAITING = "waiting for its certificate"
    CERTIFIED = "certified, the sweep follows"
    FOUND = "bytes still found"
    NOTHING = "nothing was left to look for"
    LOST = "what was looked for is lost, so no sweep follows"


@dataclass(frozen=True, slots=True)
class State:
    """Where one job stands."""

    job: Job
    phase: Phase = Phase.WAITING
    tries: int = 0
    due: float = 0.0
    failure: str = ""


class States:
    """The states of all jobs. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, State] = {}

    def put(self, job: Job, phase: Phase = Phase.WAITING, failure: str = "") -> None:
        """Say where a job stands now; nothing is pending with it but, perhaps, another look."""
        with self._lock:
            self._held[job.name] = State(replace(job, needles={}), phase, failure=failure)

    def failed(self, job: Job, why: str, phase: Phase | None = None) -> None:
        """Note that a try failed: the next one comes after a pause that doubles."""
        with self._lock:
            held = self._held.get(job.name) or State(replace(job, needles={}))
            pause = min(RETRY_SECONDS_MAX, RETRY_SECONDS_MIN * 2**held.tries)
            due = time.monotonic() + pause
            self._held[job.name] = State(held.job, phase or held.phase, held.tries + 1, due, why)

    def drop(self, job: Job) -> None:
        """Forget a job that is done."""
        with self._lock:
            self._held.pop(job.name, None)

    def due(self) -> list[State]:
        """Return what is to be tried now, what never failed first."""
        now = time.monotonic()
        with self._lock:
            held = [s for s in self._held.values() if s.phase in (Phase.WAITING, Phase.FOUND) and s.due <= now]
        return sorted((s for s in held if s.phase is Phase.WAITING or s.tries), key=lambda s: (s.tries, s.job.ordered))

    def of(self, *phases: Phase) -> tuple[Job, ...]:
        """Return the jobs that stand there."""
        with self._lock:
            return tuple(state.job for state in self._held.values() if state.phase in phases)

    @property
    def failure(self) -> str | None:
        """Return what fails, of the job that failed most often."""
        with self._lock:
            failing = [state for state in self._held.values() if state.failure]
        worst = max(failing, key=lambda state: state.tries, default=None)
        return None if worst is None else f"{len(failing)} of the erasures fail: {worst.failure}"

    def told(self) -> dict[str, Any]:
        """Return how many jobs stand where, and one by one those that want looking at."""
        with self._lock:
            held = sorted(self._held.values(), key=lambda state: state.job.ordered)
        wanting = [_told(state) for state in held if state.failure or state.phase in (Phase.FOUND, Phase.NOTHING, Phase.LOST)]
        counts = {str(phase): sum(state.phase is phase for state in held) for phase in Phase}
        return {"waiting": {phase: count for phase, count in counts.items() if count}, "wanting": wanting[:STATUS_MAX]}


def _told(state: State) -> dict[str, Any]:
    job = state.job
    return {
        "party": job.order.party,
        "order": job.order.order_id,
        "part": job.part,
        "records": len(job.records),
        "state": str(state.phase),
        "tries": state.tries,
        "failure": state.failure,
    }


def together(states: Sequence[State], jobs_max: int, records_max: int) -> list[Job]:
    """Return some jobs that are worked on together; one that failed before goes by itself, and stops no other."""
    if not states:
        return []
    if states[0].tries:
        return [states[0].job]
    chosen: list[Job] = []
    room = records_max
    for state in states:
        if state.tries or len(chosen) == jobs_max or (chosen and len(state.job.records) > room):
            break
        chosen.append(state.job)
        room -= len(state.job.records)
    return chosen
