"""``comity import``: checked, refused row by row, resumed where it stopped, and nothing sent twice."""

from __future__ import annotations

import csv
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from builders import PEOPLE
from comity.acts import pace
from comity.adapters.onnx_faces import OnnxFaces
from comity.cli import imports, publishing
from comity.cli.main import app
from commands import COURT, DANE, MILWAUKEE, Cli, served


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory, encoder: OnnxFaces) -> Iterator[Cli]:
    with served(tmp_path_factory.mktemp("cli") / "home", encoder) as one:
        yield one


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """Return a CSV file of four bookings, the last without a face, in a folder with its photographs."""
    from PIL import Image  # noqa: PLC0415 - one picture

    folder = tmp_path / "export"
    folder.mkdir()
    for person in ("p05", "p06", "p07"):
        (folder / f"{person}.jpg").write_bytes((PEOPLE / person / "1.jpg").read_bytes())
    Image.new("RGB", (400, 400), "grey").save(folder / "grey.jpg")
    rows = [
        {
            "agency": MILWAUKEE,
            "booking_number": f"{tmp_path.name[-12:]}-{photo}",
            "class": "booking",
            "age_at_capture": "40",
            "legal_basis": "Arrest",
            "captured_at": "2026-03-01T14:05:00-06:00",
            "photographs": f"{photo}.jpg",
        }
        for photo in ("p05", "p06", "p07", "grey")
    ]
    path = folder / "bookings.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def add_hostile_rows(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    hostile = [
        lines[1].replace("p05.jpg", "../../x.jpg").replace("-p05", "-h1"),
        lines[1].replace("Arrest", "=1+1").replace("-p05", "-h2"),
        lines[1],
    ]
    path.write_text("\n".join([*lines, *hostile]) + "\n", encoding="utf-8")


def test_the_columns_are_documented(cli: Cli) -> None:
    columns = cli.json("import", "--columns")
    assert {"agency", "booking_number", "photographs"} <= {c["column"] for c in columns if c["required"]}
    assert all(c["meaning"] for c in columns)


def test_a_check_changes_nothing_and_opens_no_home(export: Path, tmp_path: Path) -> None:
    add_hostile_rows(export)
    ran = CliRunner().invoke(app, ["--home", str(tmp_path / "none"), "--json", "import", str(export), "--check"])
    assert ran.exit_code == 2
    said = json.loads(ran.stdout)
    assert (said["rows"], said["sent"], said["report"]) == (7, 0, None)
    assert [(r["line"], r["reason"]) for r in said["refused"]] == [(6, "path"), (7, "formula"), (8, "duplicate")]
    assert not (tmp_path / "none").exists()
    assert sorted(p.name for p in export.parent.iterdir()) == ["bookings.csv", "grey.jpg", "p05.jpg", "p06.jpg", "p07.jpg"]


def test_an_import_admits_rejects_and_refuses_and_says_which(cli: Cli, export: Path) -> None:
    add_hostile_rows(export)
    said = cli.json("import", export, code=2)
    assert (said["sent"], said["admitted"], said["rejected"], said["waiting"]) == (4, 3, {"no-face": 1}, 0)
    assert said["refusals"] == {"path": 1, "formula": 1, "duplicate": 1}
    assert [(r["line"], r["reason"], bool(r["advice"])) for r in said["rejections"]] == [(5, "no-face", True)]
    lines = [json.loads(line) for line in Path(said["report"]).read_text(encoding="utf-8").splitlines()]
    assert {line["state"] for line in lines[1:]} == {"sent", "admitted", "rejected", "refused"}
    assert all(line["receipt"]["sha256"] for line in lines if line.get("state") == "sent")
    assert Path(said["report"]).stat().st_mode & 0o077 == 0


