"""How many pages with photographs may be open: per session and on the exchange, and which of them keep a connection.

A browser opens six connections to one host, so a session keeps four streams; two stay free for pages. Further pages are not
refused: each asks again every second over a short connection, and is judged as often as the others. Beyond the limits below a
page goes blank and says why.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from comity.errors import TooMany

HELD_PER_SESSION_MAX = 4
HELD_MAX = 64  # each holds a thread while it waits
PER_SESSION_MAX = 24  # more than anybody compares at once
PAGES_MAX = 256  # each that holds no connection asks for some milliseconds of a thread every second
HEARD_SECONDS = 5.0  # a page that has not asked for so long is closed

Named = tuple[str, str]  # a session, and the page in it


class Places:
    """The open pages. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._holding = Counter[Named]()  # pages that keep a connection
        self._heard: dict[Named, float] = {}  # every page, and when it asked last

    @contextmanager
    def take(self, session: str, page: str) -> Iterator[bool]:
        """Give a page its place, and say whether it may keep its connection. Raises TooMany, with the limit in words."""
        named = (session, page)
        with self._lock:
            self._admit(named)
            own = sum(count for (holder, _), count in self._holding.items() if holder == session)
            keeps = own < HELD_PER_SESSION_MAX and self._holding.total() < HELD_MAX
            self._holding[named] += keeps
        try:
            yield keeps
        finally:
            with self._lock:
                self._holding[named] -= keeps
                self._holding += Counter()  # drops the zeros
                self._heard[named] = self._clock()

    def _admit(self, named: Named) -> None:
        now = self._clock()
        closed = [one for one, heard in self._heard.items() if now - heard > HEARD_SECONDS and one not in self._holding]
        for one in closed:
            del self._heard[one]
        if named not in self._heard:
            if sum(session == named[0] for session, _ in self._heard) >= PER_SESSION_MAX:
                raise TooMany(
                    f"Too many pages with photographs are open in this browser: {PER_SESSION_MAX} at most.",
                    advice="Close some, then open this one again.",
                )
            if len(self._heard) >= PAGES_MAX:
                raise TooMany(
                    f"Too many pages with photographs are open on this exchange: {PAGES_MAX} at most.",
                    advice="Try again in a minute.",
                )
        self._heard[named] = now
