"""The folder that everything lies in, and the one lock that makes it one process's."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from comity.errors import Unavailable


class Home:
    """The paths under a home, and its lock."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._lock: int | None = None

    def open(self) -> None:
        """Make the folder and take its lock. Raises Unavailable where another process has it."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise Unavailable(
                f"Another process has {self.root} open.", advice="Talk to it, or stop it: one process owns a home."
            ) from None
        self._lock = descriptor

    def close(self) -> None:
        """Give the lock back; idempotent."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def path(self, name: str) -> Path:
        """Return the path of something in the home."""
        return self.root / name

    @property
    def url_file(self) -> Path:
        """Return where a running ``comity up`` says its address."""
        return self.root / "url"
