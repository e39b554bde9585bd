"""An import's report, read back whatever stands in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from comity.cli.report import KIND, Report

Read = Callable[..., dict[str, dict[str, Any]]]
RECEIPT = {"topic": "enrolments", "partition": 0, "position": 1, "sha256": "ab" * 32}
SENT = {"row": "r", "state": "sent", "agency": "A", "booking": "B-1", "version": 1, "record_id": "ab" * 16, "receipt": RECEIPT}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def read(tmp_path: Path, home: Path) -> Read:
    def reads(*lines: str | dict[str, Any]) -> dict[str, dict[str, Any]]:
        path = tmp_path / "report.jsonl"
        head = {"report": KIND, "home": str(home.resolve())}
        path.write_text("".join(f"{x if isinstance(x, str) else json.dumps(x)}\n" for x in (head, *lines)), encoding="utf-8")
        with Report(path, home) as report:
            return report.states

    return reads


def test_what_was_sent_and_what_became_of_it_are_one_row(read: Read) -> None:
    done = {"row": "r", "state": "admitted", "agency": "A", "booking": "B-1", "version": 1, "reason": None, "advice": None}
    assert read(SENT, done) == {"r": SENT | done}


@pytest.mark.parametrize(
    "line",
    [
        "[" * 8_000,
        "9" * 5_000,
        "{",
        "[]",
        *(json.dumps({"row": "r", name: value}) for name, value in (
            ("agency", []), ("booking", {}), ("version", {}), ("version", "1"), ("state", "gone"), ("state", []),
            ("record_id", "../grants"), ("record_id", None), ("receipt", None), ("receipt", {}),
            ("receipt", RECEIPT | {"partition": {}}), ("receipt", RECEIPT | {"position": "../x"}),
            ("receipt", RECEIPT | {"position": -1}), ("receipt", RECEIPT | {"sha256": None}), ("photographs", 1),
        )),
    ],
)  # fmt: skip
def test_a_line_that_does_not_fit_changes_nothing(read: Read, line: str) -> None:
    """By itself, or beside the line that it would spoil."""
    assert read(SENT, line) == {"r": SENT}
    assert read(line, SENT) == {"r": SENT}
    assert read(line) == {}
