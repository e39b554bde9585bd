"""How far a template store has read, in one small file beside its collections: restored with them, or lost with them.

Written beside and renamed into place, so a crash leaves the earlier marks. These may lie behind what the store holds, never
before it: what is read again changes nothing.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from comity.errors import Unavailable
from comity.ports import Marks

NAME = "comity.json"
FORMAT = 1
BYTES_MAX = 64 * 1024  # some dozen streams


def read(folder: Path) -> Marks | None:
    """Return the marks in this folder; None where there are none that can be read: then all is read again."""
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        with (folder / NAME).open("rb") as file:
            held = json.loads(file.read(BYTES_MAX))
        if held["format"] == FORMAT:
            next_ = {str(stream): int(at) for stream, at in held["next"].items()}
            return Marks(int(held["generation"]), str(held["source"]), next_)
    return None


def write(folder: Path, marks: Marks) -> None:
    """Write the marks durably. Raises Unavailable where the disk refuses."""
    said = {"format": FORMAT, "generation": marks.generation, "source": marks.source, "next": dict(marks.next)}
    made = folder / f".{NAME}.new"
    try:
        with made.open("w", encoding="utf-8") as file:
            file.write(json.dumps(said, sort_keys=True) + "\n")
            file.flush()
            os.fsync(file.fileno())
        made.replace(folder / NAME)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise Unavailable(
            f"The gallery's position was not written: {error.strerror or 'the disk refused'}.",
            advice="Look at the disk's space and health; what was read will be read again.",
        ) from error
