"""Large pictures are decoded a few at a time, whoever asks, and keep their place while they are held."""

from __future__ import annotations

import io
import threading
import time

import pytest
from PIL import Image

from comity.adapters import images
from comity.adapters.decoding_room import DecodingRoom
from comity.errors import PhotographRefused, Unavailable


def png(side: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (side, side), (9, 9, 9)).save(out, "PNG", compress_level=1)
    return out.getvalue()


def test_pictures_that_are_held_leave_no_room_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    room = DecodingRoom(pixels_max=8_000_000, wait_seconds=0.2)
    monkeypatch.setattr(images, "ROOM", room)
    large, held = png(2_000), list[images.Decoded]()
    threads = [threading.Thread(target=lambda: held.append(images.decode(large))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert room.pixels == 8_000_000
    with pytest.raises(Unavailable):
        images.decode(large)
    assert images.decode(png(100)).size == (100, 100)
    held.clear()
    assert room.pixels == 0
    assert images.decode(large).size == (2_000, 2_000)
    assert room.pixels == 0


def test_whoever_waits_goes_on_when_another_is_done() -> None:
    room, order = DecodingRoom(pixels_max=10_000_000, wait_seconds=5), list[str]()

    def second() -> None:
        with room.place(8_000_000):
            order.append("second")

    with room.place(8_000_000):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.1)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_whoever_holds_one_is_let_in_again() -> None:
    room = DecodingRoom(pixels_max=10_000_000, wait_seconds=0.1)
    with room.place(8_000_000), room.place(8_000_000):
        assert room.pixels == 16_000_000
    assert room.pixels == 0


def test_a_picture_that_cannot_be_read_keeps_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    room = DecodingRoom(wait_seconds=0.1)
    monkeypatch.setattr(images, "ROOM", room)
    with pytest.raises(PhotographRefused):
        images.decode(png(2_000)[:5_000])
    assert room.pixels == 0
