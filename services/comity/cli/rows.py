"""Rows of a CSV file of bookings: read one physical line at a time, each cell judged before anything is done with it.

A row is one line: a line break within a cell would let one hostile quote swallow the rows after it, so none is taken. Every
limit stands here with its reason, and what is refused is refused with a reason that the agency can act on. Nothing of a refused
cell is repeated: it goes to a terminal and into a report that a spreadsheet may open.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from stat import S_ISREG
from typing import BinaryIO

from comity.domain.entries import RecordClass
from comity.domain.ids import Ori
from comity.domain.ids import ori as read_ori
from comity.errors import InvalidInput
from comity.wire import sealing
from comity.wire.booking import Booking, Charge, record_class
from comity.wire.limits import EARLIEST, MIB, PHOTOGRAPHS_MAX, SMALL_INT_MAX, TEXT_CHARS_MAX

LINE_BYTES_MAX = 64 * 1024  # a hundred charges and eight paths
CELL_CHARS_MAX = 16 * 1024  # a hundred charges
COLUMNS_MAX = 64  # ours are 13; a header of thousands is no export
ROWS_MAX = 500_000  # the booking numbers seen are held in memory; five files make the largest exchange
PHOTOGRAPHS_BYTES_MAX = 15 * MIB  # an event holds 16, the particulars are in it too
CHARGES_MAX = 100
AGE_MAX = 130
NAME_CHARS_MAX, WORD_CHARS_MAX = 200, 64
CLOCKS_DIFFER = timedelta(days=1)  # a booking is never from the future, a zone may be wrong

COLUMNS: dict[str, str] = {
    "agency": "The owner's ORI, such as WI0130000.",
    "booking_number": "As your records system prints it; each once in a file.",
    "class": "booking, minor, missing or unknown-deceased. Applicants are refused.",
    "age_at_capture": "Whole years; empty for unknown, which counts as a minor.",
    "legal_basis": "Why it may be kept, such as: Arrest on probable cause.",
    "captured_at": "When the photographs were taken, with its zone: 2026-03-01T14:05:00-06:00.",
    "photographs": "1 to 8 paths relative to this file, separated by `;`.",
    "version": "A whole number; a correction has a higher one. Empty: 1.",
    "charges": "offence:severity or offence:severity:disposition, separated by `;`.",
    "agency_case": "The agency case number.",
    "court_case": "The court case number.",
    "atn": "The arrest tracking number.",
    "name": "The person's name; encrypted before it leaves this machine.",
}
NEEDED = ("agency", "booking_number", "class", "age_at_capture", "legal_basis", "captured_at", "photographs")

_FORMULA = tuple("=+-@\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_WHOLE = re.compile(r"[0-9]{1,10}")


class BadRow(ValueError):
    """A row that is not taken: a stable code for machines, and a sentence for the person who mends it."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code, self.sentence = code, sentence


@dataclass(frozen=True, slots=True)
class Refused:
    """A line of the file that is not sent, and why."""

    line: int
    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Row:
    """A booking that can be sent: its photographs are read when its turn comes. ``digest`` names the row's content."""

    line: int
    digest: str
    booking: Booking = field(repr=False)
    photographs: tuple[Path, ...]


