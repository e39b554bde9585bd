"""Files that a command is given: plain ones alone, and no more of one than can be used."""

from __future__ import annotations

import os
from pathlib import Path
from stat import S_ISREG

from comity.errors import InvalidInput


def read(path: Path, bytes_max: int) -> bytes:
    """Return a file's bytes, one more than may be at most. Raises InvalidInput for a pipe or a device, which may have no end."""
    if not S_ISREG(path.stat().st_mode):
        raise InvalidInput(f"{path} is no plain file.", advice="Save what it gives in a file, and name that.")
    with path.open("rb") as file:
        return file.read(bytes_max + 1)


def write(path: Path, held: bytes) -> None:
    """Write a new file that its owner alone can read, or none at all. Raises InvalidInput for one that is there already."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise InvalidInput(f"{path} is there already.", advice="Name another file.") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(held)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
