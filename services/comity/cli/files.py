"""Files that a command is given: plain ones alone, and no more of one than can be used."""

from __future__ import annotations

from pathlib import Path
from stat import S_ISREG

from comity.errors import InvalidInput


def read(path: Path, bytes_max: int) -> bytes:
    """Return a file's bytes, one more than may be at most. Raises InvalidInput for a pipe or a device, which may have no end."""
    if not S_ISREG(path.stat().st_mode):
        raise InvalidInput(f"{path} is no plain file.", advice="Save what it gives in a file, and name that.")
    with path.open("rb") as file:
        return file.read(bytes_max + 1)
