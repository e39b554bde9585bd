"""Marks: how far the journal was carried out on a store, kept with the store, so that an older copy brings its own back.

Written beside and renamed into place: a crash leaves the earlier mark, and what is carried out twice changes nothing.
"""

from __future__ import annotations

import os
from pathlib import Path

from comity.adapters.key_vault import SqliteKeyVault
from comity.errors import Unavailable
from comity.ports import ErasureMark

NAME = ".carried-out"
DIGITS_MAX = 20
VAULT_NAME = "carried-out"


class FolderErasureMark:
    """A mark in a store's own folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME

    def load(self) -> int:
        """Return the next position to carry out; 0 where there is no mark, or none that can be read."""
        try:
            with self._path.open("rb") as file:
                return max(0, int(file.read(DIGITS_MAX)))
        except (OSError, ValueError):
            return 0

    def save(self, position: int) -> None:
        """Remember the next position, durably. Raises Unavailable where the disk refuses."""
        made = self._path.with_name(f"{NAME}-new")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with made.open("wb") as file:
                file.write(b"%d\n" % position)
                file.flush()
                os.fsync(file.fileno())
            made.replace(self._path)
            descriptor = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise Unavailable(
                f"How far the orders were carried out was not written: {error.strerror or 'the disk refused'}.",
                advice="Look at the disk's space and health; what was carried out is carried out again.",
            ) from error


class VaultErasureMark:
    """The vault's mark, in its own file."""

    def __init__(self, vault: SqliteKeyVault) -> None:
        self._vault = vault

    def load(self) -> int:
        """Return the next position to carry out."""
        return self._vault.marked(VAULT_NAME)

    def save(self, position: int) -> None:
        """Remember the next position, durably."""
        self._vault.mark(VAULT_NAME, position)


def erasure_marks(vault: SqliteKeyVault, *folders: Path) -> dict[str, ErasureMark]:
    """Return the marks of a vault and of the stores in these folders, by name."""
    return {"vault": VaultErasureMark(vault), **{folder.name: FolderErasureMark(folder) for folder in folders}}
