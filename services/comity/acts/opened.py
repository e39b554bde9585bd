"""Opens what is encrypted, for a released answer alone: there is no way to a photograph but through a ``Disclosure`` (R33).

A photograph leaves redrawn. One that is missing, or that cannot be decrypted or drawn, leaves as a placeholder, and the
operator is told: one damaged file fails no search.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from comity.acts.alarms import Alarms
from comity.acts.probes import Probes
from comity.acts.release import Disclosure
from comity.domain.ids import RecordId, SearchId, particulars_name, photo_name, record_key
from comity.errors import ComityError, KeyShredded, NotFound
from comity.ports import Box, Drawing, Drawn, KeyVault, PhotoStore
from comity.wire import sealing

DRAWERS = 4  # threads; each holds a picture of up to 120 MB, and Pillow uses a core in each
PAGE_SIDE = 960  # pixels, long side: what a screen shows
UNREADABLE = "photograph-unreadable"
ADVICE = "Run `comity fsck`, and restore the photograph's file or have the agency send the booking again."

Photograph = tuple[RecordId, int, int]  # of which record, which version of it, and the photograph's number there


@dataclass(frozen=True, slots=True)
class Wanted:
    """A photograph that an answer would show."""

    record: RecordId
    photo: int


class Album:
    """The photographs of one answer, drawn once: a drawing that took too long is there when the answer is released again.

    Kept in memory, and for this answer alone. ``side_max``: no more pixels than that on the long side; None: full size.
    """

    def __init__(self, side_max: int | None) -> None:
        self.side_max = side_max
        self.drawn: dict[Photograph, Drawn] = {}


class Opened:
    """Unwraps a released record's photographs and particulars, and a searcher's own probe. Thread-safe."""

    def __init__(self, vault: KeyVault, photos: PhotoStore, probes: Probes, drawing: Drawing, alarms: Alarms) -> None:
        self._vault, self._photos, self._probes = vault, photos, probes
        self._drawing, self._alarms = drawing, alarms
        self._drawers = ThreadPoolExecutor(DRAWERS, thread_name_prefix="comity-draw")

    def photographs(self, disclosure: Disclosure, wanted: Sequence[Wanted], album: Album) -> dict[RecordId, Drawn]:
        """Return what of these the disclosure lets be viewed, drawn; called within the release, so that nothing older leaves."""
        allowed = [w for w in wanted if disclosure.allows(w.record, "view")]
        names = {w.record: (w.record, disclosure.version(w.record), w.photo) for w in allowed}
        missing = [name for name in names.values() if name not in album.drawn]
        drawn = self._drawers.map(partial(self._draw, side_max=album.side_max), missing)
        album.drawn |= zip(missing, drawn, strict=True)
        return {record: album.drawn[name] for record, name in names.items()}

    def close(self) -> None:
        """End the threads that draw; idempotent."""
        self._drawers.shutdown(wait=False, cancel_futures=True)

    def particulars(self, disclosure: Disclosure, record: RecordId) -> dict[str, Any] | None:
        """Return a revealed record's particulars; None where the requester may not, or they are gone."""
        if not disclosure.allows(record, "reveal"):
            return None
        name = particulars_name(record, disclosure.version(record))
        try:
            plain = self._open(record_key(record), name)
            return None if plain is None else dict(json.loads(plain))
        except (ComityError, ValueError):
            self._alarms.sound(UNREADABLE, f"{name} cannot be read.", ADVICE)
            return None

    def probe(self, search: SearchId, *, box: Box | None = None) -> Drawn | None:
        """Return a search's probe, or a face in it, drawn for a page: what the searcher brought, not a disclosure.

        None where it is no longer kept.
        """
        try:
            plain = self._probes.open(search)
            return None if plain is None else self._drawing.draw(plain, side_max=PAGE_SIDE, box=box)
        except (ComityError, ValueError):
            return self._placeholder(f"search/{search}")

    def _draw(self, photograph: Photograph, side_max: int | None) -> Drawn:
        record, version, photo = photograph
        name = photo_name(record, version, photo)
        try:
            plain = self._open(record_key(record), name)
            if plain is not None:
                return self._drawing.draw(plain, side_max=side_max)
        except (ComityError, ValueError):
            pass
        return self._placeholder(name)

    def _placeholder(self, name: str) -> Drawn:
        self._alarms.sound(UNREADABLE, f"{name} cannot be read.", ADVICE)
        return self._drawing.placeholder()

    def _open(self, key: str, name: str) -> bytes | None:
        """Return what is kept under a name, or None where it or its key is gone. Raises ValueError where it is damaged."""
        try:
            opened_by, ciphertext = self._vault.open(key), self._photos.get(name)
        except (KeyShredded, NotFound):
            return None
        return None if ciphertext is None else sealing.unseal(opened_by, ciphertext, context=name.encode())