def test_an_import_that_was_stopped_goes_on_and_sends_nothing_twice(
    cli: Cli, export: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    publish = publishing.publish

    def counted(to: Any, booking: Any) -> Any:  # noqa: ANN401
        if len(sent) == 2:
            raise KeyboardInterrupt
        sent.append(booking.booking_number)
        return publish(to, booking)

    monkeypatch.setattr(publishing, "publish", counted)
    stopped = cli.run("import", export)
    assert stopped.exit_code == 130
    assert "it goes on from here" in stopped.stderr
    monkeypatch.undo()
    report = Path(f"{export}.report.jsonl")
    with report.open("a", encoding="utf-8") as file:
        file.write('{"row": "half a li')  # as a crash leaves it

    said = cli.json("import", export, code=2)
    assert (said["skipped"], said["sent"], said["admitted"], said["rejected"]) == (2, 2, 3, {"no-face": 1})
    again = cli.json("import", export, code=2)
    assert (again["skipped"], again["sent"], again["admitted"]) == (4, 0, 3)
    assert cli.json("fsck") == []


def test_a_correction_is_sent_and_the_other_rows_are_not(cli: Cli, export: Path) -> None:
    cli.json("import", export, code=2)
    text = export.read_text(encoding="utf-8")
    header, first, *rest = text.splitlines()
    export.write_text("\n".join([f"{header},version", f"{first},2", *(f"{row}," for row in rest)]), encoding="utf-8")
    said = cli.json("import", export, code=2)
    assert (said["skipped"], said["sent"], said["admitted"]) == (3, 1, 3)


def test_a_correction_is_not_admitted_while_the_older_version_stands(cli: Cli, export: Path) -> None:
    from PIL import Image  # noqa: PLC0415 - one picture

    cli.json("import", export, code=2)
    Image.new("RGB", (400, 400), "grey").save(export.parent / "p05.jpg")  # the new version's photograph shows no face
    text = export.read_text(encoding="utf-8")
    header, first, *rest = text.splitlines()
    export.write_text("\n".join([f"{header},version", f"{first},2", *(f"{row}," for row in rest)]), encoding="utf-8")
    said = cli.json("import", export, code=2)
    assert (said["sent"], said["admitted"], said["rejected"]) == (1, 2, {"no-face": 2})


def test_an_import_waits_as_long_as_it_is_told(cli: Cli, export: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    sleep = time.sleep

    def slept(seconds: float) -> None:
        waited.append(seconds)
        sleep(min(seconds, 0.1))

    monkeypatch.setattr(pace, "BURST_EVENTS", 1)
    monkeypatch.setattr(pace, "EVENTS_PER_SECOND", 5.0)
    monkeypatch.setattr("comity.cli.publishing.time.sleep", slept)
    said = cli.json("import", export, code=2)
    assert (said["sent"], said["admitted"]) == (4, 3)
    assert 1 in waited


def test_a_changed_row_without_a_higher_version_is_refused(cli: Cli, export: Path) -> None:
    cli.json("import", export, code=2)
    export.write_text(export.read_text(encoding="utf-8").replace("Arrest", "Warrant", 1), encoding="utf-8")
    said = cli.json("import", export, code=2)
    assert (said["sent"], said["refusals"]) == (0, {"changed": 1})


def test_a_report_belongs_to_one_home(cli: Cli, export: Path) -> None:
    report = Path(f"{export}.report.jsonl")
    report.write_text('{"report": "comity-import/1", "home": "/another/home"}\n', encoding="utf-8")
    assert "--report" in cli.json("import", export, code=5)["advice"]


def test_a_sealed_booking_is_told_as_covered(cli: Cli, export: Path) -> None:
    (export.parent / "p05.jpg").write_bytes((PEOPLE / "p09" / "1.jpg").read_bytes())  # the seal covers its photograph's kin
    number = f"{export.parent.parent.name[-12:]}-p05"
    order = ("--court", COURT, "--booking", number, "--agency", MILWAUKEE, "--as", "Carla", "--statute", "wi-165.84")
    cli.json("seal", *order, "--yes")
    said = cli.json("import", export, code=2)
    assert said["rejected"]["suppressed"] == 1
    assert said["sent"] == 4  # a court's order is honoured later, and told where the record stands


def test_two_agencies_in_one_file_send_as_themselves(cli: Cli, export: Path) -> None:
    text = export.read_text(encoding="utf-8")
    export.write_text(text.replace(f"\n{MILWAUKEE}", f"\n{DANE}", 1), encoding="utf-8")
    said = cli.json("import", export, code=2)
    assert said["admitted"] == 3


def test_what_is_undecided_is_bounded(cli: Cli, export: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "UNDECIDED_MAX", 1)
    said = cli.json("import", export, code=2)
    assert (said["sent"], said["waiting"]) == (4, 0)


def test_a_row_of_an_agency_that_cannot_send_from_here_stops_no_other(cli: Cli, export: Path) -> None:
    text = export.read_text(encoding="utf-8")
    export.write_text(text.replace(f"\n{MILWAUKEE}", "\nWI0139999", 1), encoding="utf-8")
    said = cli.json("import", export, code=2)
    assert (said["sent"], said["admitted"], said["refusals"]) == (3, 2, {"agency": 1})
    assert "WI0139999" in said["refused"][0]["advice"]


@pytest.mark.parametrize("what", ["the export itself", "another file", "a pipe"])
def test_a_report_is_written_into_no_file_of_something_else(cli: Cli, export: Path, what: str) -> None:
    other = export if what == "the export itself" else export.with_name("other")
    if what == "a pipe":
        os.mkfifo(other)
    elif other is not export:
        other.write_text("precious")
    before = other.is_fifo() or other.read_bytes()
    problem = cli.json("import", export, "--report", other, code=2)
    assert "--report" in problem["advice"]
    assert (other.is_fifo() or other.read_bytes()) == before


@pytest.mark.parametrize("left", [0, 5, 30])
def test_a_report_whose_first_line_a_crash_cut_is_gone_on_with(cli: Cli, export: Path, left: int) -> None:
    Path(f"{export}.report.jsonl").write_text(f'{{"report": "comity-import/1", "home": "{cli.home}"'[:left], encoding="utf-8")
    assert cli.json("import", export, code=2)["sent"] == 4
    assert cli.json("import", export, code=2)["sent"] == 0


@pytest.mark.parametrize("spoilt", [{"record_id": "../grants"}, {"record_id": None}, {"receipt": None}, {"receipt": {}}])
def test_a_line_of_a_report_that_names_no_receipt_is_passed_over(cli: Cli, export: Path, spoilt: dict[str, object]) -> None:
    """By hand, or by a disk: its row is sent again, and what it names reaches no other route."""
    report = Path(cli.json("import", export, code=2)["report"])
    lines = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]
    kept = [lines[0], *(line | spoilt for line in lines if line.get("state") == "sent")]
    report.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
    said = cli.json("import", export, code=2)
    assert (said["sent"], said["skipped"]) == (len(kept) - 1, 0)


def test_a_photograph_that_was_replaced_after_its_rejection_is_sent_again(cli: Cli, export: Path) -> None:
    """Its advice says so: "Send a photograph with the whole face …"; the row's own words stay the same."""
    assert cli.json("import", export, code=2)["rejected"] == {"no-face": 1}
    again = cli.json("import", export, code=2)
    assert (again["sent"], again["skipped"]) == (0, 4)
    (export.parent / "grey.jpg").write_bytes((PEOPLE / "p08" / "1.jpg").read_bytes())
    (export.parent / "p05.jpg").write_bytes((PEOPLE / "p10" / "1.jpg").read_bytes())  # of one that was taken: no correction
    mended = cli.json("import", export)
    assert (mended["sent"], mended["skipped"], mended["admitted"]) == (1, 3, 4)
    assert cli.json("import", export)["sent"] == 0
