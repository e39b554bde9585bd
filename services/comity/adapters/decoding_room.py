"""How many pixels are decoded at once, over all of a process: searches, pages and the encoder share one room.

A picture keeps its place for as long as anybody holds it, so the memory is bounded, and not the decoding alone. A thread that
holds one already is let in again without waiting: two that wait for each other's would wait for ever.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from comity.errors import Unavailable

PIXELS_MAX = 60_000_000  # held at once: one of the largest and some ordinary ones, 4 to 12 bytes each while they are decoded
FREE_PIXELS = 2_000_000  # as small as this is let in at once: a booking photograph never waits behind a panorama
WAIT_SECONDS = 20.0  # some ten of the largest, one after the other


class Place:
    """The room that one picture takes; given back when the picture it belongs to is gone."""

    def __init__(self, room: DecodingRoom, pixels: int, thread: int) -> None:
        self._room, self._pixels, self._thread, self._kept = room, pixels, thread, False

    def belongs_to(self, picture: object) -> None:
        """Keep the place until nobody holds this picture any more."""
        self._kept = True
        weakref.finalize(picture, self._room.give, self._pixels, self._thread)

    def leave(self) -> None:
        """Give the place back, unless it belongs to a picture."""
        if not self._kept:
            self._room.give(self._pixels, self._thread)


class DecodingRoom:
    """The pixels that are decoded at once. Thread-safe."""

    def __init__(self, pixels_max: int = PIXELS_MAX, wait_seconds: float = WAIT_SECONDS) -> None:
        self._max, self._wait_seconds = pixels_max, wait_seconds
        self._changed = threading.Condition()  # re-entrant: a picture may be collected while its own thread is in here
        self._held: dict[int, int] = {}

    @property
    def pixels(self) -> int:
        """Return how many are held now."""
        with self._changed:
            return sum(self._held.values())

    @contextmanager
    def place(self, pixels: int) -> Iterator[Place]:
        """Take room for a picture, waiting for it. Raises Unavailable where there is none in time."""
        if pixels <= FREE_PIXELS:
            pixels = 0
        own = threading.get_ident()
        with self._changed:
            if not self._changed.wait_for(lambda: self._fits(pixels, own), self._wait_seconds):
                raise Unavailable("Too many large pictures are being looked at.", advice="Try again in a few seconds.")
            self._held[own] = self._held.get(own, 0) + pixels
        taken = Place(self, pixels, own)
        try:
            yield taken
        finally:
            taken.leave()

    def give(self, pixels: int, thread: int) -> None:
        """Give room back."""
        with self._changed:
            left = self._held.pop(thread, 0) - pixels
            if left > 0:
                self._held[thread] = left
            self._changed.notify_all()

    def _fits(self, pixels: int, thread: int) -> bool:
        held = sum(self._held.values())
        return pixels == 0 or held == 0 or self._held.get(thread, 0) > 0 or held + pixels <= self._max


ROOM: Final = DecodingRoom()
