"""The folder that everything lies in, and the one lock that makes it one process's."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from pathlib import Path

from comity.errors import InvalidInput, Unavailable

# One lies in every home, however much of it is lost. The lock does not count: it is left where the log could not be opened.
MADE_FIRST = ("identity.db", "log.db", "vault.db", "ledger.db")
IN_USE = "home-in-use"  # the reason that tells this refusal from others of its kind
OTHERS = 0o077  # what nobody else may do with a file of a home
_guard = threading.Lock()
_before: list[int] = []  # the process's own mask, and one more for each home that is open


class Home:
    """The paths under a home, and its lock."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._lock: int | None = None

    def is_made(self) -> bool:
        """Say whether an exchange was founded here: a folder that is mistyped, empty or somebody else's is no home."""
        return any((self.root / name).exists() for name in MADE_FIRST)

    def open(self) -> None:
        """Make the folder and take its lock. Raises Unavailable where another process has it, InvalidInput as ``make``."""
        self.make()
        try:
            descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._unusable(error) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise Unavailable(
                f"Another process has {self.root} open.",
                advice="Talk to it, or stop it: one process owns a home.",
                reason=IN_USE,
            ) from None
        self._lock = descriptor
        _close_to_others()

    def close(self) -> None:
        """Give the lock back; idempotent."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
            _as_before()

    def make(self) -> None:
        """Make the folder where it is missing. Raises InvalidInput where it cannot be made or written in."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise self._unusable(error) from None
        if not os.access(self.root, os.W_OK | os.X_OK):
            raise self._unusable(PermissionError(errno.EACCES, os.strerror(errno.EACCES)))

    def _unusable(self, error: OSError) -> InvalidInput:
        return InvalidInput(
            f"{self.root} cannot be used as a home: {error.strerror}.",
            advice="Name a folder that you may write in, with --home or COMITY_HOME.",
        )

    def path(self, name: str) -> Path:
        """Return the path of something in the home."""
        return self.root / name

    @property
    def url_file(self) -> Path:
        """Return where a running ``comity up`` says its address."""
        return self.root / "url"


def _close_to_others() -> None:
    """Let every file that this process or a child of its makes from now on be its owner's alone, whichever library makes it."""
    with _guard:
        _before.append(os.umask(OTHERS))


def _as_before() -> None:
    """Put the process's own mask back once its last home is closed."""
    with _guard:
        own = _before[0]
        _before.pop()
        if not _before:
            os.umask(own)
