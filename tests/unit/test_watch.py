"""Waiting for a position (rule 1, R15)."""

from __future__ import annotations

import threading
import time

import pytest

from comity.errors import Halted
from comity.projection.watch import PositionWatch

SECONDS = 5.0


def test_a_position_that_is_reached_is_not_waited_for() -> None:
    """Rule 1: applied >= N."""
    watch = PositionWatch()
    watch.publish(3)
    assert watch.wait(3, 0)
    assert watch.wait(0, 0)
    assert not watch.wait(4, 0)


def test_a_waiter_wakes_as_soon_as_the_position_is_published() -> None:
    """R15: usually there is no wait."""
    watch = PositionWatch()
    threading.Timer(0.05, watch.publish, [2]).start()
    began = time.monotonic()
    assert watch.wait(2, SECONDS)
    assert time.monotonic() - began < SECONDS / 2


def test_a_wait_ends_at_its_deadline_and_says_so() -> None:
    """Promise 4: never stale."""
    watch = PositionWatch()
    threading.Timer(0.02, watch.publish, [1]).start()
    assert not watch.wait(2, 0.1)


def test_a_failure_ends_every_wait_also_for_a_position_that_was_reached() -> None:
    """Promise 4: a ledger that stands still serves nothing."""
    watch = PositionWatch()
    watch.publish(5)
    threading.Timer(0.05, watch.fail, ["the disk is gone"]).start()
    with pytest.raises(Halted, match="the disk is gone"):
        watch.wait(6, SECONDS)
    with pytest.raises(Halted):
        watch.wait(2, 0)
    assert watch.failure == "the disk is gone"


def test_a_published_position_clears_the_failure() -> None:
    """R48: goes on by itself after storage came back."""
    watch = PositionWatch()
    watch.fail("x")
    watch.publish(1)
    assert watch.failure is None
    assert watch.wait(1, 0)


def test_a_position_that_goes_back_is_waited_for_again() -> None:
    """R47: a rebuild starts from 0, and releases wait."""
    watch = PositionWatch()
    watch.publish(9)
    watch.publish(0)
    assert not watch.wait(9, 0)
    assert watch.position == 0