class Rows:
    """The rows of one file, in order; each is a ``Row`` or a ``Refused``."""

    def __init__(self, path: Path, now: datetime | None = None) -> None:
        self._path, self._folder = path, path.parent.resolve()
        self._latest = (now or datetime.now(UTC)) + CLOCKS_DIFFER
        self._seen: dict[bytes, int] = {}
        self.columns = self._header()

    def count(self) -> int:
        """Return how many lines follow the header. Raises InvalidInput for more than a file may have."""
        with self._path.open("rb") as file:
            lines = sum(1 for _ in _lines(file)) - 1
        if lines > ROWS_MAX:
            raise InvalidInput(f"The file has {lines} rows; at most {ROWS_MAX} are taken.", advice="Split it into several files.")
        return lines

    def __iter__(self) -> Iterator[Row | Refused]:
        """Yield every row, refused ones too; blank lines are no rows."""
        self._seen.clear()
        with self._path.open("rb") as file:
            for number, line in enumerate(_lines(file), 1):
                if number == 1 or (line is not None and not line.strip()):
                    continue
                if number > ROWS_MAX + 1:
                    raise InvalidInput(f"More than {ROWS_MAX} rows.", advice="Split it into several files.")
                try:
                    yield self._row(number, self._cells(line))
                except BadRow as error:
                    yield Refused(number, error.code, error.sentence)

    def _header(self) -> tuple[str, ...]:
        with self._path.open("rb") as file:
            line = next(_lines(file), b"")
        if line is not None and line.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise InvalidInput("The file is UTF-16.", advice="Save it as CSV in UTF-8.")
        try:
            names = tuple(name.strip() for name in _split(_text(line, bom=True)))
        except BadRow as error:
            raise InvalidInput(f"The header cannot be read: {error.sentence}", advice=_COLUMNS_ADVICE) from None
        unknown, missing = [n for n in names if n not in COLUMNS], [n for n in NEEDED if n not in names]
        if len(names) > COLUMNS_MAX or len(set(names)) < len(names) or unknown or missing:
            raise InvalidInput(_why_header(names, unknown, missing), advice=_COLUMNS_ADVICE)
        return names

    def _cells(self, line: bytes | None) -> dict[str, str]:
        cells = _split(_text(line))
        if len(cells) != len(self.columns):
            raise BadRow("columns", f"The row has {len(cells)} cells, the header {len(self.columns)}.")
        named = dict(zip(self.columns, cells, strict=True))
        for name, cell in named.items():
            _check(name, cell)
        return {name: cell.strip() for name, cell in named.items()}

    def _row(self, number: int, cells: Mapping[str, str]) -> Row:
        booking = self._booking(cells)
        photographs = self._photographs(cells["photographs"])
        normal = f"{booking.owner}\0{sealing.normalise_number(booking.booking_number)}".encode()
        first = self._seen.setdefault(hashlib.blake2b(normal, digest_size=16).digest(), number)
        if first != number:
            raise BadRow("duplicate", f"This booking stands in line {first} already.")
        return Row(number, _digest(cells), booking, photographs)

    def _booking(self, cells: Mapping[str, str]) -> Booking:
        return Booking(
            owner=_agency(cells["agency"]),
            booking_number=_number("booking_number", cells["booking_number"]),
            record_class=_class(cells["class"]),
            age_at_capture=_whole("age_at_capture", cells["age_at_capture"], AGE_MAX),
            legal_basis=_limited("legal_basis", cells["legal_basis"], TEXT_CHARS_MAX),
            captured_at=self._captured_at(cells["captured_at"]),
            version=_version(cells.get("version", "")),
            photographs=(),
            charges=_charges(cells.get("charges", "")),
            agency_case=_optional("agency_case", cells),
            court_case=_optional("court_case", cells),
            atn=_optional("atn", cells),
            name=_limited("name", cells["name"], NAME_CHARS_MAX) if cells.get("name") else None,
        )

    def _captured_at(self, text: str) -> datetime:
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            raise BadRow("captured-at", "captured_at is no time: write it like 2026-03-01T14:05:00-06:00.") from None
        if at.tzinfo is None:
            raise BadRow("captured-at", "captured_at has no zone: end it with Z or with -06:00.")
        if not EARLIEST <= at <= self._latest:
            raise BadRow("captured-at", "captured_at lies before 1900 or in the future.")
        return at

    def _photographs(self, text: str) -> tuple[Path, ...]:
        named = [part.strip() for part in text.split(";") if part.strip()]
        if not 1 <= len(named) <= PHOTOGRAPHS_MAX:
            raise BadRow("photographs", f"photographs names {len(named)} files; a record has 1 to {PHOTOGRAPHS_MAX}.")
        if len(set(named)) < len(named):
            raise BadRow("photographs", "photographs names a file twice.")
        paths, total = tuple(photograph(self._folder, name) for name in named), 0
        for path in paths:
            total += _size(path)
        if total > PHOTOGRAPHS_BYTES_MAX:
            raise BadRow("photograph-too-large", f"The photographs are over {PHOTOGRAPHS_BYTES_MAX // MIB} MiB together.")
        return paths


_COLUMNS_ADVICE = "`comity import --columns` lists the columns; separate them by commas."


def charge(text: str) -> Charge:
    """Read ``offence:severity[:disposition]``. Raises BadRow."""
    parts = [part.strip() for part in text.split(":")]
    if len(parts) not in (2, 3) or not all(parts):
        raise BadRow("charges", "A charge is offence:severity or offence:severity:disposition.")
    offence, severity, disposition = (*parts, None)[:3]
    if len(parts[0]) > NAME_CHARS_MAX or any(len(word) > WORD_CHARS_MAX for word in parts[1:]):
        raise BadRow("charges", f"A charge is longer than {NAME_CHARS_MAX}:{WORD_CHARS_MAX}:{WORD_CHARS_MAX} characters.")
    return Charge(str(offence), str(severity), disposition)


