"""An import's memory: one JSON object a line, appended as it goes, so that the next run goes on where this one stopped.

An outcome is written after it is known: a crash in between sends that row again, and the exchange keeps the first. The last
line about a row counts. What does not fit is passed over, a half line from a crash too: then the row is sent again.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from stat import S_ISREG
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from comity.errors import Conflict, InvalidInput

KIND = "comity-import/1"
HEADER = f'{{"report": "{KIND}"'
LINE_CHARS_MAX = 16 * 1024
SENT, TAKEN, REJECTED, SUPPRESSED = "sent", "admitted", "rejected", "suppressed"
DONE = (TAKEN, REJECTED, SUPPRESSED)


class _Receipt(BaseModel):
    """Where an enrolment stands; it is asked after by this."""

    model_config = ConfigDict(strict=True)
    topic: str
    partition: int = Field(ge=0, lt=2**31)
    position: int = Field(ge=0, lt=2**63)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class _Told(BaseModel):
    """What the lines of a report tell of one row."""

    model_config = ConfigDict(strict=True)
    state: Literal["sent", "admitted", "rejected", "suppressed"]
    agency: str
    booking: str
    version: int
    record_id: str | None = Field(default=None, pattern="^[0-9a-f]{1,64}$", description="It stands in a path.")
    receipt: _Receipt | None = None
    photographs: str | None = None
    reason: str | None = None
    advice: str | None = None

    @model_validator(mode="after")
    def _can_be_asked_after(self) -> Self:
        if self.state == SENT and (self.record_id is None or self.receipt is None):
            raise ValueError("what was sent has a record and a receipt")
        return self


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
        except (ValueError, RecursionError):
            return
        if not isinstance(said, dict):
            return
        if said.get("report") == KIND and said.get("home") != home:
            raise Conflict("This report belongs to an import into another home.", advice="Name another with --report.")
        if isinstance(row := said.get("row"), str) and _fits(self.states.get(row, {}) | said):
            self._remember(row, said)

    def _remember(self, row: str, said: dict[str, Any]) -> None:
        self.states[row] = self.states.get(row, {}) | said
        self._versions[said.get("agency"), said.get("booking"), said.get("version")] = row

    def _write(self, line: dict[str, object]) -> None:
        self._file.write(json.dumps(line, ensure_ascii=True) + "\n")
        self._file.flush()


def _fits(said: Mapping[str, Any]) -> bool:
    """Say whether what all lines tell of a row can be gone on with."""
    try:
        _Told.model_validate(said)
    except ValidationError:
        return False
    return True


def _no_report(path: Path) -> InvalidInput:
    return InvalidInput(f"{path} is no report of an import.", advice="Name another file with --report.")
