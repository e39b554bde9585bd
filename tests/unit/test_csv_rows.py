"""Rows of a bookings file: what is taken, and what is refused with its line and reason before anything is sent."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from comity.cli import rows as r
from comity.domain.entries import RecordClass
from comity.errors import InvalidInput
from comity.wire.booking import Charge

NOW = datetime(2026, 3, 2, tzinfo=UTC)
GOOD = {
    "agency": "WI0130000",
    "booking_number": "B-1",
    "class": "booking",
    "age_at_capture": "34",
    "legal_basis": "Arrest on probable cause",
    "captured_at": "2026-03-01T14:05:00-06:00",
    "photographs": "a.jpg",
    "version": "",
    "charges": "Burglary:felony;Theft:misdemeanour:dismissed",
    "agency_case": "26-1",
    "court_case": "2026CF000001",
    "atn": "",
    "name": "Ángel Roe",
}
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes a file of rows, each the good one with changes, beside one photograph."""
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"\xff\xd8\xff a picture")
    (tmp_path / "secret.jpg").write_bytes(b"a secret")

    def made(*changes: dict[str, str]) -> Path:
        path = folder / "bookings.csv"
        lines = [",".join(GOOD), *(",".join(f'"{cell}"' for cell in (GOOD | change).values()) for change in changes)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return made


def read(path: Path) -> list[r.Row | r.Refused]:
    return list(r.Rows(path, NOW))


def why(path: Path) -> str:
    (row,) = read(path)
    assert isinstance(row, r.Refused), row
    assert row.line == 2
    assert row.sentence
    return row.code


def test_a_good_row_becomes_a_booking(write: Write) -> None:
    path = write({})
    (row,) = read(path)
    assert isinstance(row, r.Row)
    booking = row.booking
    assert (booking.owner, booking.booking_number, booking.record_class) == ("WI0130000", "B-1", RecordClass.BOOKING)
    assert (booking.age_at_capture, booking.version, booking.atn) == (34, 1, None)
    assert booking.captured_at == datetime(2026, 3, 1, 20, 5, tzinfo=UTC)
    assert booking.charges == (Charge("Burglary", "felony"), Charge("Theft", "misdemeanour", "dismissed"))
    assert row.photographs == (path.parent / "a.jpg",)


def test_an_unknown_age_stays_unknown(write: Write) -> None:
    (row,) = read(write({"age_at_capture": ""}))
    assert isinstance(row, r.Row)
    assert row.booking.age_at_capture is None


HOSTILE = {
    "a formula": ({"name": "=HYPERLINK(1)"}, "formula"),
    "a formula after spaces": ({"name": "  +1"}, "formula"),
    "a formula in fullwidth": ({"legal_basis": "\N{FULLWIDTH EQUALS SIGN}1"}, "formula"),
    "a command": ({"agency_case": "@SUM(A1)"}, "formula"),
    "a negative age": ({"age_at_capture": "-1"}, "formula"),
    "a tab first": ({"name": "\tx"}, "formula"),
    "an escape sequence": ({"name": "\x1b[2J"}, "control"),
    "text that runs backwards": ({"name": "a\u202eb"}, "control"),
    "a path upwards": ({"photographs": "../secret.jpg"}, "path"),
    "a path upwards inside": ({"photographs": "x/../../secret.jpg"}, "path"),
    "an absolute path": ({"photographs": "/etc/hostname"}, "path"),
    "a drive": ({"photographs": "C:a.jpg"}, "path"),
    "a backslash": ({"photographs": "..\\secret.jpg"}, "path"),
    "a home": ({"photographs": "~/a.jpg"}, "path"),
    "a folder": ({"photographs": "."}, "path"),
    "an absent photograph": ({"photographs": "b.jpg"}, "photograph-missing"),
    "no photograph": ({"photographs": " ; "}, "photographs"),
    "nine photographs": ({"photographs": ";".join(f"{n}.jpg" for n in range(9))}, "photographs"),
    "a photograph twice": ({"photographs": "a.jpg;a.jpg"}, "photographs"),
    "no ORI": ({"agency": "Milwaukee"}, "agency"),
    "an ORI in small letters": ({"agency": "wi0130000"}, "agency"),
    "no booking number": ({"booking_number": ""}, "booking-number"),
    "a long number": ({"booking_number": "9" * 200}, "booking-number"),
    "an applicant": ({"class": "applicant"}, "class"),
    "no such class": ({"class": "suspect"}, "class"),
    "an old person": ({"age_at_capture": "131"}, "age-at-capture"),
    "digits of another script": ({"age_at_capture": "\N{ARABIC-INDIC DIGIT THREE}"}, "age-at-capture"),
    "no basis": ({"legal_basis": ""}, "legal-basis"),
    "no time": ({"captured_at": "yesterday"}, "captured-at"),
    "no zone": ({"captured_at": "2026-03-01T14:05:00"}, "captured-at"),
    "a time to come": ({"captured_at": "2026-04-01T00:00:00Z"}, "captured-at"),
    "a time before photography": ({"captured_at": "1800-01-01T00:00:00Z"}, "captured-at"),
    "a broken version": ({"version": "1.5"}, "version"),
    "a huge version": ({"version": "9999999999"}, "version"),
    "a charge without severity": ({"charges": "Theft"}, "charges"),
    "a charge of four parts": ({"charges": "a:b:c:d"}, "charges"),
    "many charges": ({"charges": ";".join(["a:b"] * 101)}, "charges"),
    "a long name": ({"name": "n" * 201}, "name"),
    "a long cell": ({"name": "n" * (r.CELL_CHARS_MAX + 1)}, "too-long"),
}


@pytest.mark.parametrize(("change", "code"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_row_is_refused_with_its_reason(write: Write, change: dict[str, str], code: str) -> None:
    assert why(write(change)) == code


@pytest.mark.parametrize(("change", "code"), HOSTILE.values(), ids=HOSTILE)
def test_a_refusal_repeats_nothing_of_the_cell(write: Write, change: dict[str, str], code: str) -> None:
    (row,) = read(write(change))
    assert isinstance(row, r.Refused)
    assert code
    told = {"agency", "class", "applicant"}  # words of ours
    assert all(cell.strip() not in row.sentence for cell in change.values() if len(cell.strip()) > 3 and cell not in told)


def test_a_link_out_of_the_folder_is_refused(write: Write) -> None:
    path = write({"photographs": "link.jpg"})
    (path.parent / "link.jpg").symlink_to(path.parent.parent / "secret.jpg")
    assert why(path) == "path"


def test_a_pipe_is_no_photograph(write: Write) -> None:
    path = write({"photographs": "pipe.jpg"})
    os.mkfifo(path.parent / "pipe.jpg")
    assert why(path) == "path"


def test_an_empty_photograph_is_refused(write: Write) -> None:
    path = write({"photographs": "empty.jpg"})
    (path.parent / "empty.jpg").touch()
    assert why(path) == "photograph-empty"


def test_photographs_too_large_for_one_event_are_refused(write: Write) -> None:
    path = write({"photographs": "large.jpg"})
    with (path.parent / "large.jpg").open("wb") as file:
        file.truncate(r.PHOTOGRAPHS_BYTES_MAX + 1)
    assert why(path) == "photograph-too-large"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"\xff\xfe\xfd", "encoding"),
        (b"a\0b", "nul"),
        (b"one,two", "columns"),
        (b",".join([b"x"] * 500), "columns"),
        (b'"not closed,x', "quotes"),
        (b'"closed"x,y', "quotes"),
        (b"x" * (r.LINE_BYTES_MAX + 1), "too-long"),
        (b"x" * (5 * r.LINE_BYTES_MAX), "too-long"),
    ],
    ids=["not UTF-8", "NUL", "few cells", "many cells", "open quote", "text after a quote", "long", "very long"],
)
def test_a_broken_line_is_refused_and_costs_no_other_row(write: Write, line: bytes, code: str) -> None:
    path = write({}, {"booking_number": "B-2"})
    header, first, second = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([header, line, first, second]))
    refused, one, two = read(path)
    assert isinstance(refused, r.Refused)
    assert (refused.line, refused.code) == (2, code)
    assert isinstance(one, r.Row)
    assert isinstance(two, r.Row)
    assert (one.line, two.line) == (3, 4)


