"""Lets releases wait until the ledger has applied everything before a position (read-your-writes)."""

from __future__ import annotations

import threading
import time

from comity.errors import Halted


class LedgerStandsStill(Halted):
    """Somebody waits for a ledger whose projector failed: it may go on by itself, and whoever waits with it."""


class PositionWatch:
    """The ledger's next position, published by its projector after each commit; waiters wake at once."""

    def __init__(self) -> None:
        self._moved = threading.Condition()
        self._position = 0
        self._failure: str | None = None

    @property
    def position(self) -> int:
        """Return the next position to apply."""
        return self._position

    @property
    def failure(self) -> str | None:
        """Return why the projector stands still, or None."""
        return self._failure

    def publish(self, position: int) -> None:
        """Say how far the ledger is, after its commit; clears an earlier failure."""
        with self._moved:
            self._position, self._failure = position, None
            self._moved.notify_all()

    def fail(self, why: str) -> None:
        """Say that the projector stands still: every wait ends in Halted until a position is published."""
        with self._moved:
            self._failure = why
            self._moved.notify_all()

    def wait(self, position: int, timeout_seconds: float) -> bool:
        """Return True once ``applied >= position``; False at the deadline. Raises Halted if the projector stands still."""
        deadline = time.monotonic() + timeout_seconds
        with self._moved:
            while self._position < position:
                if self._failure is not None:
                    raise LedgerStandsStill(
                        f"The ledger stands still: {self._failure}", advice="See `comity status`; nothing is disclosed."
                    )
                left = deadline - time.monotonic()
                if left <= 0 or not self._moved.wait(left):
                    return self._position >= position
            if self._failure is not None:
                raise LedgerStandsStill(
                    f"The ledger stands still: {self._failure}", advice="See `comity status`; nothing is disclosed."
                )
        return True
