"""A follower: a name, what it follows, and how far it is.

It reads, applies, and remembers; a crash replays, which changes nothing.

Only a failure of storage stops it: it says so to whoever waits, and tries again from where its view stands. ``Halted`` is for a
person: it stays down.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Protocol

import structlog

from comity.domain.log import Batch, Stream
from comity.errors import Halted, Unavailable
from comity.ports import EventLog, Reader
from comity.projection.watch import LedgerStandsStill

logger = structlog.get_logger(__name__)

POLL_SECONDS = 0.2  # how soon a stop is noticed
LOOK_SECONDS = 0.02  # how often a follower that is not urgent looks for news
ENTRIES_MAX = 500  # one transaction's worth
RETRY_SECONDS, RETRY_SECONDS_MAX = 1.0, 15.0  # after a failure, twice as long after each that follows, and the most
AGAIN_MAX = 10  # failures that are told apart: the longest rest comes sooner
STOP_SECONDS = 30.0  # a batch in hand takes a second or two; what takes longer waits for something that does not come


class Follows(Protocol):
    """What an exchange starts, stops and tells of: followers, and duties that follow nothing of the log."""

    name: str
    positions: dict[Stream, int]

    @property
    def failure(self) -> str | None:
        """Return what stands still and why."""
        ...

    def start(self) -> None:
        """Begin."""
        ...

    def stop(self) -> None:
        """Stop; waits for what is in hand."""
        ...

    def lag(self) -> int:
        """Return how much there is still to do."""
        ...


class Follower:
    """A thread that follows streams from its view's own positions and hands over batches in order.

    An ``urgent`` one is woken by what comes. The others look every 20 ms: half a dozen that woke at once took the interpreter
    from the release whose entry woke them, which cost it a third of its time (tests/bench/bench_release.py).
    """

    def __init__(
        self,
        name: str,
        log: EventLog,
        starts: Callable[[], Mapping[Stream, int]],
        apply: Callable[[Stream, Batch], None],
        failed: Callable[[str], None] = lambda _: None,
        *,
        urgent: bool = False,
    ) -> None:
        self.name = name
        self.failure: str | None = None
        self.positions: dict[Stream, int] = {}
        self._log, self._starts, self._apply, self._failed = log, starts, apply, failed
        self._urgent = urgent
        self._again = 0  # how often it has failed in a row
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"comity-{name}", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the batch in hand; waits for it, but not for ever. Raises Unavailable where it hangs: it is left behind."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)
        if self._thread.is_alive():
            raise Unavailable(
                f"{self.name} did not stop in {STOP_SECONDS:g} seconds.", advice="Stop this process, and start again."
            )

    def lag(self) -> int:
        """Return how many positions there are still to read, over all its streams; one before it knows where to go on."""
        if not self.positions:
            return 1
        return sum(max(0, self._log.end(stream) - next_) for stream, next_ in self.positions.items())

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._follow()
            except LedgerStandsStill as error:  # another follower's failure: try again, as it does
                self._say(error.message)
                self._rest()
            except Halted as error:
                self._say(f"{error.message} {error.advice}")
                return
            except Exception as error:
                logger.exception("follower failed", follower=self.name)
                self._say(f"{self.name}: {type(error).__name__}")
                self._rest()

    def _say(self, why: str) -> None:
        self.failure = why
        self._failed(why)

    def _rest(self) -> None:
        self._stop.wait(min(RETRY_SECONDS * 2**self._again, RETRY_SECONDS_MAX))
        self._again = min(self._again + 1, AGAIN_MAX)

    def _follow(self) -> None:
        starts = dict(self._starts())
        self.positions = starts
        with self._log.open(starts) as reader:
            while not self._stop.is_set():
                news = self._news(reader)
                for stream, batch in news.items():
                    self._apply(stream, batch)
                    self.positions[stream] = batch.next
                    if self._stop.is_set():
                        return
                if news or (self.failure is not None and self.lag() == 0):  # an empty round may be a broker that is away
                    self.failure, self._again = None, 0

    def _news(self, reader: Reader) -> Mapping[Stream, Batch]:
        if self._urgent:
            return reader.poll(timeout_seconds=POLL_SECONDS, entries_max=ENTRIES_MAX)
        batches = reader.poll(timeout_seconds=0, entries_max=ENTRIES_MAX)
        if not batches:
            self._stop.wait(LOOK_SECONDS)
        return batches
