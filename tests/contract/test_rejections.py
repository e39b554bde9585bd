"""What was rejected, for the agencies: newest first, pages that fit together, and nothing that was corrected."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert

from comity.adapters.sql.engine import open_engine
from comity.adapters.sql.rejections import SqlRejections
from comity.adapters.sql.tables import TABLES
from comity.domain import posting as p
from comity.domain.entries import RecordClass
from comity.domain.ids import Ori, RecordId
from comity.ports import REJECTIONS_MAX, Rejection

A, B = Ori("WI0130000"), Ori("WI0520100")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(tmp_path / "ledger.db")
    yield engine
    engine.dispose()


@pytest.fixture
def rejections(engine: Engine) -> SqlRejections:
    return SqlRejections(engine)


def record(number: int) -> RecordId:
    return RecordId(f"{number:032x}")


def rejected(number: int, version: int = 1, reason: str = "no-face", owner: Ori = A) -> Rejection:
    return Rejection(record(number), owner, version, None, reason, f"advice {number}.{version}")


def admit(engine: Engine, number: int, version: int) -> None:
    values = {
        "entered": 10 * number + version,
        "kid": "k",
        "entered_at": datetime(2026, 3, 1, tzinfo=UTC),
        "record_id": record(number),
        "owner": A,
        "record_class": RecordClass.BOOKING,
        "version": version,
        "enrolment_sha256": b"",
    }
    with engine.begin() as connection:
        connection.execute(insert(TABLES[p.Record]).values(**values))


def read(found: tuple[Rejection, ...]) -> list[str]:
    return [one.advice.removeprefix("advice ") for one in found]


def test_of_more_than_can_be_read_the_newest_come_first(rejections: SqlRejections) -> None:
    for number in range(REJECTIONS_MAX + 5):
        rejections.add(rejected(number))
    found = rejections.of(A)
    assert len(found) == REJECTIONS_MAX
    assert read(found)[0] == f"{REJECTIONS_MAX + 4}.1"
    rest = rejections.of(A, before=found[-1].place)
    assert read(rest) == [f"{number}.1" for number in range(4, -1, -1)]
    assert read(rejections.of(A, count=2)) == read(found)[:2]


def test_the_same_again_keeps_its_place_and_another_reason_takes_a_new_one(rejections: SqlRejections) -> None:
    """A replay must not put old rejections on top."""
    for number in (1, 2, 1):
        rejections.add(rejected(number))
    assert read(rejections.of(A)) == ["2.1", "1.1"]
    rejections.add(rejected(1, reason="several-faces"))
    assert [(r.advice, r.reason) for r in rejections.of(A)] == [("advice 1.1", "several-faces"), ("advice 2.1", "no-face")]


def test_an_agency_reads_its_own(rejections: SqlRejections) -> None:
    rejections.add(rejected(1))
    rejections.add(rejected(2, owner=B))
    assert read(rejections.of(A)) == ["1.1"]
    assert read(rejections.of(B, record(2))) == ["2.1"]
    assert rejections.of(A, record(2)) == ()


@pytest.mark.parametrize(
    ("version", "reason", "admitted", "listed"),
    [
        (1, "no-face", None, True),
        (1, "no-face", 1, False),  # the same version, mended and sent again
        (1, "no-face", 2, False),
        (2, "no-face", 1, True),
        (1, "same-version", 1, True),  # that admission is why it was rejected
        (1, "same-version", 2, False),
    ],
)
def test_what_was_corrected_leaves_the_list(
    engine: Engine, rejections: SqlRejections, version: int, reason: str, admitted: int | None, *, listed: bool
) -> None:
    rejections.add(rejected(1, version, reason))
    if admitted is not None:
        admit(engine, 1, admitted)
    assert bool(rejections.of(A)) is listed
