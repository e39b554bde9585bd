"""The clock's thread, which nothing may end."""

from __future__ import annotations

import sqlite3
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from comity.duties.clock import Clock
from comity.errors import NotAppended


class Failing:
    """A journal whose first entries fail, each in its own way."""

    def __init__(self, *failures: Exception) -> None:
        self.failures, self.entered = list(failures), 0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def enter(self, *_: Any, **__: Any) -> None:  # noqa: ANN401
        if self.failures:
            raise self.failures.pop(0)
        self.entered += 1


@pytest.mark.parametrize("failure", [NotAppended("away"), sqlite3.OperationalError("disk I/O error"), MemoryError(), KeyError(1)])
def test_the_clock_ticks_on_after_any_failure(failure: Exception) -> None:
    journal = Failing(failure)
    clock = Clock(journal, 0.01)  # type: ignore[arg-type]
    clock._thread.start()
    deadline = time.monotonic() + 10
    while not journal.entered and time.monotonic() < deadline:
        time.sleep(0.01)
    clock.stop()
    assert journal.entered
