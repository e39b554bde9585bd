"""The anchor: how far a journal was acknowledged, in one small file outside the home, best on another disk (F38).

A home restored from last night is whole in itself: nothing in it can tell that it is old. The anchor can. One file a journal,
by its id, written beside and renamed into place, so that a crash leaves the one before.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from comity.domain.merkle import Frontier
from comity.errors import Halted, InvalidInput, Unavailable
from comity.ports import Anchored

FORMAT = 1
BYTES_MAX = 16 * 1024  # 64 roots and some words
LOST_MAX = 1_000  # how many accepted losses keep their own file


def default_folder() -> Path:
    """Return the user's own state folder (XDG base directories). Raises InvalidInput where there is none."""
    given = Path(os.environ.get("XDG_STATE_HOME") or "")
    if given.is_absolute():
        return given / "comity"
    try:
        return Path.home() / ".local" / "state" / "comity"
    except RuntimeError:
        raise InvalidInput(
            "There is no home folder to keep the anchor in.", advice="Name a folder with COMITY_ANCHOR, on another disk."
        ) from None


class FileAnchor:
    """Anchors in one folder."""

    def __init__(self, folder: Path) -> None:
        """Nothing is made before the first ``write``."""
        self._folder = folder

    def path(self, journal: str) -> Path:
        """Return where the anchor of this journal lies."""
        return self._folder / f"{re.sub(r'[^A-Za-z0-9_-]', '_', journal)}.json"

    def read(self, journal: str) -> Anchored | None:
        """Return the anchor of this journal, or None. Raises Halted where it cannot be read: then nothing is known."""
        path = self.path(journal)
        try:
            with path.open("rb") as file:
                held = json.loads(file.read(BYTES_MAX))
            return _anchored(held, journal)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError):
            raise Halted(
                f"The anchor {path} cannot be read, so nobody knows how far this journal was acknowledged.",
                advice="Put it back from its other copy; else look that the journal is whole, then: comity anchor accept.",
            ) from None

    def write(self, journal: str, anchored: Anchored) -> None:
        """Write durably. Raises Unavailable where the disk refuses: the anchor before stands."""
        path = self.path(journal)
        said = {
            "format": FORMAT,
            "journal": journal,
            "next": anchored.next,
            "size": anchored.frontier.size,
            "roots": anchored.frontier.to_bytes().hex(),
            "head": anchored.frontier.head().hex(),  # for people
            "at": anchored.at.isoformat(),
            "starts": anchored.starts,
        }
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            made = path.with_suffix(".new")
            with made.open("w", encoding="utf-8") as file:
                file.write(json.dumps(said, indent=1) + "\n")
                file.flush()
                os.fsync(file.fileno())
            made.replace(path)
            self._synchronise()
        except OSError as error:
            raise Unavailable(
                f"The anchor {path} was not written: {error.strerror or 'the disk refused'}.",
                advice="Look at that disk, or name another folder with COMITY_ANCHOR; the anchor before stands.",
            ) from error

    def put_aside(self, journal: str) -> None:
        """Keep the anchor under another name, so that the next is the first: for an accepted loss."""
        path = self.path(journal)
        for number in range(1, LOST_MAX):
            aside = path.with_suffix(f".lost-{number}.json")
            if not aside.exists():
                with suppress(FileNotFoundError):
                    path.rename(aside)
                return

    def _synchronise(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _anchored(held: dict[str, Any], journal: str) -> Anchored:
    if held["format"] != FORMAT or held["journal"] != journal:
        raise ValueError("another form, or another journal's")
    frontier = Frontier.from_bytes(int(held["size"]), bytes.fromhex(held["roots"]))
    return Anchored(int(held["next"]), frontier, datetime.fromisoformat(held["at"]), int(held["starts"]))