def test_a_booking_stands_once_however_it_is_spelled(write: Write) -> None:
    first, second = read(write({"booking_number": "B-2026 1"}, {"booking_number": "b20261"}))
    assert isinstance(first, r.Row)
    assert isinstance(second, r.Refused)
    assert (second.code, second.line) == ("duplicate", 3)
    assert "line 2" in second.sentence


def test_two_agencies_may_use_the_same_number(write: Write) -> None:
    assert all(isinstance(row, r.Row) for row in read(write({}, {"agency": "WI0130100"})))


def test_a_refused_row_does_not_take_the_number(write: Write) -> None:
    refused, taken = read(write({"photographs": "absent.jpg"}, {}))
    assert isinstance(refused, r.Refused)
    assert isinstance(taken, r.Row)


def test_a_file_with_a_byte_order_mark_and_windows_lines_is_read(write: Write) -> None:
    path = write({})
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")
    (row,) = read(path)
    assert isinstance(row, r.Row)


def test_a_new_empty_column_changes_no_row(write: Write) -> None:
    path = write({"name": ""})
    (before,) = read(path)
    header, line = path.read_text(encoding="utf-8").splitlines()
    assert header.endswith(",name")
    path.write_text(f"{header.removesuffix(',name')}\n{line.removesuffix(',' + chr(34) * 2)}\n", encoding="utf-8")
    (after,) = read(path)
    assert isinstance(before, r.Row)
    assert isinstance(after, r.Row)
    assert before.digest == after.digest


