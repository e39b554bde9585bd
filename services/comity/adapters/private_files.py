"""Making a database's file before SQLite does, so that its owner alone may read it and what SQLite lays beside it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def make(path: Path) -> None:
    """Make an empty file that its owner alone can read, unless there is one.

    One that is there is never opened: closing it would drop every lock that SQLite holds on it in this process (POSIX drops them
    with the first descriptor), and another process would take itself for the last and delete the write-ahead file underneath.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
