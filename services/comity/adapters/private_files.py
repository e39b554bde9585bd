"""Files and folders that their owner alone may read, from the moment that they are made."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from comity.errors import Unavailable


def make(path: Path) -> None:
    """Make an empty file, unless there is one: before SQLite does, which lays others beside it with the same mode.

    One that is there is never opened: closing it would drop every lock that SQLite holds on it in this process (POSIX drops them
    with the first descriptor), and another process would take itself for the last and delete the write-ahead file underneath.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))


def make_folder(path: Path) -> None:
    """Make a folder that its owner alone may enter, and close one that is there. Raises Unavailable."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o700)  # it may have come from a copy that is open to others
    except OSError as error:
        raise Unavailable(
            f"{path} cannot be closed to other accounts: {error.strerror}.",
            advice="Let the account that runs comity own its home, on a file system that keeps permissions.",
        ) from None


def write(path: Path, text: str) -> None:
    """Write a file, whole or not at all."""
    made = path.with_name(path.name + ".new")
    made.unlink(missing_ok=True)
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    made.replace(path)