def test_a_row_is_known_again_by_its_content(write: Write) -> None:
    (before,) = read(write({}))
    moved, changed = read(write({"booking_number": "B-0", "name": "x"}, {}))[1], read(write({"version": "2"}))[0]
    assert isinstance(before, r.Row)
    assert isinstance(moved, r.Row)
    assert isinstance(changed, r.Row)
    assert before.digest == moved.digest != changed.digest


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        (b"", "lacks agency"),
        (b"agency;booking_number", "lacks agency"),
        (b"agency,agency," + ",".join(r.NEEDED).encode(), "twice"),
        (",".join([*r.NEEDED, "shoe_size"]).encode(), "unknown"),
        (",".join([*r.NEEDED, *(f"c{n}" for n in range(100))]).encode(), "107 columns"),
        (",".join(r.NEEDED).encode("utf-16"), "UTF-16"),
        (b"agency\0", "NUL"),
        (b'"agency', "quote"),
        (b"a" * (r.LINE_BYTES_MAX + 1), "64 KiB"),
    ],
    ids=["empty", "semicolons", "twice", "unknown", "many", "UTF-16", "NUL", "quote", "long"],
)
def test_a_file_with_another_header_is_refused_whole(tmp_path: Path, header: bytes, sentence: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(header + b"\n")
    with pytest.raises(InvalidInput, match=sentence) as refused:
        r.Rows(path)
    assert "--columns" in refused.value.advice or "UTF-8" in refused.value.advice


def test_too_many_rows_are_refused_before_any_is_read(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(r, "ROWS_MAX", 2)
    path = write({}, {"booking_number": "B-2"}, {"booking_number": "B-3"})
    with pytest.raises(InvalidInput, match="3 rows"):
        r.Rows(path).count()