def photograph(folder: Path, name: str) -> Path:
    """Return a photograph's path; it must lie in the file's own folder, links followed. Raises BadRow."""
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts or "\\" in name or ":" in name or name.startswith("~"):
        raise BadRow("path", "A photograph's path is relative, without `..`, drives or backslashes.")
    try:
        path = (folder / pure).resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        raise BadRow("photograph-missing", "A photograph is not there, or cannot be read.") from None
    if not path.is_relative_to(folder):
        raise BadRow("path", "A photograph's path leads out of this file's folder.")
    return path


def _size(path: Path) -> int:
    try:
        found = path.stat()
    except OSError:
        raise BadRow("photograph-missing", "A photograph is not there, or cannot be read.") from None
    if not S_ISREG(found.st_mode):
        raise BadRow("path", "A photograph is no plain file.")
    if found.st_size == 0:
        raise BadRow("photograph-empty", "A photograph is empty.")
    return found.st_size


def _lines(file: BinaryIO) -> Iterator[bytes | None]:
    """Yield physical lines; None for one over the limit, of which no more than the limit was ever held."""
    while line := file.readline(LINE_BYTES_MAX + 1):
        if len(line) <= LINE_BYTES_MAX:
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(LINE_BYTES_MAX)
        yield None


def _text(line: bytes | None, *, bom: bool = False) -> str:
    if line is None:
        raise BadRow("too-long", f"The line is over {LINE_BYTES_MAX // 1024} KiB.")
    if b"\0" in line:
        raise BadRow("nul", "The line holds a NUL character.")
    try:
        return line.decode("utf-8-sig" if bom else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise BadRow("encoding", "The line is not UTF-8.") from None


def _split(text: str) -> list[str]:
    try:
        rows = list(csv.reader([text], strict=True))
    except csv.Error:
        raise BadRow("quotes", "A quote is not closed, or text follows one; a cell holds no line break.") from None
    return rows[0] if rows else []


def _check(name: str, cell: str) -> None:
    if cell.lstrip().startswith(_FORMULA) or cell.startswith("\t"):
        raise BadRow("formula", f"{name} starts like a spreadsheet's formula.")
    if _CONTROL.search(cell):
        raise BadRow("control", f"{name} holds a control character.")
    if len(cell) > CELL_CHARS_MAX:
        raise BadRow("too-long", f"{name} is longer than {CELL_CHARS_MAX} characters.")


def _agency(text: str) -> Ori:
    try:
        return read_ori(text)
    except ValueError:
        raise BadRow("agency", "agency is no ORI: two letters and seven letters or digits, such as WI0130000.") from None


def _class(text: str) -> RecordClass:
    try:
        return record_class(text)
    except InvalidInput as error:
        raise BadRow("class", f"{error.message} {error.advice}") from None


def _whole(name: str, text: str, most: int) -> int | None:
    if not text:
        return None
    if not _WHOLE.fullmatch(text) or int(text) > most:
        raise BadRow(name.replace("_", "-"), f"{name} is a whole number up to {most}, or empty.")
    return int(text)


def _version(text: str) -> int:
    version = _whole("version", text, SMALL_INT_MAX)
    return 1 if version is None else version


def _limited(name: str, text: str, most: int) -> str:
    if not 1 <= len(text) <= most:
        raise BadRow(name.replace("_", "-"), f"{name} has 1 to {most} characters.")
    return text


def _number(name: str, text: str) -> str:
    try:
        sealing.normalise_number(text)
    except ValueError as error:
        raise BadRow(name.replace("_", "-"), f"{name}: {error}.") from None
    return text


def _optional(name: str, cells: Mapping[str, str]) -> str | None:
    return _number(name, cells[name]) if cells.get(name) else None


def _charges(text: str) -> tuple[Charge, ...]:
    parts = [part for part in text.split(";") if part.strip()]
    if len(parts) > CHARGES_MAX:
        raise BadRow("charges", f"A booking has at most {CHARGES_MAX} charges.")
    return tuple(map(charge, parts))


def _digest(cells: Mapping[str, str]) -> str:
    said = sorted((name, cell) for name, cell in cells.items() if cell)  # a new, empty column changes no row
    return hashlib.sha256(json.dumps(said, ensure_ascii=False).encode()).hexdigest()


def _why_header(names: tuple[str, ...], unknown: list[str], missing: list[str]) -> str:
    if len(names) > COLUMNS_MAX:
        return f"The header has {len(names)} columns; at most {COLUMNS_MAX} are read."
    if missing:
        return f"The header lacks {', '.join(missing)}."
    return f"The header has {len(unknown)} unknown columns." if unknown else "The header names a column twice."
