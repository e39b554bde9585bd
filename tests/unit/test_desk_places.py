"""Open pages and kept probes: how many, how long, and what makes room."""

from __future__ import annotations

import time

import pytest

from comity.desk.places import HEARD_SECONDS, PAGES_MAX, PER_SESSION_MAX, Places
from comity.desk.shelf import Shelf
from comity.errors import TooMany


class Hours:
    """A clock that tests move."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_page_that_no_longer_asks_gives_its_place_to_another() -> None:
    clock = Hours()
    places = Places(clock)
    for number in range(PER_SESSION_MAX):
        with places.take("session", f"page {number}"):
            pass
    with pytest.raises(TooMany, match="in this browser"), places.take("session", "one more"):
        pass
    with places.take("session", "page 3"), places.take("another session", "one more"):
        pass
    clock.seconds += HEARD_SECONDS + 1
    with places.take("session", "one more"):
        pass


def test_a_page_that_keeps_its_connection_keeps_its_place() -> None:
    clock = Hours()
    places = Places(clock)
    with places.take("session", "held") as keeps:
        assert keeps
        clock.seconds += 100
        for number in range(PER_SESSION_MAX - 1):
            with places.take("session", f"page {number}"):
                pass
        with pytest.raises(TooMany), places.take("session", "one more"):
            pass


def test_the_exchange_has_a_limit_too_and_names_it() -> None:
    places = Places(Hours())
    for number in range(PAGES_MAX):
        with places.take(f"session {number}", "page"):
            pass
    with pytest.raises(TooMany, match="on this exchange"), places.take("one more", "page"):
        pass


def test_the_shelf_clears_itself_though_nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("comity.desk.shelf.SECONDS_MAX", 0.1)
    shelf = Shelf(sweep_seconds=0.05)
    shelf.put("session", b"a face")
    assert gone(shelf)


def test_the_shelf_forgets_a_session_that_ended_by_another_door() -> None:
    """Signed out over HTTP, removed by an administrator, or at the end of a shift."""
    signed_in = {"one", "two"}
    shelf = Shelf(signed_in.__contains__, sweep_seconds=0.05)
    shelf.put("one", b"a face")
    ticket = shelf.put("two", b"another")
    signed_in.discard("one")
    assert not gone(shelf, 1, seconds=0.3)
    assert shelf.get("two", ticket) == b"another"
    signed_in.clear()
    assert gone(shelf)


def gone(shelf: Shelf, number: int = 0, *, seconds: float = 5.0) -> bool:
    """Wait until the shelf holds no more than this; never longer than said."""
    deadline = time.monotonic() + seconds
    while len(shelf) > 0 and time.monotonic() < deadline:
        time.sleep(0.01)
    return len(shelf) == number == 0
