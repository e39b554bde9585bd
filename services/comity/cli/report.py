"""An import's memory: one JSON object a line, appended as it goes, so that the next run goes on where this one stopped.

An outcome is written after it is known: a crash in between sends that row again, and the exchange keeps the first. The last
line about a row counts. A half line at the end, from a crash, is passed over.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from stat import S_ISREG
from typing import Any, Self

from comity.errors import Conflict, InvalidInput

KIND = "comity-import/1"
HEADER = f'{{"report": "{KIND}"'
LINE_CHARS_MAX = 16 * 1024
SENT, TAKEN, REJECTED, SUPPRESSED = "sent", "admitted", "rejected", "suppressed"
_RECORD = re.compile(r"[0-9a-f]{1,64}")  # it stands in a path
DONE = (TAKEN, REJECTED, SUPPRESSED)


class Report:
    """The report of one file's import into one home. Holds the file's lock: one import writes it at a time."""

    def __init__(self, path: Path, home: Path) -> None:
        self.path = path
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        if not S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise _no_report(path)
        self._file = os.fdopen(descriptor, "r+", encoding="utf-8", errors="surrogateescape")
        try:
            self._lock()
            self._know()
            self.states: dict[str, dict[str, Any]] = {}
            self._versions: dict[tuple[object, ...], str] = {}
            self._load(str(home.resolve()))
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def add(self, row: str, **said: object) -> None:
        """Append what became of a row (by its digest)."""
        line = {"row": row, **said}
        self._remember(row, line)
        self._write(line)

    def stands(self, agency: str, booking: str, version: int) -> str | None:
        """Return the digest of the row that this version of a booking was taken from, where one was."""
        row = self._versions.get((agency, booking, version))
        return row if row is not None and self.states[row].get("state") in (SENT, TAKEN) else None

    def refuse(self, line: int, code: str, sentence: str) -> None:
        """Append a line of the file that was not sent; it is looked at again in the next run."""
        self._write({"line": line, "state": "refused", "reason": code, "advice": sentence})

    def close(self) -> None:
        """Close the file; idempotent."""
        self._file.close()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Conflict(f"Another import is writing {self.path}.", advice="Wait for it, or name another --report.") from None

    def _know(self) -> None:
        """Raise InvalidInput for a file of something else: a report is appended, and that would be spoilt."""
        first = self._file.readline(LINE_CHARS_MAX)
        self._file.seek(0)
        if first.startswith(HEADER):
            return
        if not HEADER.startswith(first):
            raise _no_report(self.path)
        self._file.truncate()  # nothing yet, or no more of its first line than a crash left

    def _load(self, home: str) -> None:
        ends_whole = True
        while text := self._file.readline(LINE_CHARS_MAX):
            ends_whole = text.endswith("\n")
            self._take(text, home)
        if not ends_whole:
            self._file.write("\n")
        if self._file.tell() == 0:
            self._write({"report": KIND, "home": home})

    def _take(self, text: str, home: str) -> None:
        try:
            said = json.loads(text)
        except ValueError:
            return
        if not isinstance(said, dict):
            return
        if said.get("report") == KIND and said.get("home") != home:
            raise Conflict("This report belongs to an import into another home.", advice="Name another with --report.")
        if isinstance(row := said.get("row"), str) and _is_whole(said):
            self._remember(row, said)

    def _remember(self, row: str, said: dict[str, Any]) -> None:
        self.states[row] = self.states.get(row, {}) | said
        self._versions[said.get("agency"), said.get("booking"), said.get("version")] = row

    def _write(self, line: dict[str, object]) -> None:
        self._file.write(json.dumps(line, ensure_ascii=True) + "\n")
        self._file.flush()


def _is_whole(said: Mapping[str, Any]) -> bool:
    """Say whether a line that tells of a row sent can be asked after; else the row is sent again, and the first one counts."""
    if said.get("state") != SENT:
        return True
    receipt = said.get("receipt")
    named = _RECORD.fullmatch(str(said.get("record_id"))) is not None
    return named and isinstance(receipt, dict) and {"partition", "position", "sha256"} <= receipt.keys()


def _no_report(path: Path) -> InvalidInput:
    return InvalidInput(f"{path} is no report of an import.", advice="Name another file with --report.")
